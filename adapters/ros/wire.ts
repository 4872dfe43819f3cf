import type { EndpointInfo, ErrorBody, Nanoseconds, Qos, TopicSpec } from '../../contract/core.ts';
import { EdgeError } from '../../contract/core.ts';

/**
 * The frames between the adapter and its ROS host, over one unix socket: u32 little-endian length of the
 * rest, u8 kind, body. Sample bytes travel as they are; what concerns topics is JSON, since it is rare; services,
 * actions and the graph have frames of their own (`api-wire.ts`).
 */
export const FRAME = {
  control: 1,
  publish: 2,
  notice: 3,
  sample: 4,
  apiCall: 5,
  apiWord: 6,
  apiNews: 7,
} as const;

export type StartOptions = {
  readonly node: string;
  readonly namespace: string;
  readonly useSimTime: boolean;
  /** The helper library is preloaded: all QoS policies, and subscriptions without the package of their type. */
  readonly native: boolean;
};

/**
 * An event about quality of service. `incompatible` names the incompatible nodes: nothing flows between the
 * two. `deadline` and `liveliness` count what a publisher or subscriber missed, `type` endpoints of another type.
 */
export type QosEvent = {
  readonly topic: string;
  readonly direction: 'in' | 'out';
  readonly kind: 'incompatible' | 'deadline' | 'liveliness' | 'type';
  readonly count: number;
  readonly ours: Qos;
  readonly others: readonly EndpointInfo[];
  readonly message: string;
  readonly hint: string;
};

/** Adapter to host. `channel` numbers are given by the adapter and stay the same over restarts. */
export type Control =
  | ({ readonly kind: 'start' } & StartOptions)
  | {
      readonly kind: 'subscribe';
      readonly id: number;
      readonly channel: number;
      readonly spec: TopicSpec;
      /** The type is not installed: its bytes are taken without it. Whether they start with a std_msgs/Header. */
      readonly raw?: { readonly headed: boolean };
    }
  /** A topic that is no longer wanted, or no longer published. */
  | { readonly kind: 'unsubscribe'; readonly channel: number }
  | {
      readonly kind: 'advertise';
      readonly id: number;
      readonly channel: number;
      readonly spec: TopicSpec;
      /** For topics that move the robot: what stops it (base64 of the message) and when a command expires. */
      readonly guard?: {
        readonly stop: string;
        readonly expiryMs: number;
        readonly standby: boolean;
        /** Others drive by it too: a stop that was heard is over. */
        readonly bounded: boolean;
      };
    }
  | { readonly kind: 'ping' }
  /** Stop what is guarded, now: the host in charge died and this one stands in for it. */
  | { readonly kind: 'halt' }
  | { readonly kind: 'stop' };

/** Host to adapter. The counters of a beat run since the host started. */
export type Notice =
  | { readonly kind: 'phase'; readonly phase: 'loading' | 'generating'; readonly message: string }
  | { readonly kind: 'ready'; readonly rmw: string; readonly distro: string }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly error: ErrorBody }
  | { readonly kind: 'unusable'; readonly error: ErrorBody }
  | { readonly kind: 'qos'; readonly event: QosEvent }
  | { readonly kind: 'beat'; readonly lost: Readonly<Record<string, number>> }
  | {
      readonly kind: 'event';
      readonly level: 'info' | 'warn' | 'error';
      readonly topic: string;
      readonly message: string;
    };

export const FRAME_HEAD_BYTES = 5;
const SAMPLE_HEAD_BYTES = 2 + 8 + 8;

function head(kind: number, bodyBytes: number, extraBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(FRAME_HEAD_BYTES + extraBytes);
  buffer.writeUInt32LE(1 + bodyBytes, 0);
  buffer.writeUInt8(kind, 4);
  return buffer;
}

export function encodeJson(
  kind: typeof FRAME.control | typeof FRAME.notice,
  value: Control | Notice,
): Buffer {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  return Buffer.concat([head(kind, body.length, 0), body]);
}

/** A body that is bytes already. */
export function encodeFrame(kind: number, body: Buffer): Buffer {
  return Buffer.concat([head(kind, body.length, 0), body]);
}

/** `ros.failed`: the other end does not (or no longer) follow this protocol; the connection is of no use. */
export function brokenFrame(message: string, cause?: unknown): EdgeError {
  return new EdgeError('ros.failed', { operation: 'read frames', subject: 'ROS host', message, cause });
}

/** Throws `ros.failed` for a body that is no JSON. */
export function decodeJson<T extends Control | Notice>(body: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')) as T;
  } catch (cause) {
    throw brokenFrame('a message is not JSON', cause);
  }
}

const PUBLISH_HEAD_BYTES = 2 + 8;

/**
 * The bytes before a published message; the message itself is written after it, uncopied. `expiresAtMs` of a command,
 * by the monotonic clock of the host; none is written as NaN.
 */
export function publishHead(channel: number, messageBytes: number, expiresAtMs = Number.NaN): Buffer {
  const buffer = head(FRAME.publish, PUBLISH_HEAD_BYTES + messageBytes, PUBLISH_HEAD_BYTES);
  buffer.writeUInt16LE(channel, FRAME_HEAD_BYTES);
  buffer.writeDoubleLE(expiresAtMs, FRAME_HEAD_BYTES + 2);
  return buffer;
}

/** Throws `ros.failed` for a body that is truncated. `expiresAtMs` is NaN where the message always counts. */
export function decodePublish(body: Buffer): { channel: number; expiresAtMs: number; bytes: Buffer } {
  if (body.length < PUBLISH_HEAD_BYTES) throw brokenFrame('a publication is truncated');
  return {
    channel: body.readUInt16LE(0),
    expiresAtMs: body.readDoubleLE(2),
    bytes: body.subarray(PUBLISH_HEAD_BYTES),
  };
}

/** The bytes before a sample; the message itself is written after it, uncopied. */
export function sampleHead(
  channel: number,
  stamp: Nanoseconds,
  received: Nanoseconds,
  messageBytes: number,
): Buffer {
  const buffer = head(FRAME.sample, SAMPLE_HEAD_BYTES + messageBytes, SAMPLE_HEAD_BYTES);
  buffer.writeUInt16LE(channel, FRAME_HEAD_BYTES);
  buffer.writeBigInt64LE(stamp, FRAME_HEAD_BYTES + 2);
  buffer.writeBigInt64LE(received, FRAME_HEAD_BYTES + 10);
  return buffer;
}

export type SampleFrame = {
  readonly channel: number;
  readonly stamp: Nanoseconds;
  readonly received: Nanoseconds;
  readonly bytes: Uint8Array;
};

/** `bytes` have a memory of their own, so that their receiver may transfer it to a thread. */
/** Throws `ros.failed` for a body that is truncated. */
export function decodeSample(body: Buffer): SampleFrame {
  if (body.length < SAMPLE_HEAD_BYTES) throw brokenFrame('a sample is truncated');
  const message = body.subarray(SAMPLE_HEAD_BYTES);
  // A frame gathered from several chunks already is alone in its memory: no second copy of large messages.
  const alone = body.buffer.byteLength === body.length + FRAME_HEAD_BYTES;
  return {
    channel: body.readUInt16LE(0),
    stamp: body.readBigInt64LE(2),
    received: body.readBigInt64LE(10),
    bytes: alone
      ? new Uint8Array(message.buffer, message.byteOffset, message.length)
      : new Uint8Array(message),
  };
}
