import { type Application, type CellContext, EdgeError, type Tool } from '../../../contract/index.ts';
import { groupOf, LATER, matches, toolsOf } from '../gate/tool-names.ts';

const HINT_MAX = 512;

/** Applications by name that take no intents for what their flow lacks, each with the reason. The others work. */
export function refusedApps(
  apps: readonly Application[],
  house: (app: Application) => readonly Tool[],
  report: CellContext['report'],
): ReadonlyMap<string, EdgeError> {
  const refused = new Map<string, EdgeError>();
  for (const app of apps) {
    const error = flowToolsFault(app, house(app), report);
    if (!error) continue;
    refused.set(app.name, error);
    report('error', `application ${app.name} takes no intents: ${error.message}`, {
      ...{ app: app.name, code: error.code, hint: error.hint },
    });
  }
  return refused;
}

/**
 * Reports the tools that a flow names and that do not exist, before a run finds out in its middle. A name that
 * nothing can bring later is a fault of the application whose harness the flow is: gives `config.invalid`. What may
 * still come, what a flow lacks that is only the fallback, and patterns, which ask for what there is, are reported.
 * `house`: all tools beside those of the application itself.
 */
export function flowToolsFault(
  app: Application,
  house: readonly Tool[],
  report: CellContext['report'],
): EdgeError | undefined {
  const { flow } = app;
  if (!flow?.tools) return undefined;
  const mine = toolsOf(app, house);
  const missing = flow.tools.filter((name) => !mine.some(({ spec }) => matches(name, spec.name)));
  const wrong: string[] = [];
  for (const name of missing) {
    if (app.harness === 'flow' && !name.endsWith('*') && !LATER.has(groupOf(name))) wrong.push(name);
    else
      report('warn', `flow ${flow.name} names a tool that is unknown at load: ${name}`, {
        app: app.name,
        flow: flow.name,
        tool: name,
      });
  }
  if (wrong.length === 0) return undefined;
  const all = [...(app.tools ?? []), ...house].map(({ spec }) => spec.name);
  const untold = wrong.filter((name) => all.includes(name));
  const why = untold.length > 0 ? `; its agent, whose tools it has, does not name ${untold.join(', ')}` : '';
  const near = all.filter((name) => wrong.some((one) => groupOf(one) === groupOf(name)));
  return new EdgeError('config.invalid', {
    operation: 'load flow',
    subject: flow.name,
    message: `flow ${flow.name}: no tool of ${app.name} is called ${wrong.join(', ')}${why}`,
    hint: `tools: ${(near.length > 0 ? near : all).join(', ')}`.slice(0, HINT_MAX),
  });
}
