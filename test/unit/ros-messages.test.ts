import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import { describe, expect, it } from 'vitest';
import { headerStamp } from '../../adapters/ros/host/header-stamp.ts';
import {
  decodePlanarOdometry,
  decodeSignal,
  encodeVelocity,
  stopMessage,
} from '../../adapters/ros/messages.ts';
import { TWIST, TWIST_STAMPED } from '../../formats/cdr/index.ts';

/** An independent reader and writer of CDR holds our few hand-written codecs. */
const TWIST_FIELDS = `geometry_msgs/Vector3 linear
geometry_msgs/Vector3 angular
===
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z`;
const HEADER = `===
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
===
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec`;
const STAMPED = `std_msgs/Header header
geometry_msgs/Twist twist
===
MSG: geometry_msgs/Twist
${TWIST_FIELDS}
${HEADER}`;
const ODOMETRY = `std_msgs/Header header
string child_frame_id
geometry_msgs/Point position
geometry_msgs/Quaternion orientation
float64[36] pose_covariance
geometry_msgs/Vector3 linear
geometry_msgs/Vector3 angular
float64[36] twist_covariance
===
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
===
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
===
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
${HEADER}`;

const ros2 = { ros2: true };

describe('velocity commands', () => {
  it('are what a ROS reader understands', () => {
    const reader = new MessageReader(parse(TWIST_FIELDS, ros2));
    expect(reader.readMessage(encodeVelocity(TWIST, { linear: 0.25, angular: -1.5 }, 0n))).toEqual({
      linear: { x: 0.25, y: 0, z: 0 },
      angular: { x: 0, y: 0, z: -1.5 },
    });
  });

  it('carry their stamp where the type has one', () => {
    const reader = new MessageReader(parse(STAMPED, ros2));
    const message = reader.readMessage(
      encodeVelocity(TWIST_STAMPED, { linear: 1, angular: 2 }, 12_000_000_034n),
    );
    expect(message).toEqual({
      header: { stamp: { sec: 12, nanosec: 34 }, frame_id: 'base_link' },
      twist: { linear: { x: 1, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 2 } },
    });
  });

  it('have a stop, and other types have none', () => {
    expect(stopMessage({ type: TWIST })).toEqual(encodeVelocity(TWIST, { linear: 0, angular: 0 }, 0n));
    expect(stopMessage({ type: 'sensor_msgs/msg/LaserScan' })).toBeUndefined();
  });
});

describe('odometry', () => {
  const message = {
    header: { stamp: { sec: 1_663_967_375, nanosec: 893_621_616 }, frame_id: 'odom' },
    child_frame_id: 'base_footprint',
    position: { x: 1.5, y: -2, z: 0 },
    orientation: { x: 0, y: 0, z: Math.sin(0.6), w: Math.cos(0.6) },
    pose_covariance: new Float64Array(36),
    linear: { x: 0.3, y: 0, z: 0 },
    angular: { x: 0, y: 0, z: -0.4 },
    twist_covariance: new Float64Array(36),
  };
  const bytes = new MessageWriter(parse(ODOMETRY, ros2)).writeMessage(message);

  it('is read whatever the length of its frame names', () => {
    for (const frame of ['', 'o', 'od', 'odo', 'odom', 'map_frame']) {
      const named = { ...message, header: { ...message.header, frame_id: frame } };
      const odometry = decodePlanarOdometry(new MessageWriter(parse(ODOMETRY, ros2)).writeMessage(named));
      expect(odometry).toMatchObject({ x: 1.5, y: -2, linear: 0.3, angular: -0.4 });
      expect(odometry.yaw).toBeCloseTo(1.2, 12);
      expect(odometry.stamp).toBe(1_663_967_375_893_621_616n);
    }
  });

  it('is refused when cut short, at every length', () => {
    const needed = bytes.length - 36 * 8;
    for (let length = 0; length < needed; length += 7) {
      expect(() => decodePlanarOdometry(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'sample.malformed' }),
      );
    }
  });

  it('gives its header stamp without being decoded', () => {
    expect(headerStamp(Buffer.from(bytes))).toBe(1_663_967_375_893_621_616n);
    expect(headerStamp(Buffer.from(bytes.subarray(0, 10)))).toBe(0n);
  });
});

it('reads the scalars of std_msgs, and nothing else', () => {
  expect(decodeSignal('std_msgs/msg/Bool', Uint8Array.of(0, 1, 0, 0, 1))).toBe(true);
  expect(decodeSignal('std_msgs/msg/UInt16', Uint8Array.of(0, 1, 0, 0, 0x34, 0x12))).toBe(0x1234);
  expect(decodeSignal('std_msgs/msg/Float32', Uint8Array.of(0, 1, 0, 0, 0, 0, 0x80, 0x3f))).toBe(1);
  expect(decodeSignal('std_msgs/msg/String', Uint8Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0))).toBeUndefined();
});
