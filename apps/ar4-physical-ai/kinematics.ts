/**
 * Forward and inverse kinematics of a chain of revolute joints, as URDF describes one. Metres and radians in the
 * base frame of the chain; rotations are row-major 3x3.
 */
/** A joint with equal limits does not move. */
export type ChainJoint = {
  readonly xyz: readonly [number, number, number];
  readonly rpy: readonly [number, number, number];
  readonly axis: readonly [number, number, number];
  readonly lower: number;
  readonly upper: number;
};

/** `tip`: the point of interest along z of the last frame, metres. */
export type Chain = { readonly joints: readonly ChainJoint[]; readonly tip: number };

export type Pose = { readonly position: readonly number[]; readonly rotation: Float64Array };

type Step = { readonly origin: Float64Array; readonly axis: Float64Array; readonly locked: boolean };

/** Damping of the least squares, and when they are good enough: 0.1 mm and 1 mrad. */
const DAMPING = 1e-4;
const ITERATIONS_MAX = 60;
const TOLERANCE_M = 1e-4;
const TOLERANCE_RAD = 1e-3;
/** The solver weighs a radian like this many metres. */
const RADIAN_M = 0.15;
const STEP_MAX_RAD = 0.3;

export function forward(chain: Chain, angles: ArrayLike<number>): Pose {
  return walk(chain, angles).pose;
}

/**
 * Angles that bring the tip to `position` with its z axis straight down and its x axis at `heading` (radians from
 * x of the base, counter-clockwise from above; half a turn is the same), from `start`. Undefined where no such angles
 * exist within the limits of the joints.
 */
export function inverseDown(
  chain: Chain,
  position: readonly number[],
  heading: number,
  start: ArrayLike<number>,
): number[] | undefined {
  const angles = Array.from({ length: chain.joints.length }, (_, i) => start[i]!);
  const wanted = downwards(heading);
  for (let i = 0; i < ITERATIONS_MAX; i++) {
    const { pose, steps } = walk(chain, angles);
    const error = difference(pose, position, wanted);
    const off = Math.hypot(error[0]!, error[1]!, error[2]!);
    const turned = Math.hypot(error[3]!, error[4]!, error[5]!);
    if (off < TOLERANCE_M && turned < TOLERANCE_RAD) return angles;
    const change = solveStep(steps, pose.position, error);
    const scale = Math.min(1, STEP_MAX_RAD / Math.max(...change.map(Math.abs), 1e-9));
    for (let j = 0; j < angles.length; j++) {
      const { lower, upper } = chain.joints[j]!;
      angles[j] = Math.min(upper, Math.max(lower, angles[j]! + change[j]! * scale));
    }
  }
  return undefined;
}

/** z down, x at `heading`: y is what is left. */
function downwards(heading: number): Float64Array {
  const [c, s] = [Math.cos(heading), Math.sin(heading)];
  return Float64Array.of(c, s, 0, s, -c, 0, 0, 0, -1);
}

/** Position error and rotation vector from `pose` to what is wanted. */
function difference(pose: Pose, position: readonly number[], wanted: Float64Array): number[] {
  // wanted * transpose(have): the turn that is left, in the base frame.
  const turn = multiply(wanted, transpose(pose.rotation));
  const vector = [turn[7]! - turn[5]!, turn[2]! - turn[6]!, turn[3]! - turn[1]!];
  const sine = Math.hypot(...vector) / 2;
  const cosine = (turn[0]! + turn[4]! + turn[8]! - 1) / 2;
  const angle = Math.atan2(sine, cosine);
  const scale = sine < 1e-9 ? 0.5 : angle / (2 * sine);
  return [...position.map((value, i) => value - pose.position[i]!), ...vector.map((value) => value * scale)];
}

function walk(chain: Chain, angles: ArrayLike<number>): { pose: Pose; steps: Step[] } {
  let rotation: Float64Array = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  let origin: Float64Array = new Float64Array(3);
  const steps = chain.joints.map(({ xyz, rpy, axis, lower, upper }, i) => {
    origin = add(origin, apply(rotation, xyz));
    rotation = multiply(rotation, ofRpy(rpy));
    const step = { origin, axis: apply(rotation, axis), locked: lower === upper };
    rotation = multiply(rotation, aboutAxis(axis, angles[i]!));
    return step;
  });
  const position = [...add(origin, apply(rotation, [0, 0, chain.tip]))];
  return { pose: { position, rotation }, steps };
}

