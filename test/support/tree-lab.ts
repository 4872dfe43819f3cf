import { Type } from 'typebox';
import { type Application, pause, type Tool } from '../../contract/index.ts';
import { motionTools } from '../../daemon/runtime/tools/motion-tools.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { tool } from './agent-apps.ts';
import { packageApp, packageFaults } from './package-app.ts';
import { PERSON, type RigOptions, RuntimeRig } from './runtime-rig.ts';

const MANIFEST = `name = "lab"
version = "1.0.0"
description = "A tree"
harness = "flow"
tools = ["lab.*", "robot.*"]
[[intents]]
type = "lab/go"
description = "Go"
[intents.params.properties.n]
type = "integer"
default = 2
[intents.params.properties.goal]
type = "object"
[intents.params.properties.goal.properties.x]
type = "number"
[intents.params.properties.goal.properties.y]
type = "number"
`;

/** A tree whose only tree has this content. */
export const treeOf = (body: string, more = ''): string =>
  `<root BTCPP_format="4" main_tree_to_execute="Main">\n<BehaviorTree ID="Main">\n${body}\n</BehaviorTree>\n${more}</root>\n`;

const filesOf = (xml: string) => ({ 'app.toml': MANIFEST, 'flow.xml': xml });
export const treeApp = (xml: string): Application => packageApp(filesOf(xml));
export const treeFaults = (xml: string): string => packageFaults(filesOf(xml));

type Answer = (n: number, signal: AbortSignal) => unknown;

/**
 * Tools of a laboratory: `lab.do` fails where its name has an `x`; `lab.flaky` succeeds from its nth call on; `lab.move`
 * takes two seconds; `lab.is` answers what `world` says.
 */
export function treeLab(world: Readonly<Record<string, unknown>> = {}) {
  const done: string[] = [];
  const counts = new Map<string, number>();
  const input = Type.Object({ it: Type.String() }, { additionalProperties: false });
  const act = tool('lab.do', { input, effect: 'write', replay: 'safe' }, async ({ it: name }) => {
    done.push(String(name));
    return { result: { status: String(name).includes('x') ? 'failed' : 'succeeded' } };
  });
  const flaky = tool(
    'lab.flaky',
    {
      input: Type.Object({ on: Type.Integer() }, { additionalProperties: false }),
      effect: 'write',
      replay: 'safe',
    },
    async ({ on }) => {
      const n = (counts.get('flaky') ?? 0) + 1;
      counts.set('flaky', n);
      done.push(`flaky ${n}`);
      if (n < (on as number)) throw new Error(`not the ${n}. time`);
      return { result: { n } };
    },
  );
  const move = tool('lab.move', { input, effect: 'actuate' }, async ({ it: name }, { clock, signal }) => {
    done.push(`${name} starts`);
    await pause(clock, 2_000, signal);
    done.push(`${name} ${signal.aborted ? 'is stopped' : 'ends'}`);
    return { result: { outcome: signal.aborted ? 'stopped' : 'reached' } };
  });
  const is = tool('lab.is', { input, effect: 'read', replay: 'safe' }, async ({ it: name }, { signal }) => {
    const n = (counts.get(String(name)) ?? 0) + 1;
    counts.set(String(name), n);
    const value = world[String(name)];
    const now = typeof value === 'function' ? (value as Answer)(n, signal) : value;
    return { result: { status: (await now) ? 'succeeded' : 'failed', n } };
  });
  const place = Type.Object({ x: Type.Number(), y: Type.Number() }, { additionalProperties: false });
  const drive = tool(
    'robot.navigate',
    { input: place, effect: 'actuate' },
    async ({ x }, { clock, signal }) => {
      done.push(`to ${x}`);
      await pause(clock, 2_000, signal);
      done.push(`${signal.aborted ? 'stopped on the way to' : 'at'} ${x}`);
      return { result: { outcome: signal.aborted ? 'stopped' : 'reached' } };
    },
  );
  return { tools: [act, flaky, move, is] as readonly Tool[], drive, done, counts };
}

/** Runs a tree to its end. */
export async function treeRun(
  xml: string,
  world: Readonly<Record<string, unknown>> = {},
  params: Readonly<Record<string, unknown>> = {},
  more: Partial<RigOptions> = {},
) {
  const lab = treeLab(world);
  const robot = new FakeRobot({ cells: 2 });
  const clock = new ManualClock();
  // With `slow` a drive takes two seconds of the clock; the fake robot takes none.
  const motions = motionTools(robot, clock).filter(
    ({ spec }) => !world['slow'] || spec.name !== 'robot.navigate',
  );
  const tools = [...lab.tools, ...motions, ...(world['slow'] ? [lab.drive] : [])];
  const rig = new RuntimeRig({
    apps: [treeApp(xml)],
    robot,
    clock,
    ...more,
    options: { tools: () => tools },
  });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'lab/go', params }, PERSON);
  const isOver = () => rig.of('run.finished').some(({ run_id }) => run_id === run.run_id);
  await rig.until(() => isOver() && rig.cell.status().runs.length === 0, 'the end of the tree');
  const end = rig.of('run.finished').find(({ run_id }) => run_id === run.run_id)!.payload;
  return { ...lab, rig, robot, end };
}
