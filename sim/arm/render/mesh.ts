import type { Shape } from './shapes.ts';

/** Triangles of a body in its own frame: nine numbers each, counter-clockwise from outside. */
export type Mesh = Float64Array;

/** Sides of round bodies: at 320 pixels the difference is not visible. */
const SIDES = 16;
const RINGS = 5;

const known = new Map<string, Mesh>();

/** The surface of a shape; equal shapes share one. */
export function meshOf({ kind, size }: Pick<Shape, 'kind' | 'size'>): Mesh {
  const key = `${kind} ${size.join(' ')}`;
  let mesh = known.get(key);
  if (!mesh) {
    mesh = Float64Array.from(build(kind, size));
    known.set(key, mesh);
  }
  return mesh;
}

function build(kind: Shape['kind'], [a, b, c]: Shape['size']): number[] {
  switch (kind) {
    case 'box':
      return box(a, b, c);
    case 'sphere':
      return lathe(arc(a, 0, -Math.PI / 2, Math.PI / 2, 2 * RINGS));
    case 'capsule':
      return lathe([...arc(a, -b, -Math.PI / 2, 0, RINGS), ...arc(a, b, 0, Math.PI / 2, RINGS)]);
    case 'cylinder':
      return lathe([
        [0, -b],
        [a, -b],
        [a, b],
        [0, b],
      ]);
  }
}

/** Points of a circle of radius `r` about height `z`, as radius and height, from one angle to another. */
function arc(r: number, z: number, from: number, to: number, steps: number): [number, number][] {
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = from + ((to - from) * i) / steps;
    return [r * Math.cos(angle), z + r * Math.sin(angle)];
  });
}

/** A profile (radius, height; from below upwards) turned about z. */
function lathe(profile: readonly (readonly [number, number])[]): number[] {
  const triangles: number[] = [];
  for (let i = 0; i + 1 < profile.length; i++) {
    const [r0, z0] = profile[i]!;
    const [r1, z1] = profile[i + 1]!;
    for (let s = 0; s < SIDES; s++) {
      const [u, v] = [(2 * Math.PI * s) / SIDES, (2 * Math.PI * (s + 1)) / SIDES];
      const low0 = [r0 * Math.cos(u), r0 * Math.sin(u), z0];
      const low1 = [r0 * Math.cos(v), r0 * Math.sin(v), z0];
      const high0 = [r1 * Math.cos(u), r1 * Math.sin(u), z1];
      const high1 = [r1 * Math.cos(v), r1 * Math.sin(v), z1];
      if (r0 > 0) triangles.push(...low0, ...low1, ...high1);
      if (r1 > 0) triangles.push(...low0, ...high1, ...high0);
    }
  }
  return triangles;
}

function box(x: number, y: number, z: number): number[] {
  const corner = (i: number) => [i & 1 ? x : -x, i & 2 ? y : -y, i & 4 ? z : -z];
  const faces = [
    [0, 2, 3, 1],
    [4, 5, 7, 6],
    [0, 1, 5, 4],
    [2, 6, 7, 3],
    [0, 4, 6, 2],
    [1, 3, 7, 5],
  ] as const;
  return faces.flatMap(([a, b, c, d]) => [a, b, c, a, c, d].flatMap(corner));
}