/** Damped least squares: J^T (J J^T + d)^-1 e, positions scaled so that metres and radians compare. */
function solveStep(steps: readonly Step[], tip: readonly number[], error: readonly number[]): number[] {
  const columns = steps.map(({ origin, axis, locked }) => {
    if (locked) return [0, 0, 0, 0, 0, 0];
    const [x, y, z] = [tip[0]! - origin[0]!, tip[1]! - origin[1]!, tip[2]! - origin[2]!];
    return [
      (axis[1]! * z - axis[2]! * y) / RADIAN_M,
      (axis[2]! * x - axis[0]! * z) / RADIAN_M,
      (axis[0]! * y - axis[1]! * x) / RADIAN_M,
      axis[0]!,
      axis[1]!,
      axis[2]!,
    ];
  });
  const scaled = error.map((value, i) => (i < 3 ? value / RADIAN_M : value));
  const square = Array.from({ length: 6 }, (_, r) =>
    Array.from({ length: 6 }, (_, c) => {
      const sum = columns.reduce((total, column) => total + column[r]! * column[c]!, 0);
      return r === c ? sum + DAMPING : sum;
    }),
  );
  const solved = solve(square, scaled);
  return columns.map((column) => column.reduce((total, value, i) => total + value * solved[i]!, 0));
}

/** Gauss with pivots; the matrix is symmetric and positive by its damping. */
function solve(matrix: number[][], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let r = column + 1; r < n; r++) {
      if (Math.abs(rows[r]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = r;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let r = column + 1; r < n; r++) {
      const factor = rows[r]![column]! / rows[column]![column]!;
      for (let c = column; c <= n; c++) rows[r]![c]! -= factor * rows[column]![c]!;
    }
  }
  const result = new Array<number>(n).fill(0);
  for (let r = n - 1; r >= 0; r--) {
    let sum = rows[r]![n]!;
    for (let c = r + 1; c < n; c++) sum -= rows[r]![c]! * result[c]!;
    result[r] = sum / rows[r]![r]!;
  }
  return result;
}

function ofRpy([roll, pitch, yaw]: ChainJoint['rpy']): Float64Array {
  const [cr, sr, cp, sp] = [Math.cos(roll), Math.sin(roll), Math.cos(pitch), Math.sin(pitch)];
  const [cy, sy] = [Math.cos(yaw), Math.sin(yaw)];
  return Float64Array.of(
    cy * cp,
    cy * sp * sr - sy * cr,
    cy * sp * cr + sy * sr,
    sy * cp,
    sy * sp * sr + cy * cr,
    sy * sp * cr - cy * sr,
    -sp,
    cp * sr,
    cp * cr,
  );
}

/** Rodrigues, about a unit axis. */
function aboutAxis([x, y, z]: ChainJoint['axis'], angle: number): Float64Array {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const t = 1 - c;
  return Float64Array.of(
    t * x * x + c,
    t * x * y - s * z,
    t * x * z + s * y,
    t * x * y + s * z,
    t * y * y + c,
    t * y * z - s * x,
    t * x * z - s * y,
    t * y * z + s * x,
    t * z * z + c,
  );
}

function multiply(a: Float64Array, b: Float64Array): Float64Array {
  const result = new Float64Array(9);
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 3; c++) {
      result[3 * r + c] = a[3 * r]! * b[c]! + a[3 * r + 1]! * b[3 + c]! + a[3 * r + 2]! * b[6 + c]!;
    }
  }
  return result;
}

function transpose(a: Float64Array): Float64Array {
  return Float64Array.of(a[0]!, a[3]!, a[6]!, a[1]!, a[4]!, a[7]!, a[2]!, a[5]!, a[8]!);
}

function apply(a: Float64Array, v: readonly [number, number, number]): Float64Array {
  return Float64Array.of(
    a[0]! * v[0] + a[1]! * v[1] + a[2]! * v[2],
    a[3]! * v[0] + a[4]! * v[1] + a[5]! * v[2],
    a[6]! * v[0] + a[7]! * v[1] + a[8]! * v[2],
  );
}

function add(a: Float64Array, b: Float64Array): Float64Array {
  return Float64Array.of(a[0]! + b[0]!, a[1]! + b[1]!, a[2]! + b[2]!);
}
