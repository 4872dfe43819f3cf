import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { PythonPeer, rosEnvironment } from '../test/peers/ros-peer.ts';
import { freePort, zenohPeers } from '../test/support/zenoh.ts';
import { type DaemonUnderTest, startDaemon } from './support/daemon-under-test.ts';
import { StopButton } from './support/stop-button.ts';

/**
 * From pressing to the moment at which the gate is closed, by each way of the emergency stop: the API, the console's
 * request, the file, the command line, a put over Zenoh, a topic of ROS 2. Beside them a bare Node process: what the
 * command line would wait for, if it waited for Node. Zenoh and ROS are real peers in processes of their own
 * (eclipse-zenoh and rclpy for Python, of test/peers); `--only api,file` leaves ways out, and what is not installed is
 * installed. Ends with 1 where a way is later than its target (p50). See README.md.
 *
 * Usage: node bench/stops.ts [--repeat 20] [--only WAY,WAY] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    repeat: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const repeat = Number(flags.repeat);
const TARGET_MS = 300;
const CLI_TARGET_MS = 500;
const GIVE_UP_MS = 10_000;
/** A start on a loaded host, with nothing compiled. */
const START_MS = 240_000;
const AURAISON = join(import.meta.dirname, '..', 'bin', 'auraison');
const folder = mkdtempSync(join(tmpdir(), 'auraison-stops-'));
const cacheDir = join(folder, 'cache');
const run = promisify(execFile);

type EStop = { readonly engaged: boolean; readonly since_ns: string };

/** The clock with which the daemon stamps the stop. */
const wallMs = () => performance.timeOrigin + performance.now();

