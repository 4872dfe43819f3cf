import { EdgeError, type JointTarget } from '../../../contract/core.ts';
import { ToolPoint } from '../../../formats/urdf/index.ts';
import type { JointGateSpec } from './gate-spec.ts';
import { depthOf } from './workspace.ts';

/** Places looked at between two points, the second included. */
const LOOKS = 8;
const ROUNDING = 1e-6;

/**
 * A trajectory is carried out by the robot's own controller and does not pass through the joint gate step by step: it
 * is looked at as a whole before it begins. Throws `command.refused` with the joint, or the point, that does not fit:
 * positions and the mean velocities between points, and the tool point where all its joints are told. Joints that the
 * gate does not know are the controller's business.
 */
export function checkTrajectory(spec: JointGateSpec, points: readonly JointTarget[]): void {
  let before: JointTarget | undefined;
  for (const [i, point] of points.entries()) {
    for (const limits of spec.joints) {
      const { name, lower, upper, velocity } = limits;
      const at = own(point, name);
      if (at === undefined) continue;
      if (!(at >= lower - ROUNDING && at <= upper + ROUNDING))
        throw refused(name, `point ${i + 1}: position of ${name} ${at} is not within ${lower} and ${upper}`);
      const from = before && own(before, name);
      const seconds = before ? (point.timeFromStartMs - before.timeFromStartMs) / 1000 : 0;
      if (from !== undefined && Math.abs(at - from) > velocity * seconds * (1 + ROUNDING) + ROUNDING)
        throw refused(name, `point ${i + 1}: velocity of ${name} is above ${velocity} per second`);
    }
    checkTool(spec, before, point, i);
    before = point;
  }
}

function checkTool(
  spec: JointGateSpec,
  before: JointTarget | undefined,
  point: JointTarget,
  i: number,
): void {
  const { workspace, joints } = spec;
  if (!workspace) return;
  const to = joints.map(({ name }) => own(point, name));
  const from = joints.map(({ name }, at) => (before && own(before, name)) ?? to[at]);
  const tool = new ToolPoint(workspace.chain);
  const place = new Float64Array(3);
  for (const { joint } of workspace.chain.links) if (joint >= 0 && to[joint] === undefined) return;
  for (let look = 1; look <= LOOKS; look++) {
    const positions = to.map((end, at) => (from[at] ?? 0) + (((end ?? 0) - (from[at] ?? 0)) * look) / LOOKS);
    tool.place(positions, place);
    if (depthOf(place, workspace.inside, workspace.keepOut) > ROUNDING)
      throw refused(
        'workspace',
        `point ${i + 1}: the tool would be at ${[...place].map((m) => m.toFixed(3)).join(', ')} m`,
      );
  }
}

function own({ positions }: JointTarget, name: string): number | undefined {
  return Object.hasOwn(positions, name) ? positions[name] : undefined;
}

function refused(subject: string, message: string): EdgeError {
  return new EdgeError('command.refused', {
    operation: 'joint gate',
    subject,
    message,
    hint: 'limits are those of gate.urdf and [gate]; docs/safety.md',
  });
}
