/** Points and rotations, as plain arrays. Quaternions are w, x, y, z (the order of MuJoCo); matrices are row-major. */
export type Vec3 = readonly [number, number, number];
export type Quaternion = readonly [number, number, number, number];

/** Of roll, pitch, yaw about fixed axes x, y, z, as URDF means them. */
export function quaternionOfRpy([roll, pitch, yaw]: Vec3): Quaternion {
  const [cr, sr] = [Math.cos(roll / 2), Math.sin(roll / 2)];
  const [cp, sp] = [Math.cos(pitch / 2), Math.sin(pitch / 2)];
  const [cy, sy] = [Math.cos(yaw / 2), Math.sin(yaw / 2)];
  return [
    cr * cp * cy + sr * sp * sy,
    sr * cp * cy - cr * sp * sy,
    cr * sp * cy + sr * cp * sy,
    cr * cp * sy - sr * sp * cy,
  ];
}

export function subtract(a: Vec3, b: Vec3): Vec3 {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function normalize(a: Vec3): Vec3 {
  const length = Math.hypot(a[0], a[1], a[2]);
  return [a[0] / length, a[1] / length, a[2] / length];
}

/** Rotates `v` by a row-major 3x3 matrix. */
export function rotate(matrix: ArrayLike<number>, v: Vec3): Vec3 {
  return [
    matrix[0]! * v[0] + matrix[1]! * v[1] + matrix[2]! * v[2],
    matrix[3]! * v[0] + matrix[4]! * v[1] + matrix[5]! * v[2],
    matrix[6]! * v[0] + matrix[7]! * v[1] + matrix[8]! * v[2],
  ];
}
