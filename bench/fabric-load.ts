import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../adapters/zenoh/native-key-space.ts';
import type { LedgerLine } from '../contract/index.ts';
import { PythonPeer, rosEnvironment } from '../test/peers/ros-peer.ts';
import { testDaemon } from '../test/support/daemon.ts';
import { freePort } from '../test/support/zenoh.ts';
import { LoadWatch } from './support/load-watch.ts';

/**
 * The whole way of the data under load: publications of rclpy over Fast DDS, the ROS host, the bus, a route, Zenoh
 * over TCP, and a reader in this process that counts every sample. Two loads, one after the other:
 *
 * - `robot`: 1 kHz JointState, 4 × 30 Hz 640×480 rgb8, 10 Hz 1 MB PointCloud2, 40 Hz LaserScan (122 MB/s)
 * - `cloud`: 30 Hz PointCloud2 of 5 MB (150 MB/s) beside 1 kHz JointState
 *
 * Usage: node bench/fabric-load.ts [--minutes 10] [--load robot|cloud|both] [--scale 1] [--json]
 * `--scale 0.25` sends a quarter of the rates, for machines that share their cores.
 */
const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    load: { type: 'string', default: 'both' },
    scale: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(flags.minutes) * 60;
const scale = Number(flags.scale);

type Topic = { topic: string; type: string; bytes: number; hz: number; depth: number };
const joints: Topic = {
  topic: '/joint_states',
  type: 'sensor_msgs/msg/JointState',
  bytes: 512,
  hz: 1_000,
  depth: 3_000,
};
const cloud = (bytes: number, hz: number): Topic => ({
  topic: '/points',
  type: 'sensor_msgs/msg/PointCloud2',
  bytes,
  hz,
  depth: 3 * hz,
});
const LOADS: Record<string, Topic[]> = {
  robot: [
    joints,
    { topic: '/scan', type: 'sensor_msgs/msg/LaserScan', bytes: 6_000, hz: 40, depth: 200 },
    ...['front', 'left', 'right', 'rear'].map((name) => ({
      topic: `/camera/${name}`,
      type: 'sensor_msgs/msg/Image',
      bytes: 921_664,
      hz: 30,
      depth: 90,
    })),
    cloud(1_000_000, 10),
  ],
  cloud: [joints, cloud(5_000_000, 30)],
};

const results = [];
for (const name of flags.load === 'both' ? Object.keys(LOADS) : [flags.load!]) {
  const topics = LOADS[name]!.map((topic) => ({ ...topic, hz: topic.hz * scale }));
  const result = await run(name, topics);
  results.push(result);
  if (!flags.json) print(result);
}
if (flags.json) process.stdout.write(`${JSON.stringify({ bench: 'fabric-load', results })}\n`);

