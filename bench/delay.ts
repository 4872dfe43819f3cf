import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { sharedMonotonic } from '../adapters/clock/shared-monotonic.ts';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { askRealTime } from '../adapters/host-load/real-time.ts';
import { serveLeRobot } from '../adapters/lerobot/index.ts';
import { pause } from '../contract/deadline.ts';
import type { ActionChunk, MotionResult, Observation, Policy, PolicyDescription } from '../contract/index.ts';
import { spawnControllers } from '../daemon/compose/controllers.ts';
import { ControllersDesk } from '../daemon/execution/controllers/controllers-desk.ts';
import { type JointGateSpec, SafetyWord } from '../daemon/execution/safety/index.ts';
import { encodeJointState } from '../formats/cdr/index.ts';
import { controllerSpec, inputSpec } from '../test/fakes/controller-spec.ts';
import { lerobotHome, startRobotClient } from '../test/support/lerobot-peer.ts';
import { deskOf, serverOptions } from '../test/support/wire-desk.ts';

/**
 * A policy that takes its time: steps without an action and gaps between two commands, of this project and of
 * LeRobot's own client (stock, against the same policy over gRPC), all at the same time on the same machine. A gap is
 * more than one and a half periods between two commands. Steps before the first chunk do not count, nor does the
 * start of the other.
 *
 * Usage: node bench/delay.ts [--seconds 30] [--delay 300] [--hz 30] [--json]; LeRobot: test/peers/lerobot.sh
 */
const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    delay: { type: 'string', default: '300' },
    hz: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
  },
});
const JOINTS = 7;
const HORIZON = 50;
const NAMES = ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6', 'gripper'];
const hz = Number(flags.hz);
const delayMs = Number(flags.delay);
const periodMs = 1_000 / hz;
const clock = new SystemClock();
const nowMs = sharedMonotonic();

/** Fifty actions on a slow wave, after the given time. */
class Slow implements Policy {
  readonly #delayMs: number;
  readonly #pictures: boolean;

  constructor(delayMs: number, pictures: boolean) {
    this.#delayMs = delayMs;
    this.#pictures = pictures;
  }

