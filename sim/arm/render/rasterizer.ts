import { cross, normalize, rotate, subtract, type Vec3 } from '../geometry.ts';
import { meshOf } from './mesh.ts';
import type { Shape } from './shapes.ts';

/** A pinhole camera: where it is, what it looks at, and its vertical field of view in radians. */
export type View = {
  readonly position: Vec3;
  readonly towards: Vec3;
  readonly up: Vec3;
  readonly fovY: number;
  readonly width: number;
  readonly height: number;
};

/** rgb8, row by row; depth in metres along the optical axis, 0 where nothing is. */
export type Frame = { readonly rgb: Uint8Array; readonly depth: Float32Array };

const NEAR = 0.01;
const BACKGROUND = [176, 190, 204] as const;
/** Direction of the light, and the brightness of surfaces turned away from it. */
const LIGHT = normalize([0.4, -0.5, 0.9]);
const AMBIENT = 0.55;

/**
 * What a camera sees, by a z-buffer: solid colours, one light, no shadows. Needs no library: equal shapes give equal
 * bytes on every machine that computes doubles.
 */
export class Rasterizer {
  readonly #width: number;
  readonly #height: number;
  readonly #inverse: Float32Array;
  readonly #rgb: Uint8Array;
  readonly #background: Uint8Array;
  readonly #corners = new Float64Array(9);
  readonly #clipped = new Float64Array(12);

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#inverse = new Float32Array(width * height);
    this.#rgb = new Uint8Array(3 * width * height);
    this.#background = this.#rgb.map((_, i) => BACKGROUND[i % 3]!);
  }

  /** Copies: the caller owns them. */
  render(shapes: readonly Shape[], view: View): Frame {
    this.#inverse.fill(0);
    this.#rgb.set(this.#background);
    const { axes, focal } = optics(view);
    const light = rotate(axes, LIGHT);
    for (const shape of shapes) this.#draw(shape, view.position, axes, light, focal);
    return { rgb: this.#rgb.slice(), depth: this.#inverse.map((value) => (value === 0 ? 0 : 1 / value)) };
  }

  /** `light`: towards the light, in the camera's frame, as everything here. */
  #draw(shape: Shape, eye: Vec3, axes: Float64Array, light: Vec3, focal: number): void {
    const mesh = meshOf(shape);
    const turn = multiplied(axes, shape.axes);
    const [ox, oy, oz] = rotate(axes, subtract(shape.position, eye));
    const c = this.#corners;
    for (let t = 0; t < mesh.length; t += 9) {
      for (let k = 0; k < 9; k += 3) {
        const [x, y, z] = [mesh[t + k]!, mesh[t + k + 1]!, mesh[t + k + 2]!];
        c[k] = turn[0]! * x + turn[1]! * y + turn[2]! * z + ox;
        c[k + 1] = turn[3]! * x + turn[4]! * y + turn[5]! * z + oy;
        c[k + 2] = turn[6]! * x + turn[7]! * y + turn[8]! * z + oz;
      }
      const [ax, ay, az] = [c[3]! - c[0]!, c[4]! - c[1]!, c[5]! - c[2]!];
      const [bx, by, bz] = [c[6]! - c[0]!, c[7]! - c[1]!, c[8]! - c[2]!];
      const [nx, ny, nz] = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
      // The far side of a solid body is never seen.
      if (nx * c[0]! + ny * c[1]! + nz * c[2]! >= 0) continue;
      const lit = (nx * light[0] + ny * light[1] + nz * light[2]) / Math.hypot(nx, ny, nz);
      this.#fillClipped(c, focal, shaded(shape.colour, lit));
    }
  }

  /** The part of a triangle before the camera: none, all, or one or two triangles. */
  #fillClipped(c: Float64Array, focal: number, colour: readonly number[]): void {
    const out = this.#clipped;
    let count = 0;
    for (let i = 0; i < 3; i++) {
      const [a, b] = [3 * i, 3 * ((i + 1) % 3)];
      const [za, zb] = [c[a + 2]!, c[b + 2]!];
      if (za >= NEAR) {
        out.set(c.subarray(a, a + 3), 3 * count++);
      }
      if (za >= NEAR !== zb >= NEAR) {
        const s = (NEAR - za) / (zb - za);
        for (let k = 0; k < 3; k++) out[3 * count + k] = c[a + k]! + s * (c[b + k]! - c[a + k]!);
        count++;
      }
    }
    for (let i = 1; i + 1 < count; i++) this.#fill(out, 0, i, i + 1, focal, colour);
  }

  #fill(
    p: Float64Array,
    i: number,
    j: number,
    k: number,
    focal: number,
    [red, green, blue]: readonly number[],
  ): void {
    const [width, height] = [this.#width, this.#height];
    // 1/z is linear on the screen.
    const [w0, w1, w2] = [1 / p[3 * i + 2]!, 1 / p[3 * j + 2]!, 1 / p[3 * k + 2]!];
    const x0 = width / 2 + focal * p[3 * i]! * w0;
    const y0 = height / 2 + focal * p[3 * i + 1]! * w0;
    const x1 = width / 2 + focal * p[3 * j]! * w1;
    const y1 = height / 2 + focal * p[3 * j + 1]! * w1;
    const x2 = width / 2 + focal * p[3 * k]! * w2;
    const y2 = height / 2 + focal * p[3 * k + 1]! * w2;
    const area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
    if (Math.abs(area) < 1e-9) return;
    const left = Math.max(0, Math.floor(Math.min(x0, x1, x2)));
    const right = Math.min(width - 1, Math.ceil(Math.max(x0, x1, x2)));
    const top = Math.max(0, Math.floor(Math.min(y0, y1, y2)));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(y0, y1, y2)));
    const [inverse, rgb] = [this.#inverse, this.#rgb];
    // Steps of the two barycentric coordinates along x.
    const [da, db] = [(y2 - y0) / area, -(y1 - y0) / area];
    for (let y = top; y <= bottom; y++) {
      const cy = y + 0.5 - y0;
      let a = ((left + 0.5 - x0) * (y2 - y0) - (x2 - x0) * cy) / area;
      let b = ((x1 - x0) * cy - (left + 0.5 - x0) * (y1 - y0)) / area;
      for (let x = left; x <= right; x++, a += da, b += db) {
        if (a < 0 || b < 0 || a + b > 1) continue;
        const w = w0 + a * (w1 - w0) + b * (w2 - w0);
        const at = y * width + x;
        if (w <= inverse[at]!) continue;
        inverse[at] = w;
        rgb[3 * at] = red!;
        rgb[3 * at + 1] = green!;
        rgb[3 * at + 2] = blue!;
      }
    }
  }
}

/** Rows: right, down and forward of the camera; and the focal length in pixels. */
export function optics({ position, towards, up, fovY, height }: View): { axes: Float64Array; focal: number } {
  const forward = normalize(subtract(towards, position));
  const right = normalize(cross(forward, up));
  const down = cross(forward, right);
  return { axes: Float64Array.of(...right, ...down, ...forward), focal: height / 2 / Math.tan(fovY / 2) };
}

/** `lit`: cosine between surface and light. */
function shaded(colour: readonly number[], lit: number): number[] {
  const bright = AMBIENT + (1 - AMBIENT) * Math.max(0, lit);
  return colour.map((value) => Math.round(255 * Math.min(1, value * bright)));
}

function multiplied(a: Float64Array, b: Float64Array): Float64Array {
  const product = new Float64Array(9);
  for (let i = 0; i < 9; i++) {
    const [row, column] = [3 * Math.floor(i / 3), i % 3];
    product[i] = a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!;
  }
  return product;
}
