import { Type } from 'typebox';
import {
  ask,
  bytes,
  count,
  done,
  flag,
  list,
  maybe,
  measured,
  nanoseconds,
  nothing,
  number,
  oneOf,
  reply,
  text,
  wireTime,
} from './kit.ts';
import { StoredImage } from './runs.ts';

export const SegmentInfo = reply({
  bag: text,
  path: text,
  sha256: text,
  bytes: count,
  messages: count,
  repaired: flag,
});

/** The time from `preMs` before now to `postMs` after it; absent: as configured. */
export const ClipRequest = ask({
  /** The source of the request: `api`, `ros`, `agent`, or the name of a condition. */
  trigger: text,
  reason: text,
  /** Last part of the name of its bag; default: the trigger. */
  name: Type.Optional(text),
  /** UUIDv7 of the clip. A repeated request with the same id gives the same clip. */
  clipId: Type.Optional(text),
  preMs: Type.Optional(number),
  postMs: Type.Optional(number),
  /** True: answer when the clip is complete. Otherwise as soon as it will survive a power cut. */
  wait: Type.Optional(flag),
});

export const ClipInfo = reply({
  clip_id: text,
  /** The bag that holds the clip, now or later. */
  bag: text,
  state: oneOf(['recording', 'whole']),
  trigger: text,
  reason: text,
  trigger_ns: wireTime,
  /** The span asked for. */
  from_ns: wireTime,
  to_ns: wireTime,
  messages: count,
  bytes: count,
  /** Its file, relative to the data directory, and its hash; once it is complete. */
  path: Type.Optional(text),
  sha256: Type.Optional(text),
});

/** `episode_id` absent: the one that is recorded. */
export const EpisodeOrder = ask({
  episode_id: Type.Optional(text),
  label: Type.Optional(text),
  success: Type.Optional(flag),
});
export const EpisodeDiscard = ask({ episode_id: Type.Optional(text), reason: text });
export const EpisodeInfo = reply({
  episode_id: text,
  bag: text,
  state: oneOf(['recording', 'whole']),
  label: text,
  success: Type.Optional(flag),
  /** Time of the first and the last message; `0` while it is empty. */
  start_ns: wireTime,
  end_ns: wireTime,
  messages: count,
  bytes: count,
  /** Relative to the data directory. */
  segments: list(reply({ path: text, sha256: text })),
});

const PLAYS_TO = ['bus', 'ros', 'zenoh'] as const;
const patterns = Type.Optional(maybe(list(text)));

export const PlayOptions = ask({
  path: text,
  rate: number,
  loop: flag,
  startS: number,
  /**
   * Waits at least this long for listeners to find the topics, before the first message and after the last, seconds.
   */
  delayS: Type.Optional(maybe(number)),
  /** Plays this much at most, seconds; absent: to the end. */
  durationS: Type.Optional(maybe(number)),
  /** Patterns; none: all. */
  topics: list(text),
  exclude: patterns,
  /** `/old:=/new`. */
  remap: patterns,
  to: Type.Optional(maybe(oneOf(PLAYS_TO))),
  /** Key prefix for `zenoh`; absent: that of the configuration. */
  prefix: Type.Optional(maybe(text)),
  /** Publishes the time of the bag on `/clock` so often, hertz; 0: not. */
  clockHz: Type.Optional(maybe(number)),
  /** Plays what a robot obeys too, under the actuation lease and through the gate. */
  allowCommands: Type.Optional(maybe(flag)),
  /** Starts paused. */
  paused: Type.Optional(maybe(flag)),
});

const order = {
  action: oneOf(['pause', 'resume', 'seek', 'rate']),
  /** From the start of the bag, seconds. */
  positionS: Type.Optional(maybe(number)),
  /** Times the pace of the recording; 0 is as fast as it goes. */
  rate: Type.Optional(maybe(number)),
};
export const PlayOrder = ask(order);
/** A play by its id. */
export const PlayNamed = ask({ id: text });
const by = Type.Optional(Type.String({ maxLength: 128, description: 'principal that asked for it' }));
export const PlayStop = ask({ id: text, by });

