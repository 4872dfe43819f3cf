/** A run that another one asked for and that waits for others to end. */
export type Blocked = {
  readonly runId: string;
  readonly parent: string;
  readonly holders: readonly string[];
  /** It may start when one of the holders ends, or only when all do. */
  readonly needs: 'one' | 'all';
};

/**
 * Finds waiting runs that wait for each other in a circle. Example: a parent waits for a child, which waits for a slot
 * or a key of another run, which waits for its own child, which waits for what the first parent holds. Only a deadline
 * would end that. `parents` gives for each active run the run that asked for it, or undefined. Pure.
 */
export function knotted(
  blocked: readonly Blocked[],
  parents: ReadonlyMap<string, string | undefined>,
): readonly string[] {
  const waiting = new Map(blocked.map((wait) => [wait.runId, wait]));
  const children = new Map<string, string[]>();
  const note = (child: string, parent: string | undefined) => {
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), child]);
  };
  for (const [child, parent] of parents) note(child, parent);
  for (const { runId, parent } of blocked) note(runId, parent);
  const moving = movers(waiting, children, [...parents.keys()]);
  return blocked
    .map(({ runId }) => runId)
    .filter((runId) => !moving.has(runId) && reachesItself(runId, waiting, children));
}

/** Runs that will end on their own: active runs whose children will, and waiting runs whose holders will. */
function movers(
  waiting: ReadonlyMap<string, Blocked>,
  children: ReadonlyMap<string, readonly string[]>,
  active: readonly string[],
): Set<string> {
  const moving = new Set<string>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const runId of [...active, ...waiting.keys()]) {
      if (moving.has(runId)) continue;
      const wait = waiting.get(runId);
      const free = wait
        ? wait.needs === 'one'
          ? wait.holders.some((holder) => moving.has(holder))
          : wait.holders.every((holder) => moving.has(holder))
        : (children.get(runId) ?? []).every((child) => moving.has(child));
      if (!free) continue;
      moving.add(runId);
      grew = true;
    }
  }
  return moving;
}

function reachesItself(
  start: string,
  waiting: ReadonlyMap<string, Blocked>,
  children: ReadonlyMap<string, readonly string[]>,
): boolean {
  const seen = new Set<string>();
  const ways = [...(waiting.get(start)?.holders ?? [])];
  for (let at = ways.pop(); at !== undefined; at = ways.pop()) {
    if (at === start) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    ways.push(...(waiting.get(at)?.holders ?? children.get(at) ?? []));
  }
  return false;
}
