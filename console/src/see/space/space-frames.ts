/** Where things are in space: transforms of /tf, metres and unit quaternions (REP-103). Pure. */

export type Vec = readonly [x: number, y: number, z: number];
export type Quat = readonly [x: number, y: number, z: number, w: number];
export type Place = { readonly at: Vec; readonly turn: Quat };

/** Made-up names must not fill the memory of the page. */
const FRAMES_MAX = 2_048;
export const HERE: Place = { at: [0, 0, 0], turn: [0, 0, 0, 1] };
export const bare = (name: string) => name.replace(/^\/+/, '');

function times([ax, ay, az, aw]: Quat, [bx, by, bz, bw]: Quat): Quat {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

export function rotate([x, y, z, w]: Quat, [vx, vy, vz]: Vec): Vec {
  const [tx, ty, tz] = [2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)];
  return [vx + w * tx + (y * tz - z * ty), vy + w * ty + (z * tx - x * tz), vz + w * tz + (x * ty - y * tx)];
}

/** First `inner`, then `outer`. */
export function compose(outer: Place, inner: Place): Place {
  const [x, y, z] = rotate(outer.turn, inner.at);
  const [ox, oy, oz] = outer.at;
  return { at: [ox + x, oy + y, oz + z], turn: times(outer.turn, inner.turn) };
}

export function invert({ at: [x, y, z], turn: [qx, qy, qz, qw] }: Place): Place {
  const turn: Quat = [-qx, -qy, -qz, qw];
  return { at: rotate(turn, [-x, -y, -z]), turn };
}

/** Roll, pitch and yaw about fixed axes, radians, as in a URDF. */
export function turnOf([roll, pitch, yaw]: Vec): Quat {
  const about = ([x, y, z]: Vec, angle: number): Quat => {
    const s = Math.sin(angle / 2);
    return [x * s, y * s, z * s, Math.cos(angle / 2)];
  };
  return times(times(about([0, 0, 1], yaw), about([0, 1, 0], pitch)), about([1, 0, 0], roll));
}

export function turnAbout([x, y, z]: Vec, angle: number): Quat {
  const s = Math.sin(angle / 2);
  return [x * s, y * s, z * s, Math.cos(angle / 2)];
}

/** The same place with a quaternion of length one; undefined where a number is not finite or the quaternion is zero. */
export function sound({ at, turn }: Place): Place | undefined {
  const length = Math.hypot(...turn);
  if (![...at, ...turn].every(Number.isFinite) || !(length > 1e-9)) return undefined;
  return { at, turn: turn.map((one) => one / length) as unknown as Quat };
}

/** The newest transform of each frame. */
export class SpaceFrames {
  readonly #parents = new Map<string, { readonly parent: string; readonly place: Place }>();

  set(parent: string, child: string, place: Place): void {
    const [above, frame] = [bare(parent), bare(child)];
    const isNew = !this.#parents.has(frame);
    if (above === '' || frame === '' || (isNew && this.#parents.size >= FRAMES_MAX)) return;
    const good = sound(place);
    // Frames that form a loop have no place.
    if (!good || this.#chain(above).some((one) => one.frame === frame)) return;
    this.#parents.set(frame, { parent: above, place: good });
  }

  clear(): void {
    this.#parents.clear();
  }

  has(name: string): boolean {
    const frame = bare(name);
    return this.#parents.has(frame) || [...this.#parents.values()].some(({ parent }) => parent === frame);
  }

  rootOf(name: string): string {
    return this.#chain(bare(name)).at(-1)!.frame;
  }

  /** Where `source` is in `target`; undefined where no chain of frames joins them. */
  find(target: string, source: string): Place | undefined {
    const above = this.#chain(bare(target));
    for (const { frame, place } of this.#chain(bare(source))) {
      const shared = above.find((one) => one.frame === frame);
      if (shared) return compose(invert(shared.place), place);
    }
    return undefined;
  }

  /** The frame and all above it, each with the place of the first frame in it. */
  #chain(name: string): { readonly frame: string; readonly place: Place }[] {
    const chain = [{ frame: name, place: HERE }];
    for (let at = this.#parents.get(name); at; at = this.#parents.get(at.parent))
      chain.push({ frame: at.parent, place: compose(at.place, chain.at(-1)!.place) });
    return chain;
  }
}
