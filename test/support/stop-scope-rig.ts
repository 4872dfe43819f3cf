import {
  type Application,
  type CellContext,
  EdgeError,
  IdSource,
  type PolicyHook,
  type RunContext,
  TOPICS,
  type Tool,
  Type,
} from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { RobotProxy } from '../../daemon/runtime/robot/robot-proxy.ts';
import { serveRuntimeRequests } from '../../daemon/runtime/runtime-requests.ts';
import { motionTools } from '../../daemon/runtime/tools/motion-tools.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from './agent-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from './runtime-rig.ts';

export const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
  );

/** An application whose agent has these tools alone. */
export function withTools(name: string, tools: readonly string[], more: Partial<Application> = {}) {
  return agentApp(name, { agent: { instructions: '', prompt: () => '', tools, turnsMax: 100 }, ...more });
}

const closed = { additionalProperties: false } as const;

/** A tool that says what it is, and what was done by it. */
export function plainTool(name: string, effect: unknown, done: (name: string) => void = () => {}): Tool {
  return {
    spec: {
      ...{ name, description: name, input: Type.Object({}, closed), replay: 'safe', deadlineMs: 5_000 },
      ...{ effect: effect as 'read', origin: 'house' },
    },
    run: async () => {
      done(name);
      return { result: {} };
    },
  };
}

/** The call of a tool, as an agent makes it. */
export const call = ({ toolBox }: RunContext, tool: string, args: object = {}) => toolBox.call(tool, args);

/**
 * A runtime cell beside the actuation of an execution cell: stops and their news go the way that they go in a daemon.
 * Policies answer at once, or when `judged` is called after `slowly`; `asked`: how many of them wait.
 */
export async function stopScope(
  apps: readonly Application[],
  works: Readonly<Record<string, Work>>,
  more: Partial<RigOptions> & { readonly tools?: readonly Tool[] } = {},
) {
  let waiting: PromiseWithResolvers<void> | undefined;
  const asking: string[] = [];
  const slow: PolicyHook = {
    name: 'slow',
    decide: async ({ subject }) => {
      if (waiting) asking.push(subject);
      await waiting?.promise;
      return { decision: 'allow', reason: '' };
    },
  };
  const robot = new FakeRobot({ cells: 4 });
  const house: Tool[] = [...(more.tools ?? [])];
  const rig = new RuntimeRig({
    ...{ apps, robot, hooks: [slow] },
    ...more,
    options: { ...agents(works), tools: () => house },
  });
  const { bus, clock } = rig;
  const ids = new IdSource(
    () => 7,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  house.push(...motionTools(new RobotProxy(bus, clock, ids), clock));
  const told: unknown[] = [];
  bus.broadcast = (topic, body) => {
    if (topic === TOPICS.robotStopped) told.push(body);
    bus.tell(topic, body);
  };
  const context = { clock, bus, report: () => {}, emit: async () => {} } as unknown as CellContext;
  const actuation = new Actuation(context, [(reason) => robot.stop(reason)]);
  const parts = { robot, actuation, connected: () => true, charge: () => undefined };
  new RobotService(context, parts).register();
  serveRuntimeRequests(bus, rig.cell);
  await rig.cell.start();
  return {
    ...{ rig, robot, actuation, asking, told },
    submit: (type: string, wantedAtMs?: number) => rig.cell.submit({ type }, PERSON, wantedAtMs),
    status: (runId: string) => rig.cell.run(runId).run.status,
    slowly: () => {
      waiting = Promise.withResolvers();
    },
    judged: () => {
      waiting?.resolve();
      waiting = undefined;
    },
    moves: () => robot.orders.filter((order) => !order.startsWith('stop')).length,
  };
}
