import type { ToolPoint } from '../../../formats/urdf/index.ts';
import type { Box, Workspace } from './gate-spec.ts';
import type { JointAxis } from './joint-axis.ts';

/** Places looked at on the way to rest, first and last included. */
const LOOKS = 12;
/** Air that is kept from the walls beside what is configured: between two looks the way may bulge, metres. */
const MARGIN_M = 0.003;
const ROUNDING_M = 1e-9;

/**
 * Keeps the tool point where it may be: a step is allowed when the tool, at its end and on the way to rest from
 * there, is inside. A tool that is outside already may move, as long as it gets no further out.
 */
export class WorkspaceGuard {
  readonly #tool: ToolPoint;
  readonly #axes: readonly JointAxis[];
  readonly #inside: readonly Box[];
  readonly #keepOut: readonly Box[];
  readonly #positions: Float64Array;
  readonly #point = new Float64Array(3);

  constructor({ inside, keepOut }: Workspace, tool: ToolPoint, axes: readonly JointAxis[]) {
    this.#tool = tool;
    this.#axes = axes;
    this.#inside = inside.map((box) => grown(box, -MARGIN_M));
    this.#keepOut = keepOut.map((box) => grown(box, MARGIN_M));
    this.#positions = new Float64Array(axes.length);
  }

  /** About the step that the joints have thought out. */
  allows(): boolean {
    for (let i = 0; i < this.#axes.length; i++) this.#positions[i] = this.#axes[i]!.position;
    const now = this.#depth();
    let seconds = 0;
    for (const axis of this.#axes) seconds = Math.max(seconds, axis.restSeconds());
    for (let look = 0; look < LOOKS; look++) {
      const at = (seconds * look) / (LOOKS - 1);
      for (let i = 0; i < this.#axes.length; i++) this.#positions[i] = this.#axes[i]!.restPosition(at);
      if (this.#depth() > now + ROUNDING_M) return false;
    }
    return true;
  }

  /** How far the tool point is from where it may be, metres; 0 inside. */
  #depth(): number {
    this.#tool.place(this.#positions, this.#point);
    return depthOf(this.#point, this.#inside, this.#keepOut);
  }
}

/** How far a point is from where it may be, metres; 0: it is there. */
export function depthOf(point: ArrayLike<number>, inside: readonly Box[], keepOut: readonly Box[]): number {
  let deepest = 0;
  for (const box of inside) {
    for (let i = 0; i < 3; i++) deepest = Math.max(deepest, box.min[i]! - point[i]!, point[i]! - box.max[i]!);
  }
  for (const box of keepOut) {
    let within = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) within = Math.min(within, point[i]! - box.min[i]!, box.max[i]! - point[i]!);
    deepest = Math.max(deepest, within);
  }
  return deepest;
}

function grown({ min, max }: Box, by: number): Box {
  return {
    min: [min[0] - by, min[1] - by, min[2] - by],
    max: [max[0] + by, max[1] + by, max[2] + by],
  };
}
