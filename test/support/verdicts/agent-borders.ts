import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type HostedRun, RunTools } from '../../../adapters/acp/index.ts';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { offerRun } from '../../../cli/acp/run-offer.ts';
import { type HostedOutcome, MOTION_METHODS, type MotionResult } from '../../../contract/index.ts';
import { withMotion } from '../../../daemon/execution/robot-requests.ts';
import { FakeBus } from '../../fakes/fake-bus.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { serveHosted } from '../acp-script.ts';
import { makeHouse } from '../house.ts';
import { RemotePeer } from '../remote-peer.ts';
import { go, remoteRig } from '../remote-rig.ts';

const REACHED: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 1, time: 1n, message: '' },
};
/** Between two calls, on the clock of the runtime cell, milliseconds. */
const PACE_MS = 50;
const TOOLS = ['robot.navigate', 'robot.maneuver', 'arm.move', 'arm.gripper'];

type Border = {
  readonly name: string;
  /** Whether the execution cell begins a motion for this call of the agent. */
  begins(tool: string, args: object): Promise<boolean>;
};
export type AgentBorders = { readonly borders: readonly Border[]; close(): Promise<void> };

/** A run of a foreign runtime, and the tools that its agent has: by messages of the contract, and by MCP. */
async function openRun(bus: FakeBus) {
  const { named } = makeHouse(bus, new ManualClock());
  const { rig, runtimes } = await remoteRig(TOOLS.map(named));
  let hosted: HostedRun | undefined;
  const peer = serveHosted(
    new RemotePeer(runtimes),
    (run) =>
      new Promise<HostedOutcome>(() => {
        hosted = run;
      }),
  );
  peer.connect();
  void go(rig).catch(() => {});
  await rig.until(() => hosted !== undefined, 'the run has started');
  const run = hosted!;
  const door = await offerRun(new RunTools(run, 'life', () => ({})), {
    ...{ clock: new SystemClock(), version: '1', bridge: ['node', 'mcp'], env: {}, secret: () => {} },
    report: () => {},
  });
  const { url, headers } = door.server(true) as { url: string; headers: { name: string; value: string }[] };
  const client = new Client({ name: 'agent', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: headers[0]!.value } },
    }),
  );
  const close = async () => {
    await client.close();
    await door.close();
  };
  return { rig, run, client, close };
}

/**
 * What agents in foreign runtimes call, before the execution cell: the tool gate is the real one, the robot is the check
 * of that cell. A runtime whose calls are refused too often loses its run, and gets another one here.
 */
export async function openAgentBorders(): Promise<AgentBorders> {
  const bus = new FakeBus(new ManualClock());
  let begun = 0;
  const now = { madeAtMs: 0, clock: new ManualClock() };
  for (const kind of ['navigate', 'maneuver', 'follow', 'gripper'] as const)
    bus.handle(MOTION_METHODS[kind], (body) =>
      withMotion(kind, body, now, async () => {
        begun += 1;
        return REACHED;
      }),
    );
  let life = await openRun(bus);
  let calls = 0;
  const counted = async (work: (of: typeof life) => Promise<unknown>): Promise<boolean> => {
    // A runtime may not say everything within one second.
    await life.rig.clock.advance(PACE_MS);
    if (life.rig.of('run.finished').length > 0) {
      await life.close();
      life = await openRun(bus);
    }
    const before = begun;
    await work(life);
    if (begun > before + 1) throw new Error('one call began several motions');
    return begun > before;
  };
  const plain = (args: object) => JSON.parse(JSON.stringify(args)) as Record<string, unknown>;
  return {
    borders: [
      {
        name: 'messages of a foreign runtime',
        begins: (tool, args) => counted(({ run }) => run.ask(tool, plain(args) as never, `wire-${++calls}`)),
      },
      {
        name: 'MCP of a run',
        begins: (tool, args) =>
          counted(({ client }) => client.callTool({ name: tool.replace('.', '_'), arguments: plain(args) })),
      },
    ],
    close: () => life.close(),
  };
}
