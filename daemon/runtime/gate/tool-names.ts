import type { Application, Tool } from '../../../contract/index.ts';

/** Groups of tools that come after the load, or with a configuration: extensions, MCP servers, plans, foresight. */
export const LATER: ReadonlySet<string> = new Set(['ext', 'mcp', 'plan', 'world']);

/** What a foreign agent may do outside of the robot is never granted by a pattern: the application names it. */
const NAMED_ONLY = 'agent.permission';

/**
 * The tools of an application: those of its own tools and of `house` that its agent or its flow names. Its own tools
 * have precedence. An agent has the tools of the application's extensions without naming them. Every agent can stop the
 * robot and end its run. `loop`: the run carries out the outer loop of the application, and has these instead.
 */
export function toolsOf(
  app: Application,
  house: readonly Tool[],
  loop?: readonly string[] | undefined,
): readonly Tool[] {
  const patterns = loop
    ? loop
    : app.agent
      ? [...app.agent.tools, 'robot.stop', 'run.finish']
      : app.remote
        ? [...app.remote.tools, 'robot.stop']
        : (app.flow?.tools ?? []);
  const chosen = [...(app.tools ?? []), ...house].filter(({ spec: { name, origin } }) => {
    if (name === NAMED_ONLY) return !loop && app.remote?.tools.includes(name) === true;
    return (
      (!loop && app.agent && origin === 'extension') || patterns.some((pattern) => matches(pattern, name))
    );
  });
  const byName = new Map<string, Tool>();
  for (const tool of chosen) if (!byName.has(tool.spec.name)) byName.set(tool.spec.name, tool);
  return [...byName.values()];
}

export function groupOf(name: string): string {
  return name.split('.')[0]!;
}

/** `robot.*` is every tool of that group, `*` every tool. */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.endsWith('*')) return pattern === name;
  return name.startsWith(pattern.slice(0, -1));
}