  describe(): PolicyDescription {
    return {
      ...{ name: 'slow', hash: 'ab'.repeat(32), inputs: { 'observation.state': [JOINTS] } },
      ...(this.#pictures ? { images: { 'observation.images.front': [24, 32, 3] as const } } : {}),
      ...{ output: [HORIZON, JOINTS], stepMs: periodMs },
    };
  }

  async infer({ stamp }: Observation): Promise<ActionChunk> {
    if (this.#delayMs > 0) await pause(clock, this.#delayMs);
    const data = new Float32Array(HORIZON * JOINTS);
    for (let i = 0; i < HORIZON; i++) data.fill(0.2 * Math.sin(i / 20), i * JOINTS, (i + 1) * JOINTS);
    const { hash, output, stepMs } = this.describe();
    return { actions: { shape: output, data }, stepMs, stamp, policyHash: hash };
  }

  async close(): Promise<void> {}
}

type Seen = { commands: number[]; starved: number };
const cleanups: (() => Promise<unknown>)[] = [];

try {
  const stock = [await stockClient(0), await stockClient(delayMs)];
  const own = [await ours(0), await ours(delayMs)];
  await until(() => [...stock, ...own].every(({ commands }) => commands.length > 2 * hz), 240_000);
  for (const seen of [...stock, ...own]) Object.assign(seen, { commands: [], starved: 0 });
  await pause(clock, Number(flags.seconds) * 1_000);
  const result = {
    ...{ hz, delay_ms: delayMs, seconds: Number(flags.seconds), load_average: loadavg()[0] },
    stock: told(stock[0]!),
    stock_delayed: told(stock[1]!),
    ours: told(own[0]!),
    ours_delayed: told(own[1]!),
  };
  if (flags.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
} finally {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch(() => {});
}
process.exit(0);

function print(result: Record<string, unknown>): void {
  console.log(`${hz} Hz for ${flags.seconds} s, load ${Number(result['load_average']).toFixed(1)}`);
  const lines = { stock: 'stock RobotClient, no delay', stock_delayed: `stock RobotClient, ${delayMs} ms` };
  for (const [key, name] of Object.entries({
    ...lines,
    ours: 'this project, no delay',
    ours_delayed: `this project, ${delayMs} ms`,
  })) {
    const { commands, gaps, longest_ms, starved } = result[key] as ReturnType<typeof told>;
    const rest = key.startsWith('ours') ? `, starved steps ${starved}` : '';
    console.log(
      `  ${name.padEnd(30)} commands ${commands}, gaps ${gaps}, longest ${longest_ms.toFixed(0)} ms${rest}`,
    );
  }
}

function told({ commands, starved }: Seen) {
  const gaps = commands.slice(1).map((ms, i) => ms - commands[i]!);
  return {
    commands: commands.length,
    gaps: gaps.filter((ms) => ms > 1.5 * periodMs).length,
    longest_ms: Math.max(0, ...gaps),
    starved,
  };
}

/** LeRobot's RobotClient as it is, at a server of this project. */
async function stockClient(ms: number): Promise<Seen> {
  const seen: Seen = { commands: [], starved: 0 };
  const desk = await deskOf({ slow: () => new Slow(ms, true) });
  const server = await serveLeRobot(desk, serverOptions());
  const client = startRobotClient(lerobotHome(), [
    ...['--robot.type=puppet', `--server_address=127.0.0.1:${server.view().port}`, '--policy_type=act'],
    ...['--pretrained_name_or_path=slow', `--actions_per_chunk=${HORIZON}`, `--fps=${hz}`],
    ...['--chunk_size_threshold=0.5', '--aggregate_fn_name=weighted_average', '--task=bench'],
  ]);
  createInterface({ input: client.process.stdout! }).on('line', (line) => {
    if (line.includes('"acted"')) seen.commands.push(nowMs());
  });
  cleanups.push(
    () => desk.close(),
    () => server.close(),
    () => client.stop(),
  );
  return seen;
}

async function ours(ms: number): Promise<Seen> {
  const seen: Seen = { commands: [], starved: 0 };
  const policies = await deskOf({ slow: () => new Slow(ms, false) });
  const word = new SafetyWord();
  word.grant(1, 3_600_000);
  const limits = (name: string) => ({
    ...{ name, lower: -3, upper: 3, velocity: 2, acceleration: 20, jerk: 400, effort: Infinity },
  });
  const gate: JointGateSpec = {
    joints: NAMES.map(limits),
    ...{ frame: 'base_link', mode: 'clamp', rateMax: 1_000, gapSeconds: 1 },
  };
  const desk = new ControllersDesk({
    ...{ clock, nowMs, policies },
    specs: [
      controllerSpec({
        ...{
          rateHz: hz,
          policy: 'slow',
          aggregation: 'weighted_average',
          blend: true,
          inferTimeoutMs: 5_000,
        },
        output: { topic: '/commands', kind: 'positions', stamped: false, names: NAMES },
        inputs: [inputSpec({ joints: NAMES, ageMaxMs: 2_000 })],
        stateAgeMaxMs: 2_000,
      }),
    ],
    decode: () => Promise.reject(new Error('no images here')),
    spawn: (data) => spawnControllers(data, [{ kind: 'joints', spec: gate }], word),
    schedule: (tid) => askRealTime(tid, 10),
    advertise: async () => {},
    send: () => seen.commands.push(nowMs()) > 0,
    publish: () => {},
    note: () => {},
    report: () => {},
    newId: () => 'bench',
    actuation: { move: (_id, _from, start): Promise<MotionResult> => start(new AbortController().signal, 1) },
    onStep: ({ verdict }) => {
      if (verdict === 3) seen.starved++;
    },
  });
  desk.start();
  const look = clock.every(10, () => {
    const stamp = clock.now();
    const none = new Float64Array(0);
    const state = { header: { stamp, frame_id: '' }, name: NAMES, velocity: none, effort: none };
    const bytes = encodeJointState({ ...state, position: new Float64Array(JOINTS) });
    desk.observe({
      topic: '/joint_states',
      type: 'sensor_msgs/msg/JointState',
      stamp,
      received: stamp,
      bytes,
    });
  });
  cleanups.push(
    () => policies.close(),
    () => desk.close(),
    async () => look.cancel(),
  );
  await pause(clock, 100);
  await desk.begin({ controller: 'arm' }, 'execution');
  return seen;
}

async function until(what: () => boolean, ms: number): Promise<void> {
  const end = nowMs() + ms;
  while (!what() && nowMs() < end) await pause(clock, 100);
  if (!what()) throw new Error('a part of the bench did not start');
}