/** A recording that is being played. */
export const PlayState = reply({
  play_id: text,
  path: text,
  to: oneOf(PLAYS_TO),
  state: oneOf(['playing', 'paused', 'finished', 'failed', 'stopped']),
  /** Of the topics that are played, once through the bag. */
  messages: count,
  published: count,
  /** From the start of the bag, seconds. */
  position_s: measured,
  duration_s: measured,
  rate: measured,
  loops: count,
  /** Topics that are not played because a robot might obey them. */
  withheld: list(text),
  reason: text,
});

/** The segments that are in the log now. */
export const BagAdopted = reply({ bag: text, segments: list(SegmentInfo) });

/** The newest image of a camera; absent topic: the only one there is, or the first by name. */
export const ImageRequest = ask({
  topic: Type.Optional(text),
  /** Longer side of the image that is made, pixels, and its JPEG quality, 1 to 100. */
  sideMax: number,
  quality: number,
});

const size = reply({ width: count, height: count });
/** An image as a robot's camera gives it: pixels, or a file in one of the formats that cameras compress to. */
export const Picture = Type.Union([
  reply({
    kind: Type.Literal('pixels'),
    /** Rows from the top, without padding; 1 (grey) or 3 (red, green, blue) bytes per pixel. */
    data: bytes,
    width: count,
    height: count,
    channels: Type.Union([Type.Literal(1), Type.Literal(3)]),
  }),
  reply({ kind: Type.Literal('compressed'), data: bytes }),
]);

/**
 * `time` is that of the image and `newest` the newest time of any sample, both by the clock of the samples: their
 * difference is the age. Rejects with `robot.not_supported` (no camera, or an unsupported encoding) and
 * `robot.unreachable` (no image yet).
 */
export const ImageReply = reply({
  topic: text,
  topics: list(text),
  encoding: text,
  frame: text,
  time: nanoseconds,
  newest: nanoseconds,
  /** Size of the camera's image, before it was made smaller. */
  size,
  /** The image by its handle: the bytes are a blob of this host, durable before the answer. */
  image: StoredImage,
  /** Size of that image. */
  shown: size,
  /** For a depth image: the distances of its brightest and darkest known pixels, metres. Black is unknown. */
  depth: Type.Optional(reply({ near: measured, far: measured })),
});

/** The answer is the newest sensor_msgs/LaserScan as it travelled. Rejects as `look.image`. */
export const ScanRequest = ask({ topic: Type.Optional(text) });
export const ScanReply = reply({
  topic: text,
  topics: list(text),
  time: nanoseconds,
  newest: nanoseconds,
  bytes,
});

export const RECORDING_BODIES = {
  'recorder.seal': { ask: nothing, reply: list(SegmentInfo) },
  'recorder.clip': { ask: ClipRequest, reply: ClipInfo },
  'recorder.clips': { ask: nothing, reply: list(ClipInfo) },
  'episode.start': { ask: EpisodeOrder, reply: EpisodeInfo },
  'episode.stop': { ask: EpisodeOrder, reply: EpisodeInfo },
  'episode.discard': { ask: EpisodeDiscard, reply: done },
  'episode.relabel': { ask: EpisodeOrder, reply: EpisodeInfo },
  'episode.list': { ask: nothing, reply: list(EpisodeInfo) },
  'bag.play': { ask: PlayOptions, reply: PlayState },
  'bag.play_state': { ask: PlayNamed, reply: PlayState },
  'bag.play_stop': { ask: PlayStop, reply: PlayState },
  'bag.play_control': { ask: ask({ id: text, by, ...order }), reply: PlayState },
  'bag.adopt': { ask: ask({ bag: text }), reply: BagAdopted },
  'attach.open': { ask: nothing, reply: reply({ path: text }) },
  'look.image': { ask: ImageRequest, reply: ImageReply },
  'look.scan': { ask: ScanRequest, reply: ScanReply },
} as const;
