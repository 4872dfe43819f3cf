import type { Nanoseconds, Sample, TopicSpec } from '../../contract/core.ts';
import {
  CdrWriter,
  encodeBool,
  encodeClock,
  encodeFloat64MultiArray,
  encodeImage,
  encodeJointState,
  writeHeader,
} from '../../formats/cdr/index.ts';
import { ALL_NAMES, ARM_FRAMES, type CameraModel } from './arm-model.ts';
import type { ArmSimulation } from './arm-simulation.ts';
import { ARM_TOPICS, CAMERA_TOPICS } from './arm-topics.ts';

/**
 * What the policy of the reference application knows of the table, in this order: the cube's place (3), sine and
 * cosine of four times its heading, its target (3). Metres in `base_link`.
 */
export function environmentOf({ cube, scene }: ArmSimulation): Float64Array {
  const [w, x, y, z] = cube.orientation;
  const yaw = Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
  const { target } = scene;
  return Float64Array.of(...cube.position, Math.sin(4 * yaw), Math.cos(4 * yaw), target.x, target.y, 0);
}

/** Readings of the arm's sensors and its referee at the end of a window. */
export function armSamples(simulation: ArmSimulation): Sample[] {
  const { time } = simulation;
  return [
    sample(ARM_TOPICS.clock, time, encodeClock(time)),
    jointSample(simulation),
    sample(ARM_TOPICS.environment, time, encodeFloat64MultiArray(environmentOf(simulation))),
  ];
}

/** State by the referee of the table: done, and over the cube. */
export function refereeSamples({ time, success, reached }: ArmSimulation): Sample[] {
  return [
    sample(ARM_TOPICS.success, time, encodeBool(success)),
    sample(ARM_TOPICS.reached, time, encodeBool(reached)),
  ];
}

/** Everything on the table: the cube that is asked for, its target, then the others. */
export function cubesSample(simulation: ArmSimulation): Sample {
  const { time, physics, scene } = simulation;
  const cubes = Array.from({ length: physics.cubes }, (_, i) => physics.cube(i));
  const target = { position: [scene.target.x, scene.target.y, 0], orientation: [1, 0, 0, 0] } as const;
  const poses = [cubes[0]!, target, ...cubes.slice(1)];
  const writer = new CdrWriter(64 + 56 * poses.length);
  writeHeader(writer, { stamp: time, frame_id: ARM_FRAMES.base });
  writer.uint32(poses.length);
  for (const { position, orientation } of poses) {
    const [w, x, y, z] = orientation;
    for (const value of [...position, x, y, z, w]) writer.float64(value);
  }
  return sample(ARM_TOPICS.cubes, time, writer.finish());
}

export function cameraSample(camera: CameraModel, time: Nanoseconds, pixels: Uint8Array): Sample {
  const { width, height, frame } = camera;
  const header = { stamp: time, frame_id: frame };
  const image = { header, width, height, encoding: 'rgb8', bigEndian: false, step: 3 * width, data: pixels };
  return sample(CAMERA_TOPICS[camera.name]!, time, encodeImage(image));
}

function jointSample({ time, physics }: ArmSimulation): Sample {
  const state = {
    header: { stamp: time, frame_id: '' },
    name: ALL_NAMES,
    position: physics.positions(),
    velocity: physics.velocities(),
    effort: physics.efforts(),
  };
  return sample(ARM_TOPICS.joints, time, encodeJointState(state));
}

function sample(spec: TopicSpec, time: Nanoseconds, bytes: Uint8Array): Sample {
  return { topic: spec.topic, type: spec.type, stamp: time, received: time, bytes };
}
