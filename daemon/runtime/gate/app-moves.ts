import { type Application, mayMove, type Tool } from '../../../contract/index.ts';
import { isStop } from './call-records.ts';
import { groupOf, LATER, matches, toolsOf } from './tool-names.ts';

/**
 * Whether runs of this application may move the robot, by its tools as they are described. What is not known may: code, which
 * has the robot itself, agents elsewhere, tools that are not there yet. `house`: all tools beside its own; `opens`: names of
 * those that ask for other runs.
 */
export function appMoves(app: Application, house: readonly Tool[], opens: ReadonlySet<string>): boolean {
  const { agent, flow, remote, loop, foresight } = app;
  if (remote || loop || foresight || !(agent ?? flow) || (flow && !flow.byTools)) return true;
  const tools = toolsOf(app, house).map(({ spec }) => spec);
  const named = [...(agent?.tools ?? []), ...(flow?.tools ?? [])];
  const isKnown = (name: string) => !mayGrow(name) && tools.some((one) => matches(name, one.name));
  if (!named.every(isKnown)) return true;
  return tools.some(
    ({ name, effect }) => opens.has(name) || (mayMove({ effect }) && !isStop({ tool: name })),
  );
}

/** A pattern that may match more tools before the run starts. */
function mayGrow(name: string): boolean {
  return name === '*' || (name.endsWith('*') && LATER.has(groupOf(name)));
}
