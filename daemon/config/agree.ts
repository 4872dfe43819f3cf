import type { ControllerRow } from './controllers.ts';
import type { Config } from './keys.ts';
import { isLoopbackHost } from './loopback.ts';
import { unknownSandboxes } from './sandboxes.ts';
import { listenAddress } from './serve.ts';

/** A key whose value is right alone and wrong beside another. */
export type Disagreement = {
  readonly path: readonly [string, string];
  readonly value: unknown;
  readonly expected: string;
};

/** What single keys cannot know of each other. */
export function disagreements(
  config: Config & {
    readonly models?: readonly { readonly name: string }[];
    readonly controllers?: readonly ControllerRow[];
    readonly sandboxes?: readonly { readonly name: string }[];
  },
): Disagreement[] {
  const { robot, arm, zenoh, serve, engine, models, controllers = [], gate } = config;
  const found: Disagreement[] = [...unknownSandboxes(config, config.sandboxes ?? [])];
  const overRos = robot.source === 'ros' || robot.source === 'ros_zenoh';
  if (robot.source === 'ros_zenoh' && !zenoh.enabled) {
    const expected = '"ros_zenoh" only beside zenoh.enabled = true: the robot is reached over Zenoh';
    found.push({ path: ['robot', 'source'], value: robot.source, expected });
  }
  // Multicast discovery is off: without an endpoint no peer is ever found.
  if (robot.source === 'ros_zenoh' && zenoh.driver !== 'remote' && isAlone(zenoh)) {
    const expected =
      'an endpoint of the router of the robot there or in zenoh.listen, for example ["tcp/192.168.1.7:7447"], or zenoh.driver = "remote"';
    found.push({ path: ['zenoh', 'connect'], value: zenoh.connect, expected });
  }
  if (zenoh.enabled && zenoh.bulk_connection && zenoh.connect.length === 0) {
    const expected = 'false where zenoh.connect is empty: a second connection needs somebody to connect to';
    found.push({ path: ['zenoh', 'bulk_connection'], value: true, expected });
  }
  if (robot.navigator === 'nav2' && !overRos) {
    const expected = 'robot.source = "ros" beside it: Nav2 is reached over ROS 2';
    found.push({ path: ['robot', 'navigator'], value: robot.navigator, expected });
  }
  if (arm.enabled && !overRos) {
    const expected = 'robot.source = "ros" beside it: the arm is reached over ROS 2';
    found.push({ path: ['arm', 'enabled'], value: arm.enabled, expected });
  }
  if (arm.enabled && arm.joints.length === 0) {
    const expected = 'the names of the joints of the controller, for example ["joint1", "joint2"]';
    found.push({ path: ['arm', 'joints'], value: arm.joints, expected });
  }
  // Speeds are followed by zeros, and joints that take positions would go to zero.
  for (const { name, output, kind } of controllers) {
    const other = controllers.find((row) => row.output === output && row.kind !== 'velocities');
    if (kind !== 'velocities' || !(other || output === gate.commands)) continue;
    const who = other ? `controller ${other.name} sends ${other.kind}` : 'gate.commands sends positions';
    const expected = `a topic of its own for the velocities of ${name}: ${who} there, and zeros would be a place to go to`;
    found.push({ path: ['controllers', 'output'], value: output, expected });
  }
  for (const key of ['lerobot_listen', 'openpi_listen', 'groot_listen'] as const) {
    const address = serve[key];
    if (address === '' || serve.token_file !== '' || isLoopbackHost(listenAddress(address).host)) continue;
    if (key === 'lerobot_listen' && serve.lerobot_trusted.length > 0) continue;
    const expected = 'a loopback address, or serve.token_file beside it: others could ask for motions';
    found.push({ path: ['serve', key], value: address, expected });
  }
  if (engine.model_name !== '' && !models?.some(({ name }) => name === engine.model_name)) {
    const expected = 'the name of one of [[models]]: the one whose server this daemon runs';
    found.push({ path: ['engine', 'model_name'], value: engine.model_name, expected });
  }
  if (engine.model_name !== '' && (engine.command[0] ?? '') === '') {
    const expected =
      'a program and its arguments, for example ["vllm", "serve", "{model}", "--port", "{port}"]';
    found.push({ path: ['engine', 'command'], value: engine.command, expected });
  }
  return [...found, ...lakeFaults(config.lake)];
}

function isAlone({ connect, listen }: Config['zenoh']): boolean {
  return connect.length === 0 && listen.length === 0;
}

/** A lakehouse on servers needs both of them, and what opens them. */
function lakeFaults(lake: Config['lake']): Disagreement[] {
  const { catalog, storage, engine } = lake;
  if (catalog === '' && storage === '') return [];
  const missing = (['catalog', 'storage'] as const).find((key) => lake[key] === '');
  if (missing !== undefined) {
    const other = missing === 'catalog' ? 'lake.storage' : 'lake.catalog';
    const example = missing === 'catalog' ? 'postgres://lake@db.example/fleet' : 's3://robots/robot7';
    return [
      { path: ['lake', missing], value: '', expected: `"${example}" beside ${other}: both or neither` },
    ];
  }
  if (engine === 'duckdb') {
    const expected = '"auto" beside lake.catalog: a lakehouse on servers is a DuckLake';
    return [{ path: ['lake', 'engine'], value: engine, expected }];
  }
  return (['catalog_password_file', 'storage_key_file', 'storage_secret_file'] as const)
    .filter((key) => lake[key] === '')
    .map((key) => ({
      path: ['lake', key],
      value: '',
      expected: 'a path of a file of mode 0600, or credential:NAME, beside lake.catalog',
    }));
}
