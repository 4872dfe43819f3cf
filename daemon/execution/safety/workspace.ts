import type { ToolChain, ToolPoint } from '../../../formats/urdf/index.ts';
import type { Box, JointLimits, Workspace } from './gate-spec.ts';
import type { JointAxis } from './joint-axis.ts';

/** The tool is looked at this often on its way, metres, and at so many places at most. */
const LOOK_M = 0.008;
const LOOKS_MAX = 128;
/** A joint on its way to rest is faster than in the mean, by this much at most. */
const UNEVEN = 2;
/** Air that is kept from the walls beside what is configured: between two looks the way may cut a corner, metres. */
const MARGIN_M = 0.003;
/** Two looks so near to each other miss nothing: a way into a box and out again is longer than its air on both sides. */
export const NEXT_LOOK_M = 2 * MARGIN_M;
const ROUNDING_M = 1e-9;

/**
 * Keeps the tool point where it may be: a step is allowed when the tool is inside on the way to its end, and from
 * there on the way to rest. A tool that is outside already may move, as long as it gets no further out.
 */
export class WorkspaceGuard {
  readonly #tool: ToolPoint;
  readonly #axes: readonly JointAxis[];
  readonly #inside: readonly Box[];
  readonly #keepOut: readonly Box[];
  /** How far the tool moves at most when a joint moves by one: metres per radian or metre. */
  readonly #reach: Float64Array;
  readonly #positions: Float64Array;
  readonly #point = new Float64Array(3);

  constructor(workspace: Workspace, tool: ToolPoint, axes: readonly JointAxis[]) {
    const { inside, keepOut } = withAir(workspace);
    this.#tool = tool;
    this.#axes = axes;
    this.#inside = inside;
    this.#keepOut = keepOut;
    this.#reach = reachOf(
      workspace.chain,
      axes.map(({ limits }) => limits),
    );
    this.#positions = new Float64Array(axes.length);
  }

  /** About the step that the joints have thought out. */
  allows(): boolean {
    const axes = this.#axes;
    for (let i = 0; i < axes.length; i++) this.#positions[i] = axes[i]!.position;
    const deepest = this.#depth() + ROUNDING_M;
    let way = 0;
    for (let i = 0; i < axes.length; i++)
      way += this.#reach[i]! * Math.abs(axes[i]!.nextPosition - axes[i]!.position);
    for (let look = 1, looks = looksOn(way); look <= looks; look++) {
      for (let i = 0; i < axes.length; i++) {
        const { position, nextPosition } = axes[i]!;
        this.#positions[i] = position + ((nextPosition - position) * look) / looks;
      }
      if (this.#depth() > deepest) return false;
    }
    return this.#restsWithin(deepest);
  }

  #restsWithin(deepest: number): boolean {
    const axes = this.#axes;
    let seconds = 0;
    for (const axis of axes) seconds = Math.max(seconds, axis.restSeconds());
    let way = 0;
    for (let i = 0; i < axes.length; i++)
      way += this.#reach[i]! * Math.abs(axes[i]!.restPosition(seconds) - axes[i]!.nextPosition);
    for (let look = 1, looks = looksOn(way * UNEVEN); look <= looks; look++) {
      for (let i = 0; i < axes.length; i++)
        this.#positions[i] = axes[i]!.restPosition((seconds * look) / looks);
      if (this.#depth() > deepest) return false;
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

/** The boxes with air before their walls. */
export function withAir({ inside, keepOut }: Workspace): Pick<Workspace, 'inside' | 'keepOut'> {
  return {
    inside: inside.map((box) => grown(box, -MARGIN_M)),
    keepOut: keepOut.map((box) => grown(box, MARGIN_M)),
  };
}

function grown({ min, max }: Box, by: number): Box {
  return {
    min: [min[0] - by, min[1] - by, min[2] - by],
    max: [max[0] + by, max[1] + by, max[2] + by],
  };
}

function looksOn(metres: number): number {
  return Math.min(LOOKS_MAX, Math.max(1, Math.ceil(metres / LOOK_M)));
}

/**
 * How far the tool moves at most when a joint moves by one: the stretched length of all that hangs on it. Joints in
 * the order that the chain was made for.
 */
export function reachOf({ links }: ToolChain, joints: readonly JointLimits[]): Float64Array {
  const reach = new Float64Array(joints.length);
  let length = 0;
  for (const { kind, joint, multiplier, translation } of [...links].reverse()) {
    const moved = joints[joint];
    if (moved) reach[joint]! += Math.abs(multiplier) * (kind === 'slides' ? 1 : length);
    if (moved && kind === 'slides') length += Math.max(Math.abs(moved.lower), Math.abs(moved.upper));
    length += Math.hypot(...translation);
  }
  return reach;
}
