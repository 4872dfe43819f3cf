import type { Nanoseconds, Pose2d, Sample, Twist2d } from '../contract/core.ts';
import {
  encodeBool,
  encodeClock,
  encodeFloat32,
  encodeLaserScan,
  encodeOdometry,
  encodeTf,
  quaternionOfYaw,
} from '../formats/cdr/index.ts';
import { LIDAR, ROBOT } from './robot-model.ts';
import { SIM_TOPICS } from './topics.ts';

const { frames, laser } = ROBOT;
const RAY_ANGLE = (2 * Math.PI) / LIDAR.rays;
/** Measured ten times a second, all rays at once: a real one turns meanwhile. */
const SCAN_TIME = 0.1;
const NO_INTENSITIES = new Float32Array(0);

/** Variances of x, y and yaw; large values mark the axes that a planar robot does not have. */
function covariance(x: number, y: number, yaw: number): Float64Array {
  const matrix = new Float64Array(36);
  const diagonal = [x, y, 1e6, 1e6, 1e6, yaw];
  for (let i = 0; i < 6; i++) matrix[i * 7] = diagonal[i]!;
  return matrix;
}
const ODOM_COVARIANCE = covariance(0.001, 0.001, 0.003);
const TRUTH_COVARIANCE = covariance(0, 0, 0);

function sample(spec: { topic: string; type: string }, time: Nanoseconds, bytes: Uint8Array): Sample {
  return { topic: spec.topic, type: spec.type, stamp: time, received: time, bytes };
}

/** Ranges in metres, `Infinity` where nothing was hit (REP-117). */
export function scanSample(time: Nanoseconds, ranges: Float32Array): Sample {
  return sample(
    SIM_TOPICS.scan,
    time,
    encodeLaserScan({
      header: { stamp: time, frame_id: frames.laser },
      angle_min: 0,
      angle_max: RAY_ANGLE * (LIDAR.rays - 1),
      angle_increment: RAY_ANGLE,
      time_increment: 0,
      scan_time: SCAN_TIME,
      range_min: LIDAR.rangeMin,
      range_max: LIDAR.rangeMax,
      ranges,
      intensities: NO_INTENSITIES,
    }),
  );
}

export function odomSample(time: Nanoseconds, pose: Pose2d, twist: Twist2d): Sample {
  return sample(SIM_TOPICS.odom, time, odometry(time, frames.odom, pose, twist, ODOM_COVARIANCE));
}

/** The true pose, in the frame `maze`. */
export function groundTruthSample(time: Nanoseconds, pose: Pose2d, twist: Twist2d): Sample {
  return sample(SIM_TOPICS.groundTruth, time, odometry(time, frames.maze, pose, twist, TRUTH_COVARIANCE));
}

function odometry(
  time: Nanoseconds,
  frame: string,
  pose: Pose2d,
  twist: Twist2d,
  matrix: Float64Array,
): Uint8Array {
  return encodeOdometry({
    header: { stamp: time, frame_id: frame },
    child_frame_id: frames.base,
    pose: {
      pose: { position: { x: pose.x, y: pose.y, z: 0 }, orientation: quaternionOfYaw(pose.yaw) },
      covariance: matrix,
    },
    twist: {
      twist: { linear: { x: twist.linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: twist.angular } },
      covariance: matrix,
    },
  });
}

/** `odom` to `base_link`. */
export function tfSample(time: Nanoseconds, pose: Pose2d): Sample {
  return sample(SIM_TOPICS.tf, time, transform(time, frames.odom, frames.base, { ...pose, z: 0 }));
}

/** `base_link` to the lidar. */
export function tfStaticSample(time: Nanoseconds): Sample {
  return sample(SIM_TOPICS.tfStatic, time, transform(time, frames.base, frames.laser, laser));
}

function transform(time: Nanoseconds, parent: string, child: string, at: Pose2d & { z: number }): Uint8Array {
  return encodeTf([
    {
      header: { stamp: time, frame_id: parent },
      child_frame_id: child,
      transform: { translation: { x: at.x, y: at.y, z: at.z }, rotation: quaternionOfYaw(at.yaw) },
    },
  ]);
}

export function clockSample(time: Nanoseconds): Sample {
  return sample(SIM_TOPICS.clock, time, encodeClock(time));
}
export function bumperSample(time: Nanoseconds, pressed: boolean): Sample {
  return sample(SIM_TOPICS.bumper, time, encodeBool(pressed));
}
export function hardestContactSample(time: Nanoseconds, speed: number): Sample {
  return sample(SIM_TOPICS.hardestContact, time, encodeFloat32(speed));
}
export function exitSample(time: Nanoseconds, reached: boolean): Sample {
  return sample(SIM_TOPICS.exitReached, time, encodeBool(reached));
}
