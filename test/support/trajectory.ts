import { CdrWriter } from '../../formats/cdr/index.ts';

export type TrajectoryPoint = {
  readonly positions: readonly number[];
  readonly velocities?: readonly number[];
  readonly seconds: number;
};

/** trajectory_msgs/JointTrajectory as a stranger may write it: any number, any length. */
export function encodeTrajectory(joints: readonly string[], points: readonly TrajectoryPoint[]): Uint8Array {
  const writer = new CdrWriter(256);
  writer.stamp(0n);
  writer.string('');
  writer.uint32(joints.length);
  for (const name of joints) writer.string(name);
  writer.uint32(points.length);
  for (const { positions, velocities = [], seconds } of points) {
    writer.sequence(Float64Array.from(positions));
    writer.sequence(Float64Array.from(velocities));
    writer.sequence(new Float64Array(0));
    writer.sequence(new Float64Array(0));
    writer.int32(Math.floor(seconds));
    writer.uint32(Math.round((seconds - Math.floor(seconds)) * 1e9));
  }
  return writer.finish();
}
