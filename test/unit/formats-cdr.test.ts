import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { CdrReader } from '../../formats/cdr/cdr-reader.ts';
import * as cdr from '../../formats/cdr/index.ts';
import { schemaFor } from '../../formats/ros2/index.ts';

/** rosgraph_msgs/msg/Clock is one stamp; production only writes it. */
const decodeClock = (bytes: Uint8Array) => new CdrReader(bytes, cdr.CLOCK).stamp();

/** The independent implementation that ours is held against, both ways. */
function foreign(type: string) {
  const definitions = parse(schemaFor(type)!.data, { ros2: true });
  const writer = new MessageWriter(definitions);
  const reader = new MessageReader(definitions);
  return {
    write: (value: unknown) => writer.writeMessage(toRos(value)),
    read: (bytes: Uint8Array) => reader.readMessage(bytes),
  };
}

/** Ours to ROS: times become {sec, nanosec}. */
function toRos(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const sec = value >= 0n ? value / 1_000_000_000n : (value - 999_999_999n) / 1_000_000_000n;
    return { sec: Number(sec), nanosec: Number(value - sec * 1_000_000_000n) };
  }
  if (Array.isArray(value)) return value.map(toRos);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toRos(part)]));
}

const stamp = fc.bigInt({ min: -(2n ** 31n) * 1_000_000_000n, max: 2n ** 31n * 1_000_000_000n - 1n });
const header = fc.record({ stamp, frame_id: fc.string({ unit: 'grapheme', maxLength: 20 }).map(clean) });
/** The foreign writer cuts text that is not ASCII (it counts characters, not bytes); its reader is sound. */
const ascii = (value: unknown): boolean =>
  !/[^\x20-\x7e]/.test(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? 0 : part)));
const float32 = fc.float();
const vector = fc.record({ x: fc.double(), y: fc.double(), z: fc.double() });
const quaternion = fc.record({ x: fc.double(), y: fc.double(), z: fc.double(), w: fc.double() });
const pose = fc.record({ position: vector, orientation: quaternion });
const twist = fc.record({ linear: vector, angular: vector });
const covariance = fc.float64Array({ minLength: 36, maxLength: 36 });

/** A lone surrogate or a zero cannot travel as UTF-8 text in any implementation. */
function clean(text: string): string {
  return text.replaceAll('\0', '').toWellFormed();
}

const scan = fc.record({
  header,
  angle_min: float32,
  angle_max: float32,
  angle_increment: float32,
  time_increment: float32,
  scan_time: float32,
  range_min: float32,
  range_max: float32,
  ranges: fc.float32Array({ maxLength: 50 }),
  intensities: fc.float32Array({ maxLength: 5 }),
});
const odometry = fc.record({
  header,
  child_frame_id: fc.string(),
  pose: fc.record({ pose, covariance }),
  twist: fc.record({ twist, covariance }),
});
const transforms = fc.array(
  fc.record({
    header,
    child_frame_id: fc.string(),
    transform: fc.record({ translation: vector, rotation: quaternion }),
  }),
  { maxLength: 4 },
);
const grid = fc.record({ width: fc.nat(6), height: fc.nat(6) }).chain(({ width, height }) =>
  fc.record({
    header,
    info: fc.record({
      map_load_time: stamp,
      resolution: float32,
      width: fc.constant(width),
      height: fc.constant(height),
      origin: pose,
    }),
    data: fc.int8Array({ minLength: width * height, maxLength: width * height }),
  }),
);
const joints = fc.nat(4).chain((count) => {
  const values = fc.float64Array({ minLength: count, maxLength: count });
  return fc.record({
    header,
    name: fc.array(fc.string().map(clean), { minLength: count, maxLength: count }),
    position: values,
    velocity: values,
    effort: fc.oneof(values, fc.constant(new Float64Array(0))),
  });
});

