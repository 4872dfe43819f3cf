import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { encodeClock, encodeTwistStamped } from '../../formats/cdr/index.ts';
import {
  decodeAny,
  definitionHasHeader,
  encodeAny,
  hasHeader,
  headerStamp,
  KNOWN_TYPES,
  schemaFor,
} from '../../formats/ros2/index.ts';

describe('message definitions', () => {
  it.each(KNOWN_TYPES)(
    '%s parses, with all its parts, and a message of zeros survives both readers',
    (type) => {
      const text = schemaFor(type)!.data;
      const bytes = encodeAny(type, {});
      const decoded = decodeAny(type, bytes);
      expect(new MessageReader(parse(text, { ros2: true })).readMessage(bytes)).toEqual(decoded);
    },
  );

  it('are written as rosbag2 does: dependencies after the type, breadth first, each once', () => {
    expect(schemaFor('geometry_msgs/msg/PoseStamped')).toEqual({
      name: 'geometry_msgs/msg/PoseStamped',
      encoding: 'ros2msg',
      data: [
        'std_msgs/Header header\nPose pose',
        'MSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id',
        'MSG: geometry_msgs/Pose\nPoint position\nQuaternion orientation',
        'MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec',
        'MSG: geometry_msgs/Point\nfloat64 x\nfloat64 y\nfloat64 z',
        'MSG: geometry_msgs/Quaternion\nfloat64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1\n',
      ].join(`\n${'='.repeat(80)}\n`),
    });
  });

  it('are missing for names that are not known message types', () => {
    for (const type of ['my_robot/msg/Arm', 'std_msgs/Header', 'std_srvs/srv/Empty', '', 'a/msg/b/c']) {
      expect(schemaFor(type)).toBeUndefined();
    }
  });
});

describe('decodeAny', () => {
  const definition = `uint8 MODE_A=1
byte[2] pair
bool[] flags
string[] names
int64[<=3] big
Part[] parts
Part[2] two
float32 last
================================================================================
MSG: lab_msgs/Part
string label
float64[] values
builtin_interfaces/Duration age
`;
  const parts = fc.record({
    label: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '').toWellFormed()),
    values: fc.float64Array({ maxLength: 3 }),
    age: fc.record({ sec: fc.integer({ min: -5, max: 5 }), nanosec: fc.nat(999_999_999) }),
  });
  const values = fc.record({
    pair: fc.uint8Array({ minLength: 2, maxLength: 2 }),
    flags: fc.array(fc.boolean(), { maxLength: 4 }),
    names: fc.array(fc.constantFrom('a', 'wheel', 'grün 🤖', ''), { maxLength: 3 }),
    big: fc.bigInt64Array({ maxLength: 3 }),
    parts: fc.array(parts, { maxLength: 3 }),
    two: fc.array(parts, { minLength: 2, maxLength: 2 }),
    last: fc.float({ noNaN: true }),
  });

  it('reads messages of types that only their bag knows, as the foreign reader does', () => {
    const reader = new MessageReader(parse(definition, { ros2: true }));
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeAny('lab_msgs/msg/Thing', value, definition);
        const decoded = decodeAny('lab_msgs/msg/Thing', bytes, definition);
        expect(decoded).toEqual(value);
        expect(reader.readMessage(bytes)).toEqual(decoded);
      }),
    );
  });

  it('refuses cut and changed messages with an EdgeError, and takes no memory for lengths that lie', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = encodeAny('lab_msgs/msg/Thing', value, definition);
        expect(() => decodeAny('lab_msgs/msg/Thing', bytes.slice(0, -1), definition)).toThrow(EdgeError);
        bytes[at % bytes.length] = byte;
        try {
          decodeAny('lab_msgs/msg/Thing', bytes, definition);
        } catch (error) {
          expect(error).toMatchObject({ code: 'sample.malformed' });
        }
      }),
    );
    const lying = encodeAny('sensor_msgs/msg/PointCloud2', {});
    new DataView(lying.buffer, lying.byteOffset).setUint32(4 + 8 + 8 + 8, 0x7fff_ffff, true);
    expect(() => decodeAny('sensor_msgs/msg/PointCloud2', lying)).toThrow(
      expect.objectContaining({ code: 'sample.malformed' }),
    );
  });

  it('says which type has no definition, and refuses definitions with holes or without end', () => {
    const bytes = new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]);
    expect(() => decodeAny('my_robot/msg/Arm', bytes)).toThrow(
      expect.objectContaining({ code: 'sample.unknown_type', subject: 'my_robot/msg/Arm' }),
    );
    expect(() => decodeAny('a/msg/B', bytes, 'Missing part\n')).toThrow(EdgeError);
    const endless = `Self me\n${'='.repeat(80)}\nMSG: a/Self\nSelf me\n`;
    expect(() => decodeAny('a/msg/B', bytes, endless)).toThrow(EdgeError);
    expect(() => decodeAny('a/msg/B', bytes, 'this is no definition !!')).toThrow(EdgeError);
  });
});

