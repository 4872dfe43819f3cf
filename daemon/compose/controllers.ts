import { randomBytes } from 'node:crypto';
import { MessageChannel, Worker } from 'node:worker_threads';
import { sharedMonotonic } from '../../adapters/clock/shared-monotonic.ts';
import { askRealTime } from '../../adapters/host-load/real-time.ts';
import { PictureProcess } from '../../adapters/images/picture-process.ts';
import {
  type CellContext,
  EdgeError,
  IdSource,
  type Sample,
  SMALL_THREAD,
  type TopicSpec,
  toMs,
} from '../../contract/core.ts';
import type { ControllerRow } from '../config/controllers.ts';
import type { Config } from '../config.ts';
import type { Actuation, Mover } from '../execution/actuation.ts';
import type { SampleBus, SampleOrigin } from '../execution/bus/index.ts';
import { DRIVE_LIMITS } from '../execution/control/drive-limits.ts';
import { commandTopic } from '../execution/controllers/action-sample.ts';
import { serveControllers } from '../execution/controllers/controller-requests.ts';
import type { ControllerSpec } from '../execution/controllers/controller-spec.ts';
import { ControllersDesk, type ControllersHandle } from '../execution/controllers/controllers-desk.ts';
import type { ThreadData } from '../execution/controllers/messages.ts';
import { controllersHandle } from '../execution/controllers/thread-handle.ts';
import type { DoorPath } from '../execution/door/index.ts';
import type { JointGateSpec, SafetyWord } from '../execution/safety/index.ts';
import type { Settings } from '../settings.ts';
import type { ControllersThreadData, GateOf } from './controllers-main.ts';
import type { Policies } from './policies.ts';

export type ControllersParts = {
  readonly policies: Pick<Policies, 'desk'>;
  readonly bus: SampleBus;
  /** The way of the controllers through the door. */
  readonly path: DoorPath | undefined;
  /** Topics that come back from the robot's side: what is sent there is recorded as it comes back. */
  readonly heard: readonly string[];
  /** There is a robot: what this daemon itself puts on the bus, a recording that is played, is not what it measures. */
  readonly hasRobot?: boolean;
  readonly word: SafetyWord;
  /** Topic of the base's odometry; absent: `/odom`. */
  readonly odometry?: string;
  /** Limits of these joints, in this order; undefined where no limits are given. */
  gateSpec(joints: readonly string[]): JointGateSpec | undefined;
  readonly actuation: () => Actuation;
};

export type Controllers = {
  readonly mover: Mover;
  start(): void;
  close(): Promise<void>;
};

/** The controllers of this robot by `[[controllers]]`; without controllers there is no thread either. */
export function makeControllers(
  settings: Settings,
  context: CellContext,
  parts: ControllersParts,
): Controllers {
  const { clock, report, bus: cellBus } = context;
  const { config } = settings;
  const { bus, path, heard } = parts;
  const specs = config.controllers.map(specOf);
  const gates = specs.map((spec) => gateOf(spec, config, parts));
  const ids = new IdSource(() => toMs(clock.now()), randomBytes);
  const nowMs = sharedMonotonic();
  const pictures = new PictureProcess();
  const actuation: ConstructorParameters<typeof ControllersDesk>[0]['actuation'] = {
    move: (id, from, start, run) =>
      parts.actuation().move(id, from, start, { run }, { role: 'policy', holder: 'policy' }),
  };
  const desk = new ControllersDesk({
    ...{ clock, nowMs, specs, policies: parts.policies.desk, actuation, report },
    decode: (file) => pictures.decode(file),
    spawn: (data) => spawnControllers(data, gates, parts.word),
    schedule: async (tid) => {
      const got = await askRealTime(tid, config.control.real_time);
      if (config.control.real_time > 0 && got !== 'fifo')
        report('info', 'the host does not grant the controllers a real-time class', { scheduling: got });
      return got;
    },
    advertise: async (topic) => path?.advertise(topic),
    send: (sample) => {
      const receipt = path?.send(sample);
      if (receipt?.verdict === 'refused' && receipt.by === 'stop') return true;
      if (!receipt || !('sample' in receipt)) return false;
      if (!heard.includes(sample.topic)) bus.publish(receipt.sample);
      return true;
    },
    publish: (sample) => bus.publish(sample),
    isStopped: () => parts.word.stopped,
    news: () => parts.actuation().news,
    ...(parts.odometry === undefined ? {} : { odometry: parts.odometry }),
    note: (event) => parts.actuation().note(event),
    newId: () => ids.next<string>(),
    admit: (spec) => {
      if (gates[specs.indexOf(spec)]) return;
      throw new EdgeError('config.invalid', {
        operation: 'start controller',
        subject: spec.name,
        message: `no limits are configured for ${spec.output.names.join(', ')}`,
        hint: 'limits from a URDF or from the configuration: [gate]; velocities not with gate.boxes; docs/safety.md',
      });
    },
  });
  serveControllers(cellBus, desk, () => parts.actuation().news);
  const hear = (sample: Sample, origin: SampleOrigin) => {
    if (origin !== 'local' || parts.hasRobot !== true) desk.observe(sample);
  };
  const untap = specs.length === 0 ? () => {} : bus.tap('controllers', hear);
  return {
    mover: {
      isMoving: () => desk.isMoving(),
      stop: async (reason) => {
        await desk.stop(undefined, reason);
      },
    },
    start: () => desk.start(),
    async close() {
      untap();
      await desk.close();
      pictures.close();
    },
  };
}