type Case = {
  type: string;
  values: fc.Arbitrary<unknown>;
  encode: (value: never) => Uint8Array;
  decode: (bytes: Uint8Array) => unknown;
  /** From our value to the whole message, for messages of which ours is the one field. */
  whole: (value: unknown) => unknown;
};
const same = (value: unknown) => value;
const cases: Case[] = [
  {
    type: cdr.LASER_SCAN,
    values: scan,
    encode: cdr.encodeLaserScan,
    decode: cdr.decodeLaserScan,
    whole: same,
  },
  {
    type: cdr.ODOMETRY,
    values: odometry,
    encode: cdr.encodeOdometry,
    decode: cdr.decodeOdometry,
    whole: same,
  },
  { type: cdr.TWIST, values: twist, encode: cdr.encodeTwist, decode: cdr.decodeTwist, whole: same },
  {
    type: cdr.TWIST_STAMPED,
    values: fc.record({ header, twist }),
    encode: cdr.encodeTwistStamped,
    decode: cdr.decodeTwistStamped,
    whole: same,
  },
  {
    type: cdr.TF_MESSAGE,
    values: transforms,
    encode: cdr.encodeTf,
    decode: cdr.decodeTf,
    whole: (transforms) => ({ transforms }),
  },
  {
    type: cdr.CLOCK,
    values: stamp,
    encode: cdr.encodeClock,
    decode: decodeClock,
    whole: (clock) => ({ clock }),
  },
  {
    type: cdr.BOOL,
    values: fc.boolean(),
    encode: cdr.encodeBool,
    decode: cdr.decodeBool,
    whole: (data) => ({ data }),
  },
  {
    type: cdr.OCCUPANCY_GRID,
    values: grid,
    encode: cdr.encodeOccupancyGrid,
    decode: cdr.decodeOccupancyGrid,
    whole: same,
  },
  {
    type: cdr.JOINT_STATE,
    values: joints,
    encode: cdr.encodeJointState,
    decode: cdr.decodeJointState,
    whole: same,
  },
];

describe.each(cases)('$type', ({ type, values, encode, decode, whole }) => {
  const other = foreign(type);

  it('is read by the foreign reader as it was written', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(other.read(encode(value as never))).toEqual(toRos(whole(value)));
      }),
    );
  });

  it('is read by us as the foreign writer wrote it, from any place in memory', () => {
    fc.assert(
      fc.property(values.filter(ascii), fc.nat(9), (value, offset) => {
        const bytes = other.write(whole(value));
        const memory = new Uint8Array(bytes.length + offset);
        memory.set(bytes, offset);
        expect(decode(memory.subarray(offset))).toEqual(value);
      }),
    );
  });

  it('is refused as malformed wherever it is cut, and whatever is changed in it never escapes the bounds', () => {
    fc.assert(
      fc.property(
        values,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(),
        fc.nat(255),
        (value, cut, at, byte) => {
          const bytes = encode(value as never);
          expect(() => decode(bytes.slice(0, Math.floor(bytes.length * cut)))).toThrow(
            expect.objectContaining({ code: 'sample.malformed' }),
          );
          const mutated = bytes.slice();
          mutated[at % bytes.length] = byte;
          try {
            decode(mutated);
          } catch (error) {
            expect(error).toBeInstanceOf(EdgeError);
          }
        },
      ),
    );
  });

  it('takes no memory from what it was read from', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value as never);
        const decoded = decode(bytes);
        bytes.fill(0xff);
        expect(decoded).toEqual(value);
      }),
      { numRuns: 20 },
    );
  });
});

describe('CDR', () => {
  it('refuses a length prefix beyond the message before it takes memory for it', () => {
    const bytes = cdr.encodeLaserScan({
      header: { stamp: 0n, frame_id: '' },
      angle_min: 0,
      angle_max: 0,
      angle_increment: 0,
      time_increment: 0,
      scan_time: 0,
      range_min: 0,
      range_max: 0,
      ranges: new Float32Array(3),
      intensities: new Float32Array(0),
    });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = bytes.length - 4 - 12 - 4;
    expect(view.getUint32(at, true)).toBe(3);
    view.setUint32(at, 0xffff_ffff, true);
    expect(() => cdr.decodeLaserScan(bytes)).toThrow(
      'a sequence of 4294967295 elements, but 16 bytes are left',
    );
  });

  it('reads big-endian messages and refuses other encapsulations', () => {
    const bytes = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9]);
    expect(decodeClock(bytes)).toBe(7_000_000_009n);
    bytes[1] = 3;
    expect(() => decodeClock(bytes)).toThrow('encapsulation 3 is not plain CDR');
    bytes[0] = 1;
    expect(() => decodeClock(bytes)).toThrow(EdgeError);
  });

  it('refuses to write what the message cannot hold', () => {
    expect(() => cdr.encodeClock(2n ** 31n * 1_000_000_000n)).toThrow(
      expect.objectContaining({ code: 'sample.malformed' }),
    );
  });

  it('turns headings into quaternions and back', () => {
    fc.assert(
      fc.property(fc.double({ min: -3.14, max: 3.14, noNaN: true }), (yaw) => {
        expect(cdr.yawOf(cdr.quaternionOfYaw(yaw))).toBeCloseTo(yaw, 9);
      }),
    );
  });
});