class Robot {
  readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  async ask<T>(method: string, path: string, headers: Record<string, string> = {}): Promise<T> {
    const { url } = JSON.parse(readFileSync(join(this.dataDir, 'run', 'api.json'), 'utf8')) as {
      url: string;
    };
    const token = readFileSync(join(this.dataDir, 'token'), 'utf8').trim();
    const init = { method, headers: { authorization: `Bearer ${token}`, ...headers } };
    const response = await fetch(new URL(path, url), { ...init, signal: AbortSignal.timeout(GIVE_UP_MS) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** When the gate was closed, by the daemon's own record. */
  async engagedMs(): Promise<number> {
    const giveUp = performance.now() + GIVE_UP_MS;
    for (;;) {
      const { engaged, since_ns } = await this.ask<EStop>('GET', '/v1/estop');
      if (engaged) return Number(BigInt(since_ns) / 1_000n) / 1_000;
      if (performance.now() > giveUp) throw new Error('the emergency stop was not engaged');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Milliseconds from `press` to the closed gate; it is released afterwards. Who presses elsewhere says when. */
async function stop(
  robot: Robot,
  press: () => Promise<unknown> | unknown,
  after: () => void = () => {},
): Promise<number> {
  const beganMs = wallMs();
  const pressed = await press();
  const pressedMs = typeof pressed === 'number' ? pressed : beganMs;
  // Stamps have a resolution of about a millisecond.
  const ms = Math.max(0, (await robot.engagedMs()) - pressedMs);
  after();
  // A cause that was said within the last moment still counts.
  for (let i = 0; ; i++) {
    try {
      await robot.ask('POST', '/v1/estop/release');
      return ms;
    } catch (error) {
      if (i >= 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function bareMs(): Promise<number> {
  const began = performance.now();
  await run(process.execPath, ['-e', '0']);
  return performance.now() - began;
}

function figures(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p90: at(0.9), most: sorted.at(-1)! };
}

type Way = () => Promise<number>;
const closing: (() => Promise<void> | void)[] = [];
const chosen = flags.only === '' ? undefined : new Set(flags.only.split(','));
const wanted = (...ways: readonly string[]) => ways.some((way) => chosen?.has(way) ?? true);

/** A daemon with the simulated robot, stopped by all but ROS. */
async function simWays(): Promise<Record<string, Way>> {
  const dataDir = mkdtempSync(join(folder, 'data-'));
  const endpoint = wanted('zenoh') ? `tcp/127.0.0.1:${await freePort()}` : undefined;
  const env = {
    AURAISON_DAEMON_NAME: 'robot7',
    ...(endpoint === undefined
      ? {}
      : { AURAISON_ZENOH_ENABLED: 'true', AURAISON_ZENOH_MODE: 'router', AURAISON_ZENOH_LISTEN: endpoint }),
  };
  await started(dataDir, env);
  const robot = new Robot(dataDir);
  const file = join(dataDir, 'estop');
  // The command line leaves it too where the API is late.
  const takeFile = () => rmSync(file, { force: true });
  const cliEnv = { ...process.env, NODE_COMPILE_CACHE: cacheDir };
  const ways: Record<string, Way> = {
    api: () => stop(robot, () => robot.ask('POST', '/v1/estop')),
    console: () => stop(robot, () => robot.ask('POST', '/v1/estop', { 'x-auraison-origin': 'console' })),
    file: () =>
      stop(
        robot,
        () => writeFileSync(file, 'bench\n'),
        () => rmSync(file),
      ),
    'command line': () =>
      stop(robot, () => run(AURAISON, ['estop', '--data-dir', dataDir], { env: cliEnv }), takeFile),
  };
  if (endpoint === undefined) return ways;
  const button = new StopButton(zenohPeers().python, ['zenoh', endpoint, 'robot7/estop']);
  closing.push(() => button.end());
  await button.ready();
  return { ...ways, zenoh: () => stop(robot, () => button.press()) };
}

/** A daemon with a robot over ROS 2, and a button that is a node of its own. */
async function rosWays(): Promise<Record<string, Way>> {
  const env = rosEnvironment();
  const dataDir = mkdtempSync(join(folder, 'data-ros-'));
  const base = new PythonPeer(env, 'ros_robot.py', []);
  closing.push(() => base.close());
  await base.line<{ ready?: boolean }>((line) => line.ready === true, START_MS);
  await started(dataDir, { ...env, AURAISON_ROBOT_SOURCE: 'ros' });
  const robot = new Robot(dataDir);
  const button = new StopButton(env['PYTHON']!, ['ros', '/emergency_stop'], env);
  closing.push(() => button.end());
  await button.ready();
  return { ros: () => stop(robot, () => button.press()) };
}

async function started(dataDir: string, env: Readonly<Record<string, string>>): Promise<DaemonUnderTest> {
  const daemon = await startDaemon(dataDir, cacheDir, START_MS, env);
  closing.push(() => daemon.stop());
  return daemon;
}

try {
  const times = new Map<string, number[]>();
  const bare: number[] = [];
  /** One daemon after the other: two would take the processors from each other. */
  const measure = async (make: () => Promise<Record<string, Way>>) => {
    try {
      const ways = Object.entries(await make()).filter(([name]) => wanted(name));
      for (const [name] of ways) times.set(name, []);
      // Once without being counted: compiled code, connections.
      for (const [, way] of ways) await way();
      for (let i = 0; i < repeat; i++) {
        bare.push(await bareMs());
        for (const [name, way] of ways) times.get(name)!.push(await way());
      }
    } finally {
      for (const close of closing.splice(0).reverse()) await close();
    }
  };
  if (wanted('api', 'console', 'file', 'command line', 'zenoh')) await measure(simWays);
  if (wanted('ros')) await measure(rosWays);
  const targetOf = (way: string) => (way === 'command line' ? CLI_TARGET_MS : TARGET_MS);
  const floor = figures(bare);
  const result = {
    repeat,
    load_average: loadavg()[0],
    bare_node_ms: floor,
    ways: [...times].map(([way, ms]) => ({ way, target_ms: targetOf(way), ...figures(ms) })),
    command_line_times_bare: times.has('command line')
      ? figures(times.get('command line')!).p50 / floor.p50
      : undefined,
  };
  if (!flags.json) {
    const ms = (value: number) => `${value.toFixed(1).padStart(7)} ms`;
    const lines = [
      `From pressing to the closed gate, ${repeat} times by turns, load average ${result.load_average!.toFixed(1)}`,
      '',
      '  way                 p50         p90        most     target (p50)',
      ...result.ways.map(
        ({ way, p50, p90, most, target_ms }) =>
          `  ${way.padEnd(14)}${ms(p50)}  ${ms(p90)}  ${ms(most)}     < ${target_ms} ms: ${p50 < target_ms ? 'kept' : 'MISSED'}`,
      ),
      `  bare node     ${ms(floor.p50)}  ${ms(floor.p90)}  ${ms(floor.most)}     the command line is ${result.command_line_times_bare?.toFixed(2) ?? 'n/a '}×`,
      '',
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = result.ways.every(({ p50, target_ms }) => p50 < target_ms) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
