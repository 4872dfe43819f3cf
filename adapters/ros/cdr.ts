import { EdgeError, type Nanoseconds, type Twist2d } from '../../contract/index.ts';

/**
 * The few messages that this room reads or writes itself, in CDR (OMG DDS-XTypes, plain encoding): 4 bytes of
 * encapsulation, then fields aligned to their size, counted from the end of the encapsulation. Everything
 * else passes through as bytes.
 */
export const TWIST = 'geometry_msgs/msg/Twist';
export const TWIST_STAMPED = 'geometry_msgs/msg/TwistStamped';

const ENCAPSULATION_BYTES = 4;
/** Low bit of the second byte: little-endian. */
const LITTLE_ENDIAN = 1;
/** Twist: linear x, y, z, angular x, y, z as float64. */
const TWIST_BYTES = 6 * 8;

/** Velocity command in `base_link` (REP-103): x forward, z turning. TwistStamped carries `stamp`, empty frame. */
export function encodeTwist(type: string, twist: Twist2d, stamp: Nanoseconds): Uint8Array {
  // stamp (8), frame_id length (4), its terminating zero (1), padded to the next multiple of 8.
  const headerBytes = type === TWIST_STAMPED ? 16 : 0;
  const view = new DataView(new ArrayBuffer(ENCAPSULATION_BYTES + headerBytes + TWIST_BYTES));
  view.setUint8(1, LITTLE_ENDIAN);
  if (headerBytes > 0) {
    view.setInt32(4, Number(stamp / 1_000_000_000n), true);
    view.setUint32(8, Number(stamp % 1_000_000_000n), true);
    view.setUint32(12, 1, true);
  }
  const at = ENCAPSULATION_BYTES + headerBytes;
  view.setFloat64(at, twist.linear, true);
  view.setFloat64(at + 40, twist.angular, true);
  return new Uint8Array(view.buffer);
}

/** The message that stops a base listening to `type`; undefined for types that move nothing. */
export function stopMessage(type: string): Uint8Array | undefined {
  if (type !== TWIST && type !== TWIST_STAMPED) return undefined;
  return encodeTwist(type, { linear: 0, angular: 0 }, 0n);
}

export type Odometry = {
  readonly stamp: Nanoseconds;
  readonly x: number;
  readonly y: number;
  readonly yaw: number;
  readonly linear: number;
  readonly angular: number;
};

/** nav_msgs/msg/Odometry: pose in its `header.frame_id` (odom), twist in `child_frame_id` (base_link). */
export function decodeOdometry(bytes: Uint8Array): Odometry {
  const reader = new CdrReader(bytes, 'nav_msgs/msg/Odometry');
  const stamp = BigInt(reader.int32()) * 1_000_000_000n + BigInt(reader.uint32());
  reader.skipString();
  reader.skipString();
  const x = reader.float64();
  const y = reader.float64();
  reader.skipFloat64(1);
  const [qx, qy, qz, qw] = [reader.float64(), reader.float64(), reader.float64(), reader.float64()];
  reader.skipFloat64(36);
  const linear = reader.float64();
  reader.skipFloat64(4);
  const angular = reader.float64();
  // Heading of a unit quaternion: rotation about z of the ZYX convention (REP-103).
  const yaw = Math.atan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz));
  return { stamp, x, y, yaw, linear, angular };
}

/** The value of a std_msgs scalar; undefined for every other type. 64-bit integers lose what a number cannot hold. */
export function decodeSignal(type: string, bytes: Uint8Array): boolean | number | undefined {
  const name = /^std_msgs\/msg\/(Bool|U?Int8|Byte|Char|U?Int16|U?Int32|U?Int64|Float32|Float64)$/.exec(
    type,
  )?.[1];
  if (name === undefined) return undefined;
  const reader = new CdrReader(bytes, type);
  return name === 'Bool' ? reader.scalar('Uint8') !== 0 : reader.scalar(name);
}

const SCALARS: Readonly<
  Record<string, { bytes: number; read(view: DataView, at: number, little: boolean): number }>
> = {
  Int8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  Uint8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  Int16: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  Uint16: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  Int32: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  Uint32: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  Int64: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  Uint64: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  Float32: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  Float64: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
};

/** std_msgs/Byte and Char are unsigned bytes; its unsigned integers are written UInt. */
const ALIASES: Readonly<Record<string, string>> = {
  Byte: 'Uint8',
  Char: 'Uint8',
  UInt8: 'Uint8',
  UInt16: 'Uint16',
  UInt32: 'Uint32',
  UInt64: 'Uint64',
};

/** Reads fields in order; throws `sample.malformed` when the message ends early. */
class CdrReader {
  readonly #view: DataView;
  readonly #type: string;
  readonly #little: boolean;
  #at = ENCAPSULATION_BYTES;

  constructor(bytes: Uint8Array, type: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#type = type;
    this.#little = bytes.length > 1 && (bytes[1]! & LITTLE_ENDIAN) === 1;
  }

  /** By the names of DataView, and those of std_msgs that differ only in case or meaning. */
  scalar(name: string): number {
    const { bytes, read } = SCALARS[ALIASES[name] ?? name]!;
    return read(this.#view, this.#take(bytes), this.#little);
  }

  int32(): number {
    return this.scalar('Int32');
  }

  uint32(): number {
    return this.scalar('Uint32');
  }

  float64(): number {
    return this.scalar('Float64');
  }

  skipFloat64(count: number): void {
    for (let i = 0; i < count; i += 1) this.#take(8);
  }

  skipString(): void {
    const length = this.uint32();
    this.#check(length);
    this.#at += length;
  }

  #take(size: number): number {
    const offset = this.#at - ENCAPSULATION_BYTES;
    this.#at += (size - (offset % size)) % size;
    this.#check(size);
    const at = this.#at;
    this.#at += size;
    return at;
  }

  #check(size: number): void {
    if (this.#at + size <= this.#view.byteLength) return;
    throw new EdgeError('sample.malformed', {
      operation: 'decode a message',
      subject: this.#type,
      message: `the message ends after ${this.#view.byteLength} bytes`,
    });
  }
}
