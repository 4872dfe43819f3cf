import type { MjData, MjModel } from '@mujoco/mujoco';

/** A convex body as it is drawn: size as MuJoCo has it (half lengths, radius first where there is one). */
export type Shape = {
  readonly kind: 'box' | 'sphere' | 'capsule' | 'cylinder';
  readonly size: readonly [number, number, number];
  readonly position: readonly [number, number, number];
  /** Row-major axes in the world. */
  readonly axes: Float64Array;
  /** 0 to 1 each. */
  readonly colour: readonly [number, number, number];
};

/** mjtGeom */
const KINDS: Readonly<Record<number, Shape['kind']>> = { 2: 'sphere', 3: 'capsule', 5: 'cylinder', 6: 'box' };

/** The geoms of a world that have a kind we draw. Copies: the engine's memory may move. */
export function readShapes(model: MjModel, data: MjData): Shape[] {
  const types = model.geom_type as Int32Array;
  const sizes = model.geom_size as Float64Array;
  const colours = model.geom_rgba as Float32Array;
  const positions = data.geom_xpos as Float64Array;
  const axes = data.geom_xmat as Float64Array;
  const shapes: Shape[] = [];
  for (let i = 0; i < types.length; i++) {
    const kind = KINDS[types[i]!];
    if (!kind) continue;
    shapes.push({
      kind,
      size: [sizes[3 * i]!, sizes[3 * i + 1]!, sizes[3 * i + 2]!],
      position: [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!],
      axes: axes.slice(9 * i, 9 * i + 9),
      colour: [colours[4 * i]!, colours[4 * i + 1]!, colours[4 * i + 2]!],
    });
  }
  return shapes;
}
