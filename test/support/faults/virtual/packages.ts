import type { Application } from '../../../../contract/index.ts';
import { packageApp } from '../../package-app.ts';

/** What the packages of these trials ask the robot for. No person of a trial turns to the right, or moves that joint. */
export type Wants = {
  readonly tool: string;
  /** `to`: where to; see `places`. */
  args(to: unknown): Readonly<Record<string, unknown>>;
  /** One after the other: a motion to where it is moves nothing. */
  readonly places: readonly [number, number];
  readonly second: Readonly<Record<string, unknown>>;
  /** A node of a behavior tree. */
  readonly node: string;
  readonly nodePlaces: readonly [number, number];
};

export const WANTS: Readonly<Record<'base' | 'arm', Wants>> = {
  base: {
    ...{ tool: 'robot.maneuver', args: (to) => ({ kind: 'spin', angle_rad: to }), places: [-6, -6] },
    second: { kind: 'drive', distance_m: 0.3 },
    ...{ node: '<robot.maneuver kind="spin" angle_rad="{to}"/>', nodePlaces: [-6, -6] },
  },
  arm: {
    ...{ tool: 'arm.move', args: (to) => ({ joints: { joint_1: to }, duration_s: 4 }), places: [0.9, -0.9] },
    second: { joints: { joint_2: 0.3 }, duration_s: 4 },
    ...{ node: '<arm.move joints="{joints}" duration_s="4"/>', nodePlaces: [0.9, -0.9] },
  },
};

const manifest = (name: string, harness: string, to: number) => `name = "${name}"
version = "1.0.0"
description = "Moves the robot"
harness = "${harness}"
tools = ["robot.*", "arm.*"]
deadline = "5 min"
[[intents]]
type = "${name}/go"
description = "Move"
[intents.params.properties.to]
type = "number"
default = ${to}
`;
const step = (id: string, tool: string, args: object) =>
  `  - id: ${id}\n    tool: ${tool}\n    args: ${JSON.stringify(args)}\n`;
const indented = (text: string, by: string) => text.replace(/^(?=.)/gm, by);

/** Each way by which a package moves a robot. Runs of `far` are executed by a foreign runtime. */
function made(robot: 'base' | 'arm'): readonly Application[] {
  const { tool, args, second, node, places } = WANTS[robot];
  const head = (name: string, harness: string) => manifest(name, harness, places[0]);
  const done = '  - id: done\n    end: succeeded\n';
  const first = (id: string) => step(id, tool, args('{/params/to}'));
  const parts =
    `  - id: both\n    parallel:\n      left:\n${indented(first('left_one'), '      ')}` +
    `      right:\n        - id: rest\n          wait: 200 ms\n${indented(step('right_one', tool, second), '      ')}`;
  const joints =
    robot === 'arm'
      ? '[intents.params.properties.joints]\ntype = "object"\n[intents.params.properties.joints.properties.joint_1]\ntype = "number"\n'
      : '';
  return [
    packageApp({
      'app.toml': `${head('pushed', 'flow')}[[webhook]]
name = "go"
[[webhook.rule]]
when = [{ value = "/go", is = true }]
params = { to = "{/body/to}" }
[[schedule]]
name = "often"
cron = "*/2 * * * * *"
`,
      'flow.yaml': `steps:\n${first('move')}${done}`,
    }),
    packageApp({ 'app.toml': head('parts', 'flow'), 'flow.yaml': `steps:\n${parts}${done}` }),
    packageApp({
      'app.toml': `${head('tree', 'flow')}${joints}`,
      'flow.xml': `<root BTCPP_format="4"><BehaviorTree ID="Main"><Sequence>${node}</Sequence></BehaviorTree></root>\n`,
    }),
    packageApp({
      'app.toml': `${head('far', 'remote')}[remote]\nruntime = "far"\nagent = "far"\nwait = "60 s"\n`,
    }),
  ];
}

const known = new Map<string, readonly Application[]>();

/** The packages of a daemon with this robot; read once in a process. */
export function packagesOf(robot: 'base' | 'arm'): readonly Application[] {
  const apps = known.get(robot) ?? made(robot);
  known.set(robot, apps);
  return apps;
}
