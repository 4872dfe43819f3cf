import type { ExtensionApi, MapSnapshot, Pose2d, Robot } from 'auraison-edge';

/** Keep this far from walls, metres. */
const CLEARANCE_M = 0.2;
/** Shorter edges of the unknown are gaps of the map, metres. */
const EDGE_MIN_M = 0.3;
const EXIT = '/maze/exit_reached';
const FREE_MAX = 49;

type Edge = { readonly x: number; readonly y: number; readonly steps: number; readonly size: number };

/** Tool `ext.explore`: the model says to which edge of the unknown; the robot plans and drives. */
export default function explore(pi: ExtensionApi): void {
  /** By run: whether the search is over. */
  const over = new Map<string, boolean>();

  pi.registerTool({
    name: 'explore',
    description: 'Drives to a place from where the robot sees unknown ground.',
    parameters: {
      type: 'object',
      properties: { which: { type: 'string', enum: ['nearest', 'widest', 'farthest'] } },
      required: ['which'],
    },
    edge: { effect: 'actuate', replay: 'never', deadlineMs: 500_000 },
    async execute(_callId, { which }, signal, _onUpdate, { robot, runId }) {
      const { text, isOver } = await drive(robot!, String(which), signal);
      over.set(runId, isOver);
      return { content: [{ type: 'text', text }] };
    },
  });

  // A small model says early that it is done; the door sensor decides.
  pi.on('tool_call', ({ toolName }, { runId }) =>
    toolName === 'run_finish' && over.get(runId) !== true
      ? { block: true, reason: 'exit_reached: no. Call ext_explore with which nearest.' }
      : undefined,
  );
  pi.on('session_shutdown', (_event, { runId }) => void over.delete(runId));
}

async function drive(robot: Robot, which: string, signal: AbortSignal | undefined) {
  const before = await robot.state();
  const map = await robot.map();
  if (!map || !before.pose) return { text: 'exit_reached: no. The map is not there yet.', isOver: false };
  const edge = choose(edgesOf(map, before.pose), which);
  if (!edge)
    return {
      text: 'exit_reached: no. Nothing is left to explore. Call run_finish with status failed.',
      isOver: true,
    };
  const goal = { pose: { x: edge.x, y: edge.y, yaw: 0 }, tolerance: 0.15, timeoutMs: 120_000 };
  const result = await robot.navigate(goal, signal);
  // Backs out of a corner, so that the next drive can start.
  if (result.outcome === 'stuck') await robot.maneuver({ kind: 'drive', distance: -0.15 }, signal);
  const { signals } = await robot.state();
  const isOut = signals[EXIT] === true;
  const next = isOut ? 'Call run_finish with status succeeded.' : 'Call ext_explore with which nearest.';
  return {
    text: `exit_reached: ${isOut ? 'yes' : 'no'}. The drive ended ${result.outcome}. ${next}`,
    isOver: isOut,
  };
}

function choose(edges: readonly Edge[], which: string): Edge | undefined {
  const value = ({ steps, size }: Edge) =>
    which === 'widest' ? -size : which === 'farthest' ? -steps : steps;
  return edges.toSorted((a, b) => value(a) - value(b) || a.x - b.x || a.y - b.y)[0];
}

/** Edges of the known free floor where the unknown starts, that the robot can drive to. */
function edgesOf(map: MapSnapshot, pose: Pose2d): readonly Edge[] {
  const { width, resolution, origin, cells } = map;
  const steps = reach(map, pose);
  const isEdge = (cell: number) => steps[cell]! > 0 && around(map, cell).some((next) => cells[next]! < 0);
  const seen = new Set<number>();
  const edges: Edge[] = [];
  for (let cell = 0; cell < cells.length; cell++) {
    if (seen.has(cell) || !isEdge(cell)) continue;
    const group = [cell];
    seen.add(cell);
    for (const here of group)
      for (const next of around(map, here))
        if (!seen.has(next) && isEdge(next)) {
          seen.add(next);
          group.push(next);
        }
    if (group.length * resolution < EDGE_MIN_M) continue;
    const middle = group.toSorted((a, b) => steps[a]! - steps[b]! || a - b)[Math.floor(group.length / 2)]!;
    edges.push({
      x: origin.x + ((middle % width) + 0.5) * resolution,
      y: origin.y + (Math.floor(middle / width) + 0.5) * resolution,
      steps: steps[middle]!,
      size: group.length,
    });
  }
  return edges;
}

/** Steps from the robot over free floor with room around it; 0: no way leads there. */
function reach(map: MapSnapshot, pose: Pose2d): Int32Array {
  const { width, height, resolution, origin, cells } = map;
  const room = Math.round(CLEARANCE_M / resolution);
  const blocked = new Uint8Array(cells.length);
  cells.forEach((value, cell) => {
    if (value <= FREE_MAX) return;
    const [column, row] = [cell % width, Math.floor(cell / width)];
    for (let y = Math.max(0, row - room); y <= Math.min(height - 1, row + room); y++)
      for (let x = Math.max(0, column - room); x <= Math.min(width - 1, column + room); x++)
        if (Math.hypot(x - column, y - row) <= room) blocked[y * width + x] = 1;
  });
  const column = Math.floor((pose.x - origin.x) / resolution);
  const row = Math.floor((pose.y - origin.y) / resolution);
  const steps = new Int32Array(cells.length);
  if (column < 0 || row < 0 || column >= width || row >= height) return steps;
  const queue = [row * width + column];
  steps[queue[0]!] = 1;
  for (const here of queue)
    for (const next of around(map, here)) {
      // A robot that stands too near to a wall may leave it.
      const mayLeave = steps[here]! <= 2 * room;
      const isFree = cells[next]! >= 0 && cells[next]! <= FREE_MAX && (mayLeave || !blocked[next]);
      if (steps[next] !== 0 || !isFree) continue;
      steps[next] = steps[here]! + 1;
      queue.push(next);
    }
  for (const cell of queue) if (blocked[cell]) steps[cell] = 0;
  return steps;
}

/** The eight cells around one, those beyond the border left out. */
function around({ width, height }: MapSnapshot, cell: number): number[] {
  const [column, row] = [cell % width, Math.floor(cell / width)];
  const found: number[] = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++)
    for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++)
      if (x !== column || y !== row) found.push(y * width + x);
  return found;
}