async function run(name: string, topics: Topic[]) {
  const env = rosEnvironment();
  Object.assign(process.env, env);
  const folder = mkdtempSync(join(tmpdir(), 'fabric-load-'));
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const config = join(folder, 'robot.toml');
  writeFileSync(config, toml(topics));
  const clock = new SystemClock();
  const daemon = await testDaemon(join(folder, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'router',
    AURAISON_ZENOH_LISTEN: endpoint,
    AURAISON_RECORDER_ENABLED: 'false',
  });
  const reader = await NativeKeySpace.open(
    // Over TCP, as to another host: shared memory would flatter.
    { mode: 'client', connect: [endpoint], config: { 'transport/shared_memory/enabled': false } },
    { clock },
  );
  const seen = new Map<string, number>();
  const subscription = await reader.subscribe(
    'load/**',
    (values) => {
      for (const { key } of values) seen.set(key, (seen.get(key) ?? 0) + 1);
    },
    { depth: 20_000 },
  );
  const routes = () => daemon.api.get<{ ledger: LedgerLine[]; routes: { state: string }[] }>('/v1/routes');
  const generators: PythonPeer[] = [];
  try {
    await until(async () => (await routes()).routes.every(({ state }) => state === 'up'), 60_000);
    for (const group of groups(topics)) {
      generators.push(new PythonPeer(env, 'ros_load.py', [JSON.stringify({ seconds, topics: group })]));
    }
    const lines = <T>(fits: (line: T) => boolean, ms: number) =>
      Promise.all(generators.map((generator) => generator.line(fits, ms)));
    await lines((line: { ready?: boolean }) => line.ready === true, 90_000);
    const cell = await daemon.pidOf('execution');
    const watch = new LoadWatch(clock, cell);
    const idle = process.cpuUsage();
    for (const { child } of generators) child.stdin!.write('go\n');
    watch.start();
    const told = merged(await lines((line: Told) => 'sent' in line, seconds * 2_000 + 60_000));
    const load = watch.stop();
    const own = process.cpuUsage(idle);
    const total = Object.values(told.sent).reduce((sum, count) => sum + count, 0);
    await until(() => [...seen.values()].reduce((sum, count) => sum + count, 0) >= total, 15_000).catch(
      () => {},
    );
    await pause(1_500);
    const { ledger } = await routes();
    const { qos_events: qosEvents } = await daemon.api.get<{ qos_events: QosEvents }>('/v1/ros/graph');
    const rows = topics.map(({ topic, bytes, hz }) => {
      const line = ledger.find((one) => one.topic === topic && one.hop === 'route:load');
      const lost = Object.values(line?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
      return {
        topic,
        bytes,
        hz,
        sent: told.sent[topic] ?? 0,
        received: line?.received ?? 0,
        forwarded: line?.forwarded ?? 0,
        dropped: line?.dropped ?? {},
        seen: seen.get(`load${topic}`) ?? 0,
        balanced: line !== undefined && line.received === (line.forwarded ?? 0) + lost,
      };
    });
    return {
      load: name,
      seconds: told.seconds,
      cores: cpus().length,
      rows,
      ...load,
      reader_dropped: subscription.dropped(),
      /** What Fast DDS says that it lost; other `middleware` losses are of our own way out of the ROS host. */
      lost_by_dds: qosEvents
        .filter(({ kind }) => kind.includes('lost'))
        .reduce((sum, { count }) => sum + count, 0),
      generator_cpu: told.cpu_s / told.seconds,
      generator_late_ms: told.late_ms,
      reader_cpu: (own.user + own.system) / 1e6 / told.seconds,
    };
  } finally {
    await Promise.all(generators.map((generator) => generator.close()));
    await reader.close();
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

type QosEvents = readonly { readonly topic: string; readonly kind: string; readonly count: number }[];
type Told = { sent: Record<string, number>; seconds: number; cpu_s: number; late_ms: number };

/** A process for what is small and one for what is large: writing 5 MB must not delay a topic of 1 kHz. */
function groups(topics: readonly Topic[]): Topic[][] {
  const isLarge = ({ bytes }: Topic) => bytes > 64 * 1024;
  return [topics.filter((topic) => !isLarge(topic)), topics.filter(isLarge)];
}

function merged(told: readonly Told[]): Told {
  return {
    sent: Object.assign({}, ...told.map(({ sent }) => sent)),
    seconds: Math.max(...told.map(({ seconds }) => seconds)),
    cpu_s: told.reduce((sum, { cpu_s }) => sum + cpu_s, 0),
    late_ms: Math.max(...told.map(({ late_ms }) => late_ms)),
  };
}

function toml(topics: readonly Topic[]): string {
  const heard = topics.map(({ topic, type }) => `[[ros.topics]]\ntopic = "${topic}"\ntype = "${type}"\n`);
  return `${heard.join('\n')}\n[[routes]]\nname = "load"\nfrom = "ros:/**"\nto = "zenoh:load/{topic}"\ndepth = 2000\n`;
}

function print(result: Awaited<ReturnType<typeof run>>): void {
  const { rows, load } = result;
  const mb = rows.reduce((sum, { bytes, sent }) => sum + bytes * sent, 0) / 1e6 / result.seconds;
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(
    `\n${load}: ${result.seconds.toFixed(0)} s, ${mb.toFixed(0)} MB/s, ${result.cores} cores, load average ${loadAverage()}`,
  );
  say('topic                 Hz       bytes      sent  received forwarded      seen  dropped');
  for (const row of rows) {
    const numbers = [row.hz.toFixed(0), row.bytes, row.sent, row.received, row.forwarded, row.seen];
    const widths = [6, 11, 9, 9, 9, 9];
    say(
      `${row.topic.padEnd(18)}${numbers.map((n, i) => String(n).padStart(widths[i]!)).join(' ')}  ${JSON.stringify(row.dropped)}${row.balanced ? '' : '  NOT BALANCED'}`,
    );
  }
  say(
    `execution cell ${percent(result.cell_cpu)} of a core, its ROS host ${percent(result.host_cpu)}; generator ${percent(result.generator_cpu)} (at most ${result.generator_late_ms.toFixed(0)} ms late), reader ${percent(result.reader_cpu)}`,
  );
  say(
    `memory of the cell ${result.rss_mb_first.toFixed(0)} -> ${result.rss_mb_last.toFixed(0)} MB, slope ${result.rss_mb_per_minute.toFixed(1)} MB/min after the first fifth`,
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function loadAverage(): string {
  return readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(look: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await pause(100)) {
    if (await look()) return;
  }
  throw new Error('not in time');
}
