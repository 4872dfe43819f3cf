import type { PlayOptions } from '../../contract/bag-messages.ts';
import {
  type CellContext,
  type CellName,
  EdgeError,
  type KeySpace,
  LATCHED_QOS,
  pause,
  type Qos,
  type TopicSpec,
} from '../../contract/core.ts';
import type { PlayableBag } from '../execution/bag-play.ts';
import { BagPlayer, busSink, type PlayTarget } from '../execution/bag-player.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import { type Door, type LeaseHold, RobotSink } from '../execution/door/index.ts';
import type { Recorder } from '../execution/recorder/index.ts';
import type { Settings } from '../settings.ts';

export type PlayParts = {
  readonly bus: SampleBus;
  /** Of bags that were played, for the recorder; by type. */
  readonly definitions: Map<string, string>;
  recorder(): Recorder | undefined;
  keySpace(): KeySpace | undefined;
  readonly door: Door;
  /** See `BagPlayerParts`. */
  hold(from: CellName): Promise<LeaseHold>;
};

/** Discovery of a new publisher takes a subscriber up to this long, milliseconds. */
const ROS_SETTLE_MS = 1_500;
const ZENOH_SETTLE_MS = 200;
/** A burst of a volatile topic is not overwritten by its own later messages before it is sent. */
const VOLATILE_DEPTH_MIN = 1_000;

export function makePlayer(settings: Settings, context: CellContext, parts: PlayParts): BagPlayer {
  const { clock } = context;
  return new BagPlayer({
    open: (options, backlogBytes) => openForPlay(options, context, parts, backlogBytes),
    target: async (options) => targetOf(options, settings, context, parts),
    pause: (ms) => pause(clock, ms),
    every: (ms, fire) => clock.every(ms, fire),
    nowMs: () => clock.monotonicMs(),
    ...{ hold: parts.hold, topics: parts.door.topics, gate: parts.door.gate },
  });
}

/** A bag as the player takes it; onto the bus it is played no faster than the recorder writes. */
async function openForPlay(
  options: PlayOptions,
  { clock }: CellContext,
  parts: PlayParts,
  backlogBytes: () => number,
): Promise<PlayableBag> {
  const recording = options.to === undefined || options.to === 'bus' ? parts.recorder() : undefined;
  const { BagSource, wantedTopics } = await import('../../adapters/rosbag/index.ts');
  const source = new BagSource({
    clock,
    path: options.path,
    rate: options.rate === 0 ? 'max' : options.rate,
    loop: options.loop,
    startOffsetMs: options.startS * 1000,
    ...(options.durationS === undefined ? {} : { durationMs: options.durationS * 1000 }),
    backlogBytes: () => backlogBytes() + (recording?.backlogBytes() ?? 0),
  });
  return {
    finished: source.finished,
    async prepare() {
      await source.prepare();
      for (const { type } of source.topics()) {
        const definition = source.definitionOf(type);
        if (definition !== undefined) parts.definitions.set(type, definition);
      }
    },
    begin: (topics, onSample) => source.begin(topics, onSample),
    topics: () =>
      source.topics().map((spec) => ({ ...spec, qos: playedQos(spec, source.latchedDepth(spec.topic)) })),
    choose: (include, exclude) => {
      const topics = source.topics();
      return wantedTopics(topics, include, exclude) ?? new Set(topics.map(({ topic }) => topic));
    },
    get total() {
      return source.total;
    },
    get startNs() {
      return source.startNs;
    },
    get endNs() {
      return source.endNs;
    },
    get positionNs() {
      return source.positionNs;
    },
    get rate() {
      return source.rate;
    },
    get isPaused() {
      return source.isPaused;
    },
    get loops() {
      return source.loops;
    },
    pause: () => source.pause(),
    resume: () => source.resume(),
    seek: (time) => source.seek(time),
    setRate: (rate) => source.setRate(rate === 0 ? 'max' : rate),
    close: () => source.close(),
  };
}

/** As recorded; deep enough that one publisher stands for the several that there were. */
function playedQos({ qos }: TopicSpec, latched: number): Qos {
  if (latched > 0)
    return { ...LATCHED_QOS, ...qos, durability: 'transient_local', depth: Math.max(1, latched) };
  return { ...qos, depth: Math.max(qos.depth, VOLATILE_DEPTH_MIN) };
}

async function targetOf(
  options: PlayOptions,
  { config }: Settings,
  { clock, report }: CellContext,
  parts: PlayParts,
): Promise<PlayTarget> {
  if (options.to === 'ros') {
    const { RosHost } = await import('../../adapters/ros/ros-host.ts');
    const { RosSink } = await import('../../adapters/ros/ros-sink.ts');
    // A node of its own: what happens to it does not touch the one that drives the robot.
    const host = new RosHost(
      {
        node: 'auraison_edge_play',
        namespace: config.ros.namespace,
        env: config.ros.domain_id < 0 ? {} : { ROS_DOMAIN_ID: String(config.ros.domain_id) },
        report: (level, message) => report(level, message),
      },
      clock,
    );
    return intoRobot(parts.door, new RobotSink(new RosSink(host)), ROS_SETTLE_MS);
  }
  if (options.to === 'zenoh') {
    const keySpace = parts.keySpace();
    if (!keySpace) {
      throw new EdgeError('zenoh.failed', {
        operation: 'bag play',
        subject: 'zenoh',
        message: 'this daemon has no open key space',
        hint: 'zenoh.enabled = true; auraison status says why it is not connected',
      });
    }
    const { KeySpaceSink } = await import('../../adapters/zenoh/key-space-sink.ts');
    const sink = new RobotSink(new KeySpaceSink(keySpace, options.prefix ?? config.zenoh.prefix));
    return intoRobot(parts.door, sink, ZENOH_SETTLE_MS);
  }
  const sink = busSink(
    (sample) => parts.bus.publish(sample),
    (topics) => parts.recorder()?.declare(topics),
  );
  return { sink: () => sink, reaches: config.robot.source === 'none' ? 'nobody' : 'bus', settleMs: 0 };
}

function intoRobot(door: Door, sink: RobotSink, settleMs: number): PlayTarget {
  const asker = { kind: 'play', name: '' } as const;
  return { sink: (lease) => door.path(sink, asker, { lease }), reaches: 'robot', settleMs };
}