export function specOf(row: ControllerRow): ControllerSpec {
  const { kind, stamped, joints } = row;
  return {
    name: row.name,
    rateHz: row.rate,
    policy: row.policy,
    output: { topic: row.output, kind, stamped, names: kind === 'twist' ? ['linear', 'angular'] : joints },
    state: kind === 'twist' ? '' : row.state,
    stateAgeMaxMs: row.state_age_max,
    inputs: row.inputs.map(({ name, topic, joints: names, field, age_max, fit, crop }) => ({
      ...{ name, topic, field, fit, crop },
      joints: names,
      ageMaxMs: age_max,
    })),
    aggregation: row.aggregation,
    ensembleCoefficient: row.ensemble_coefficient,
    threshold: row.threshold,
    horizon: row.horizon,
    horizonMaxMs: row.horizon_max,
    outsideMax: row.outside_max,
    blend: row.blend,
    interpolate: row.interpolate,
    inferTimeoutMs: row.timeout,
    starvation: row.starvation,
    decelerateMs: row.decelerate,
    retract: row.retract,
    retractSpeed: row.retract_speed,
  };
}

/** Topics that carry speeds of joints. The configuration lets none of them carry positions as well. */
export function speedTopics({ controllers }: Pick<Config, 'controllers'>): TopicSpec[] {
  const outputs = controllers.map((row) => specOf(row).output);
  return outputs.filter(({ kind }) => kind === 'velocities').map(commandTopic);
}

/** Undefined: no limits are given, and it may not move. */
function gateOf(
  { output }: ControllerSpec,
  { robot }: Config,
  { gateSpec }: Pick<ControllersParts, 'gateSpec'>,
): GateOf | undefined {
  if (output.kind === 'twist') {
    const { linearMax, angularMax, linearAccel, angularAccel } = DRIVE_LIMITS;
    const most = [Math.min(linearMax, robot.speed_max), Math.min(angularMax, robot.turn_max)];
    return { kind: 'speeds', limits: { most, changeMax: [linearAccel, angularAccel] } };
  }
  const spec = gateSpec(output.names);
  if (!spec) return undefined;
  if (output.kind === 'positions') return { kind: 'joints', spec };
  // Where the tool is on its way to rest is worked out for positions alone.
  if (spec.workspace) return undefined;
  const most = spec.joints.map(({ velocity }) => velocity);
  const changeMax = spec.joints.map(({ acceleration }) => acceleration);
  return { kind: 'speeds', limits: { most, changeMax, within: spec.joints } };
}

/** Starts the thread of the controllers, with their gates. */
export function spawnControllers(
  data: ThreadData,
  gates: readonly (GateOf | undefined)[],
  word: SafetyWord,
): ControllersHandle {
  const { port1: port, port2 } = new MessageChannel();
  const workerData: ControllersThreadData = { ...data, port: port2, gates, word: word.buffer };
  const worker = new Worker(new URL('./controllers-main.ts', import.meta.url), {
    workerData,
    transferList: [port2],
    ...SMALL_THREAD,
    name: 'controllers',
  });
  return controllersHandle(worker, port);
}
