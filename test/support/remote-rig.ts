import { Type } from 'typebox';
import type { Application, PolicyHook, RemoteDefinition, Tool } from '../../contract/index.ts';
import { RemoteHarness } from '../../daemon/runtime/remote/remote-harness.ts';
import { RemoteRuntimes } from '../../daemon/runtime/remote/remote-runtimes.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import type { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { type Cut, PERSON, RuntimeRig } from './runtime-rig.ts';

export const TOKENS = [
  { name: 'workshop', token: 'token-of-workshop' },
  { name: 'other', token: 'token-of-other' },
];

/** An application of the remote harness; its params are free. */
export function remoteApp(remote: Partial<RemoteDefinition> = {}): Application {
  return {
    name: 'patrol',
    version: '1.0.0',
    description: 'patrol',
    harness: 'remote',
    intents: [
      { type: 'patrol/go', description: 'go', params: Type.Object({}, { additionalProperties: true }) },
    ],
    deadlineMs: 600_000,
    afterCut: 'resume',
    remote: {
      ...{ runtime: 'workshop', agent: 'patrol', tools: ['*'], lost: 'wait', waitMs: 60_000 },
      prompt: (params) => `go ${JSON.stringify(params)}`,
      ...remote,
    },
  };
}

/** A tool that counts; `hold`: it does not answer before its signal aborts. */
export function countingTool(name: string, more: Partial<Tool['spec']> & { readonly hold?: boolean } = {}) {
  const done: string[] = [];
  const { hold = false, ...spec } = more;
  const tool: Tool = {
    spec: {
      ...{ name, description: name, effect: 'write', replay: 'never', deadlineMs: 60_000, origin: 'house' },
      input: Type.Object({ n: Type.Optional(Type.Integer()) }, { additionalProperties: false }),
      ...spec,
    },
    run: async (args, { signal }) => {
      done.push(JSON.stringify(args));
      if (hold)
        await new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        );
      return { result: { count: done.length } };
    },
  };
  return { tool, done };
}

export type RemoteRig = { readonly rig: RuntimeRig; readonly runtimes: RemoteRuntimes };

/** A runtime cell with foreign runtimes, everything in memory; ready for intents. */
export async function remoteRig(
  tools: readonly Tool[],
  more: {
    readonly remote?: Partial<RemoteDefinition>;
    /** Beside that of the runtime. */
    readonly apps?: readonly Application[];
    readonly hooks?: readonly PolicyHook[];
    readonly disk?: MemoryLogDisk;
    readonly cut?: Cut;
    readonly clock?: ManualClock;
    readonly robot?: FakeRobot;
  } = {},
): Promise<RemoteRig> {
  const clock = more.clock ?? new ManualClock();
  let sessions = 0;
  const runtimes = new RemoteRuntimes({
    ...{ robot: 'robot', clock, identities: TOKENS, heartbeatMs: 5_000, keepMs: 30_000, report: () => {} },
    sessionId: () => `session-${clock.monotonicMs()}-${++sessions}`,
  });
  const { hooks, disk, cut, robot = new FakeRobot() } = more;
  const rig: RuntimeRig = new RuntimeRig({
    ...{ apps: [remoteApp(more.remote), ...(more.apps ?? [])], robot, clock },
    ...(hooks ? { hooks } : {}),
    ...(disk ? { disk } : {}),
    ...(cut ? { cut } : {}),
    options: {
      tools: () => tools,
      harnesses: {
        remote: (app) =>
          new RemoteHarness(app, runtimes, {
            pause: (runId, reason) => rig.cell.control.pauseLost(runId, reason),
            resume: (runId) => rig.cell.control.resumeLost(runId),
          }),
      },
    },
  });
  let up = false;
  void rig.cell.start().then(() => {
    up = true;
  });
  await rig.until(() => up, 'the start');
  return { rig, runtimes };
}

export const go = (rig: RuntimeRig, params: object = {}) =>
  rig.cell.submit({ type: 'patrol/go', params }, PERSON);
