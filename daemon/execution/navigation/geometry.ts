import type { Pose2d } from '../../../contract/core.ts';

/** Planar rigid motions, radians and metres, angles kept in (-pi, pi] so that long runs stay comparable. */
export const IDENTITY: Pose2d = { x: 0, y: 0, yaw: 0 };

export function wrapAngle(angle: number): number {
  let wrapped = angle % (2 * Math.PI);
  if (wrapped > Math.PI) wrapped -= 2 * Math.PI;
  else if (wrapped <= -Math.PI) wrapped += 2 * Math.PI;
  return wrapped;
}

/** `b` given in the frame of `a`, in the frame that `a` is given in. */
export function compose(a: Pose2d, b: Pose2d): Pose2d {
  const c = Math.cos(a.yaw);
  const s = Math.sin(a.yaw);
  return { x: a.x + c * b.x - s * b.y, y: a.y + s * b.x + c * b.y, yaw: wrapAngle(a.yaw + b.yaw) };
}

export function inverse(a: Pose2d): Pose2d {
  const c = Math.cos(a.yaw);
  const s = Math.sin(a.yaw);
  return { x: -c * a.x - s * a.y, y: s * a.x - c * a.y, yaw: wrapAngle(-a.yaw) };
}

/** `b` as seen from `a`. */
export function between(a: Pose2d, b: Pose2d): Pose2d {
  const c = Math.cos(a.yaw);
  const s = Math.sin(a.yaw);
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  return { x: c * dx + s * dy, y: c * dy - s * dx, yaw: wrapAngle(b.yaw - a.yaw) };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
