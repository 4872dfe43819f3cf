import type { RunContext } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from './agent-app.ts';
import { type RigOptions, RuntimeRig } from './runtime-rig.ts';

export type Works = Readonly<Record<string, Work>>;

/** A runtime whose applications are these agents, by name. */
export function rigOf(works: Works, more: Partial<RigOptions> = {}): RuntimeRig {
  const { options, ...rest } = more;
  return new RuntimeRig({
    apps: Object.keys(works).map((name) => agentApp(name)),
    robot: new FakeRobot({ cells: 4 }),
    ...rest,
    options: { ...agents(works), ...options },
  });
}

/** What a tool answers to an agent. */
export const call = async ({ toolBox }: RunContext, tool: string, args: unknown, originId?: string) =>
  (await toolBox.call(tool, args, originId === undefined ? {} : { originId })).result as Record<
    string,
    unknown
  >;