describe('encodeAny', () => {
  const refused: [string, Record<string, unknown>, string][] = [
    ['geometry_msgs/msg/Twist', { linear: { x: '1' } }, '/linear/x: must be float64, found string'],
    ['geometry_msgs/msg/Twist', { speed: 1 }, '/speed: no such field'],
    ['std_msgs/msg/UInt8', { data: 256 }, '/data: must be uint8, found 256'],
    ['std_msgs/msg/Int32', { data: 1.5 }, '/data: must be int32, found 1.5'],
    [
      'sensor_msgs/msg/Imu',
      { orientation_covariance: [1] },
      '/orientation_covariance: must have 9 elements, found 1',
    ],
    ['sensor_msgs/msg/Joy', { axes: 3 }, '/axes: must be an array'],
    ['nav_msgs/msg/Path', { poses: [{ pose: 5 }] }, '/poses/0/pose: must be an object'],
  ];
  it.each(refused)('of %s refuses %j', (type, value, message) => {
    expect(() => encodeAny(type, value)).toThrow(
      expect.objectContaining({ code: 'sample.malformed', message }),
    );
  });

  it('refuses definitions that take for ever to be read, at once and with what is wrong', () => {
    const bytes = Uint8Array.of(0, 1, 0, 0, 0);
    const read = (definition: string) => () => decodeAny('a/msg/B', bytes, definition);
    expect(read(`int8 ok\nint8 ${'a'.repeat(32)}B`)).toThrow(/line 2: a{32}B is no name of a field/);
    expect(read(`int8 ${'A'.repeat(32)}b=1`)).toThrow(/line 1: A{32}b is no name/);
    expect(read(`int8 a${'_0'.repeat(20)}_`)).toThrow(/is no name/);
    expect(read(`int8 a}`)).toThrow(/line 1 is no field: int8 a}/);
    expect(read(`int8 A`)).toThrow(/A is no name of a field/);
    const many = Array.from({ length: 1000 }, (_, i) => `==\nMSG: a/T${i}\nint8 x`).join('\n');
    expect(read(`int8 x\n${many}\n${'T1 y\n'.repeat(2000)}`)).toThrow(/fields beside 1001 types: too many/);
    expect(read(`int8 a=1${' '.repeat(5000)}\\`)).toThrow(/line 1 has 5009 characters; at most 4096/);
    expect(read(`${'==\n'.repeat(1100)}int8 a`)).toThrow(/over 1024 types/);
    expect(read(`int8 a\n#${'x'.repeat(300_000)}`)).toThrow(/300008 characters/);
    // A long comment and names that only look odd are fine.
    const odd = `# ${'x'.repeat(50_000)}\nint8 A_1_B2=3 # a__b c_\nint8 x_1y # a__b`;
    const seven = Uint8Array.of(0, 1, 0, 0, 7);
    expect(decodeAny('a/msg/B', seven, odd)).toEqual({ x_1y: 7 });
    // What a constant or a default says is nobody's business here, however long its escapes take to be looked at.
    const octal = `'${'\\777'.repeat(40)}\\q'`;
    const told = `string S=${octal}\nint8 x 5 # ${octal}`;
    expect(decodeAny('a/msg/B', seven, told)).toEqual({ x: 7 });
    expect(read(`string s ${octal}\nint8 x`)).toThrow(EdgeError);
  });

  it('fills what was left out from the definition, and takes plain arrays for typed ones', () => {
    expect(decodeAny('geometry_msgs/msg/Quaternion', encodeAny('geometry_msgs/msg/Quaternion', {}))).toEqual({
      x: 0,
      y: 0,
      z: 0,
      w: 1,
    });
    const joy = decodeAny(
      'sensor_msgs/msg/Joy',
      encodeAny('sensor_msgs/msg/Joy', { axes: [0.5, -1], buttons: [1] }),
    );
    expect(joy).toMatchObject({ axes: new Float32Array([0.5, -1]), buttons: new Int32Array([1]) });
  });
});

describe('headerStamp', () => {
  const bytes = encodeTwistStamped({
    header: { stamp: 1_700_000_000_123_456_789n, frame_id: 'base_link' },
    twist: { linear: { x: 0, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } },
  });

  it('is what the header says, for types that begin with one', () => {
    expect(headerStamp('geometry_msgs/msg/TwistStamped', bytes)).toBe(1_700_000_000_123_456_789n);
    expect(headerStamp('lab_msgs/msg/Thing', bytes, true)).toBe(1_700_000_000_123_456_789n);
  });

  it('is undefined for types without a header, unknown types, short bytes and stamps never set', () => {
    expect(headerStamp('rosgraph_msgs/msg/Clock', encodeClock(5n))).toBeUndefined();
    expect(headerStamp('lab_msgs/msg/Thing', bytes)).toBeUndefined();
    expect(headerStamp('geometry_msgs/msg/TwistStamped', bytes.subarray(0, 11))).toBeUndefined();
    expect(headerStamp('sensor_msgs/msg/Imu', encodeAny('sensor_msgs/msg/Imu', {}))).toBeUndefined();
  });

  it('knows from the definition whether a type begins with a header', () => {
    expect(hasHeader('nav_msgs/msg/Odometry')).toBe(true);
    expect(hasHeader('tf2_msgs/msg/TFMessage')).toBe(false);
    expect(hasHeader('sensor_msgs/msg/BatteryState')).toBe(true);
    expect(definitionHasHeader(schemaFor('sensor_msgs/msg/BatteryState')!.data)).toBe(true);
    expect(definitionHasHeader(schemaFor('geometry_msgs/msg/TransformStamped')!.data)).toBe(true);
    expect(definitionHasHeader(schemaFor('tf2_msgs/msg/TFMessage')!.data)).toBe(false);
  });
});
