import { Type } from 'typebox';
import { PiHarness } from '../../adapters/pi/index.ts';
import { type Application, EdgeError } from '../../contract/index.ts';
import {
  type HarnessRig,
  type HarnessWay,
  harnessConformance,
  type WaySetup,
} from '../conformance/harness.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { MemoryA2aAgent, serveA2aAgent } from '../support/a2a-agent.ts';
import { MemoryAgent, serveAcpAgent } from '../support/acp-script.ts';
import { finish } from '../support/agent-apps.ts';
import { packageApp } from '../support/package-app.ts';
import { modelsOf } from '../support/recorded-models.ts';
import { agentOf, RemotePeer } from '../support/remote-peer.ts';
import { type RemoteRig, remoteApp, remoteRig } from '../support/remote-rig.ts';
import { replayParts } from '../support/replay-rig.ts';
import { RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const INTENT = {
  type: 'patrol/go',
  description: 'go',
  params: Type.Object({}, { additionalProperties: true }),
};

type Options = NonNullable<ConstructorParameters<typeof RuntimeRig>[0]['options']>;

async function started(
  app: Application,
  { tools, hooks, disk, clock, cut }: WaySetup,
  options: Partial<Options>,
): Promise<HarnessRig> {
  const rig = new RuntimeRig({
    ...{ apps: [app], robot: new FakeRobot() },
    ...(hooks ? { hooks } : {}),
    ...(disk ? { disk } : {}),
    ...(clock ? { clock } : {}),
    ...(cut ? { cut } : {}),
    options: { tools: () => tools, ...options },
  });
  let up = false;
  void rig.cell.start().then(() => {
    up = true;
  });
  await rig.until(() => up, 'the start');
  const { blobs, harnesses } = options;
  const harness = harnesses?.pi?.(app);
  const replay = () =>
    replayParts(rig.disk, app, { tools, ...(blobs ? { blobs } : {}), ...(harness ? { harness } : {}) });
  return { rig, replay };
}

/** A cell with foreign runtimes, and its runs again without any. */
async function remoteStarted(setup: WaySetup): Promise<RemoteRig & HarnessRig> {
  const { tools, hooks, disk, clock, cut } = setup;
  const made = await remoteRig(tools, {
    ...(hooks ? { hooks } : {}),
    ...(disk ? { disk } : {}),
    ...(clock ? { clock } : {}),
    ...(cut ? { cut } : {}),
  });
  return { ...made, replay: () => replayParts(made.rig.disk, remoteApp(), { tools }) };
}

const flow: HarnessWay = (setup) => {
  const work = oneState(async ({ tools }) => {
    for (const { tool, args } of setup.calls)
      try {
        await tools.call(tool, args);
      } catch (thrown) {
        // What a kill made uncertain is left alone.
        if (!(thrown instanceof EdgeError && thrown.code === 'run.interrupted')) throw thrown;
      }
    return { event: 'ok', reason: 'all done' };
  });
  return started(flowApp('patrol', { ...work, tools: ['*'] }), setup, {});
};

/** The same as files: steps, and a behavior tree. */
const ofFiles =
  (flow: (calls: WaySetup['calls']) => Readonly<Record<string, string>>): HarnessWay =>
  (setup) =>
    started(packageApp({ 'app.toml': MANIFEST, ...flow(setup.calls) }), setup, {});
const MANIFEST = `name = "patrol"
version = "1.0.0"
description = "patrol"
harness = "flow"
tools = ["count.*", "robot.*"]
[[intents]]
type = "patrol/go"
description = "go"
`;

const steps = ofFiles((calls) => ({
  'flow.yaml': [
    'steps:',
    ...calls.map(({ tool, args }, n) => `  - { id: s${n}, tool: ${tool}, args: ${JSON.stringify(args)} }`),
    '  - { id: done, end: succeeded, reason: all done }',
    '',
  ].join('\n'),
}));

const tree = ofFiles((calls) => ({
  'flow.xml': `<root BTCPP_format="4" main_tree_to_execute="Main"><BehaviorTree ID="Main"><Sequence>
${calls.map(({ tool, args: { n } }) => `<${tool} n="${n}"/>`).join('\n')}
</Sequence></BehaviorTree></root>
`,
}));

/** Images and large answers outlive the process, as on a disk. */
const blobsOf = new WeakMap<object, MemoryBlobStore>();

const pi: HarnessWay = async (setup) => {
  const blobs = (setup.disk && blobsOf.get(setup.disk)) ?? new MemoryBlobStore();
  const app: Application = {
    ...{ name: 'patrol', version: '1.0.0', description: 'patrol', harness: 'pi', intents: [INTENT] },
    ...{ deadlineMs: 600_000, afterCut: 'resume' },
    agent: { instructions: '', prompt: () => 'go', tools: ['*'], turnsMax: 50 },
  };
  const model = new ScriptedModel((request) => {
    const next = setup.calls[turnOf(request)];
    return next
      ? { calls: [{ name: next.tool.replace('.', '_'), args: next.args }] }
      : { calls: [{ name: 'run_finish', args: { status: 'succeeded', reason: 'all done' } }] };
  });
  const made = await started(
    app,
    { ...setup, tools: [...setup.tools, finish] },
    {
      blobs,
      models: modelsOf(model, blobs, setup.clock),
      harnesses: { pi: (one) => new PiHarness(one, { blobs }) },
    },
  );
  blobsOf.set(made.rig.disk, blobs);
  return made;
};

const remote: HarnessWay = async (setup) => {
  const { rig, runtimes, replay } = await remoteStarted(setup);
  agentOf(new RemotePeer(runtimes), async (run) => {
    for (const [index, { tool, args }] of setup.calls.entries()) {
      const { ok, error } = await run.call(`c${index}`, tool, args);
      const { code } = (error ?? {}) as { code?: string };
      if (ok !== true && code !== 'run.interrupted') return run.finish(`refused: ${code}`, 'failed');
    }
    run.finish('all done');
  }).connect();
  return { rig, replay };
};

/** An agent of the Agent Client Protocol behind the bridge, which is a client of the remote contract. */
const acp =
  (loadSession: boolean): HarnessWay =>
  async (setup) => {
    const { rig, runtimes, replay } = await remoteStarted(setup);
    const agent = new MemoryAgent(rig.clock, {
      loadSession,
      script: async ({ text, tools: offered }) => {
        // After a cut the prompt lists what was called: the agent goes on behind it, as a model would.
        const done = text.split('\n').filter((line) => line.startsWith('- {"call"')).length;
        for (const { tool, args } of setup.calls.slice(done)) {
          const { ok, error } = await offered.call(tool.replace('.', '_'), args);
          const { code } = (error ?? {}) as { code?: string };
          if (ok !== true && code !== 'run.interrupted') {
            await offered.call('run_finish', { status: 'failed', reason: `refused: ${code}` });
            return undefined;
          }
        }
        return undefined;
      },
    });
    serveAcpAgent(new RemotePeer(runtimes), agent.parts()).connect();
    return { rig, replay };
  };

/** An agent of the Agent2Agent protocol behind its bridge. `keeps`: it has its tasks again after the cut. */
const a2a =
  (keeps: boolean): HarnessWay =>
  async (setup) => {
    const { rig, runtimes, replay } = await remoteStarted(setup);
    const made = () => a2aAgent(setup.calls);
    const agent = keeps ? (kept.get(rig.disk) ?? made()) : made();
    kept.set(rig.disk, agent);
    serveA2aAgent(new RemotePeer(runtimes), agent.parts(rig.clock)).connect();
    return { rig, replay };
  };
const kept = new WeakMap<object, MemoryA2aAgent>();

/** Makes these calls one after another, by the extension for tools; a new task goes on behind what is listed. */
function a2aAgent(calls: WaySetup['calls']): MemoryA2aAgent {
  const next = new Map<string, number>();
  return new MemoryA2aAgent(({ task, data }) => {
    const { robot_tools, tool_results } = data as {
      robot_tools?: { calls: unknown[] };
      tool_results?: { ok: boolean; error?: { code: string } }[];
    };
    const refused = tool_results?.find(({ ok, error }) => !ok && error?.code !== 'run.interrupted');
    if (refused) return { end: 'failed', text: `refused: ${refused.error?.code}` };
    const index = next.get(task) ?? robot_tools?.calls.length ?? 0;
    next.set(task, index + 1);
    const call = calls[index];
    if (!call) return { end: 'completed', text: 'all done' };
    return { calls: [{ id: `c${index}`, name: call.tool, args: call.args }] };
  });
}

harnessConformance('flow', flow);
harnessConformance('flow.yaml', steps);
harnessConformance('behavior tree', tree);
harnessConformance('pi', pi);
harnessConformance('remote', remote);
harnessConformance('acp', acp(false));
harnessConformance('acp, with sessions that can be loaded', acp(true));
harnessConformance('a2a', a2a(false));
harnessConformance('a2a, with tasks that outlive the bridge', a2a(true));
