import { type Application, type CellContext, EdgeError, type Tool } from '../../../contract/index.ts';
import { matches, toolsOf } from '../tool-names.ts';

/** Groups of tools that come after the load, or with a configuration: extensions, MCP servers, plans, foresight. */
const LATER: ReadonlySet<string> = new Set(['ext', 'mcp', 'plan', 'world']);
const HINT_MAX = 512;

/**
 * Tells of the tools that a flow names and nobody has, before a run finds out in its middle. A name that nothing can
 * bring later is a fault of the application: throws `config.invalid`. What may still come, and patterns, which ask
 * for what there is, are reported. `house`: all tools beside those of the application itself.
 */
export function checkFlowTools(
  app: Application,
  house: readonly Tool[],
  report: CellContext['report'],
): void {
  const { flow } = app;
  if (!flow?.tools) return;
  const mine = toolsOf(app, house);
  const missing = flow.tools.filter((name) => !mine.some(({ spec }) => matches(name, spec.name)));
  const wrong: string[] = [];
  for (const name of missing) {
    if (!name.endsWith('*') && !LATER.has(groupOf(name))) wrong.push(name);
    else
      report('warn', `flow ${flow.name} names a tool that is unknown at load: ${name}`, {
        app: app.name,
        flow: flow.name,
        tool: name,
      });
  }
  if (wrong.length === 0) return;
  const all = [...(app.tools ?? []), ...house].map(({ spec }) => spec.name);
  const untold = wrong.filter((name) => all.includes(name));
  const why = untold.length > 0 ? `; its agent, whose tools it has, does not name ${untold.join(', ')}` : '';
  const near = all.filter((name) => wrong.some((one) => groupOf(one) === groupOf(name)));
  throw new EdgeError('config.invalid', {
    operation: 'load flow',
    subject: flow.name,
    message: `flow ${flow.name}: no tool of ${app.name} is called ${wrong.join(', ')}${why}`,
    hint: `tools: ${(near.length > 0 ? near : all).join(', ')}`.slice(0, HINT_MAX),
  });
}

function groupOf(name: string): string {
  return name.split('.')[0]!;
}
