/** Where things are: transforms of /tf in the plane, x and y in metres, yaw in radians (REP-103). Pure. */
import type { Pose } from '../../lib/views.ts';

export type Quaternion = { readonly x: number; readonly y: number; readonly z: number; readonly w: number };
export type RosPose = {
  readonly position: { readonly x: number; readonly y: number };
  readonly orientation: Quaternion;
};

/** Made-up names must not fill the memory of the page. */
const FRAMES_MAX = 2_048;
const bare = (name: string) => name.replace(/^\/+/, '');

export const yawOf = ({ x, y, z, w }: Quaternion): number =>
  Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z));
export const poseOf = ({ position, orientation }: RosPose): Pose => ({
  ...{ x: position.x, y: position.y },
  yaw: yawOf(orientation),
});

/** First `inner`, then `outer`. */
export function compose(outer: Pose, inner: Pose): Pose {
  const [cos, sin] = [Math.cos(outer.yaw), Math.sin(outer.yaw)];
  return {
    x: outer.x + cos * inner.x - sin * inner.y,
    y: outer.y + sin * inner.x + cos * inner.y,
    yaw: outer.yaw + inner.yaw,
  };
}

export function invert({ x, y, yaw }: Pose): Pose {
  const [cos, sin] = [Math.cos(yaw), Math.sin(yaw)];
  return { x: -(cos * x + sin * y), y: sin * x - cos * y, yaw: -yaw };
}

const HERE: Pose = { x: 0, y: 0, yaw: 0 };

/** The newest transform of each frame. */
export class PlaneFrames {
  readonly #parents = new Map<string, { readonly parent: string; readonly pose: Pose }>();

  set(parent: string, child: string, pose: Pose): void {
    const [above, frame] = [bare(parent), bare(child)];
    const isNew = !this.#parents.has(frame);
    if (above === '' || frame === '' || (isNew && this.#parents.size >= FRAMES_MAX)) return;
    if (![pose.x, pose.y, pose.yaw].every(Number.isFinite)) return;
    // Frames that form a loop have no place.
    if (this.#chain(above).some(({ frame: one }) => one === frame)) return;
    this.#parents.set(frame, { parent: above, pose });
  }

  clear(): void {
    this.#parents.clear();
  }

  has(name: string): boolean {
    const frame = bare(name);
    return this.#parents.has(frame) || [...this.#parents.values()].some(({ parent }) => parent === frame);
  }

  /** The root above a frame. */
  rootOf(name: string): string {
    return this.#chain(bare(name)).at(-1)!.frame;
  }

  /** Where `source` is in `target`; undefined where no chain of frames joins them. */
  find(target: string, source: string): Pose | undefined {
    const below = this.#chain(bare(source));
    const above = this.#chain(bare(target));
    for (const { frame, pose } of below) {
      const shared = above.find((one) => one.frame === frame);
      if (shared) return compose(invert(shared.pose), pose);
    }
    return undefined;
  }

  /** The frame and all above it, each with the pose of the first frame in it. */
  #chain(name: string): { readonly frame: string; readonly pose: Pose }[] {
    const chain = [{ frame: name, pose: HERE }];
    for (let at = this.#parents.get(name); at; at = this.#parents.get(at.parent))
      chain.push({ frame: at.parent, pose: compose(at.pose, chain.at(-1)!.pose) });
    return chain;
  }
}
