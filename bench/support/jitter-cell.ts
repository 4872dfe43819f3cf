import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sharedMonotonic } from '../../adapters/clock/shared-monotonic.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { MotionResult, Sample } from '../../contract/index.ts';
import { spawnControllers } from '../../daemon/compose/controllers.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { ControllersDesk } from '../../daemon/execution/controllers/controllers-desk.ts';
import { Recorder } from '../../daemon/execution/recorder/index.ts';
import { type JointGateSpec, SafetyWord } from '../../daemon/execution/safety/index.ts';
import { encodeJointState } from '../../formats/cdr/index.ts';
import { controllerSpec, inputSpec } from '../../test/fakes/controller-spec.ts';
import { FakePolicyDesk } from '../../test/fakes/fake-policy-desk.ts';

/**
 * The part of the execution cell that is measured, as a process of its own: bus, recorder (900 KB messages at the
 * given rate onto the disk), joint states at 100 Hz, and one controller of seven joints behind the real gate, asking a
 * policy that answers after 30 ms. Reports to its parent the thread, and each step: when it was due, how late it was,
 * how late without what it waited for a processor, and when its command was handed on; milliseconds.
 */
const [dataDir = '', hz = '100', megabytes = '30'] = process.argv.slice(2);
const NAMES = ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6', 'gripper'];
const IMAGE_BYTES = 900_000;

const clock = new SystemClock();
const nowMs = sharedMonotonic();
const ledger = new Ledger();
const bus = new SampleBus({ clock, ledger });
const recorder = new Recorder({
  ...{ clock, dataDir, bag: 'bench', ledger, segmentBytesMax: 128 * 2 ** 20, segmentMs: 3_600_000 },
  ...{ syncMs: 200, freeSpaceFloorBytes: 0 },
  emit: async () => {},
  report: () => {},
});
await recorder.start();
bus.tap('recorder', (sample) => recorder.offer(sample));

const limits = (name: string) => ({
  ...{ name, lower: -3, upper: 3, velocity: 2, acceleration: 20, jerk: 400, effort: Infinity },
});
const gate: JointGateSpec = {
  joints: NAMES.map(limits),
  ...{ frame: 'base_link', mode: 'clamp', rateMax: 1_000, gapSeconds: 1 },
};
const policies = new FakePolicyDesk(clock);
policies.delayMs = 30;
policies.description = { ...policies.description, inputs: { 'observation.state': [1, 7] }, output: [50, 7] };
policies.make = (_, i) => 0.5 * Math.sin(i / 10);
const word = new SafetyWord();
word.grant(1, 3_600_000);

type Told = { dueMs: number; lateMs: number; netMs: number; sentMs: number };
let steps: Told[] = [];
let open: Told | undefined;
const desk = new ControllersDesk({
  ...{ clock, nowMs, policies },
  specs: [
    controllerSpec({
      rateHz: Number(hz),
      output: { topic: '/commands', kind: 'positions', stamped: false, names: NAMES },
      inputs: [inputSpec({ joints: NAMES, ageMaxMs: 1_000 })],
      stateAgeMaxMs: 1_000,
      aggregation: 'weighted_average',
    }),
  ],
  decode: () => Promise.reject(new Error('no images here')),
  spawn: (data) => spawnControllers(data, [{ kind: 'joints', spec: gate }], word),
  schedule: async (tid) => {
    process.send!({ tid });
    return 'unknown';
  },
  advertise: async () => {},
  send: () => {
    if (open) open.sentMs = nowMs();
    return true;
  },
  publish: (sample) => bus.publish(sample),
  note: () => {},
  report: () => {},
  newId: () => 'bench',
  actuation: {
    move: (_id, _from, start): Promise<MotionResult> => start(new AbortController().signal, 1),
  },
  onStep: ({ timeMs, lateMs, lateNetMs }) => {
    open = { dueMs: timeMs - lateMs, lateMs, netMs: lateNetMs, sentMs: Number.NaN };
    steps.push(open);
  },
});
desk.start();
bus.tap('controllers', (sample) => desk.observe(sample));

const pixels = new Uint8Array(IMAGE_BYTES);
clock.every((IMAGE_BYTES / (Number(megabytes) * 1e6)) * 1_000, () => {
  const now = clock.now();
  bus.publish(sampleOf('/camera/front/image_raw', 'sensor_msgs/msg/Image', now, pixels));
});
const position = new Float64Array(NAMES.length);
const none = new Float64Array(0);
clock.every(10, () => {
  const stamp = clock.now();
  const header = { stamp, frame_id: '' };
  const bytes = encodeJointState({ header, name: NAMES, position, velocity: none, effort: none });
  bus.publish(sampleOf('/joint_states', 'sensor_msgs/msg/JointState', stamp, bytes));
});
// What is on the disk is not what is measured: only the newest segments stay.
clock.every(2_000, () => {
  const folder = join(dataDir, 'bags', 'bench');
  const old = readdirSync(folder)
    .filter((name) => name.endsWith('.mcap'))
    .sort()
    .slice(0, -2);
  for (const name of old) rmSync(join(folder, name), { force: true });
});
clock.every(500, () => {
  process.send!({ steps, written: ledger.totals().written });
  steps = [];
});
clock.after(500, () => void desk.begin({ controller: 'arm' }, 'execution'));
process.on('disconnect', () => process.exit(0));

function sampleOf(topic: string, type: string, stamp: bigint, bytes: Uint8Array): Sample {
  return { topic, type, stamp, received: stamp, bytes };
}
