import { EdgeError } from '../../contract/core.ts';
import type { TransformStamped } from '../cdr/geometry.ts';

export type Vector = { readonly x: number; readonly y: number; readonly z: number };
export type Quaternion = Vector & { readonly w: number };

/**
 * A point in the frame asked from, put into the frame asked for: rotate by `rotation`, then add `translation` (metres).
 */
export type Transform = {
  readonly translation: Vector;
  readonly rotation: Quaternion;
  /** Oldest stamp of the moving transforms on the way, nanoseconds; undefined when all of them are static. */
  readonly stamp: bigint | undefined;
};

export type FrameInfo = {
  readonly frame: string;
  readonly parent: string;
  readonly fixed: boolean;
  readonly stamp: bigint;
  readonly translation: Vector;
  readonly rotation: Quaternion;
};

/** Frames of a robot with its sensors and joints are some hundred; more means that names are being made up. */
const FRAMES_MAX = 4_096;

/**
 * The tree of coordinate frames (REP-105) as /tf and /tf_static describe it: each frame has one parent, and its
 * newest transform counts. Pure; uses no clock, only stamps.
 */
export class TfTree {
  readonly #frames = new Map<string, FrameInfo>();

  /**
   * Takes one transform. An older one than known is ignored; a static one outlasts moving ones of its frame.
   * Throws `sample.malformed` for names, numbers or parents that make no tree.
   */
  update({ header, child_frame_id, transform }: TransformStamped, fixed: boolean): void {
    const frame = bare(child_frame_id);
    const parent = bare(header.frame_id);
    if (frame === '' || parent === '') throw malformed(frame || parent, 'a frame has no name');
    if (frame === parent) throw malformed(frame, 'a frame cannot be its own parent');
    const { translation, rotation } = transform;
    const length = Math.hypot(rotation.x, rotation.y, rotation.z, rotation.w);
    const finite = [translation.x, translation.y, translation.z, length].every(Number.isFinite);
    if (!finite || Math.abs(length - 1) > 0.01)
      throw malformed(frame, 'the rotation is not a unit quaternion, or a number is not finite');
    const known = this.#frames.get(frame);
    if (known?.parent === parent && header.stamp < known.stamp) return;
    if (known?.fixed && !fixed) return;
    if (!known && this.#frames.size >= FRAMES_MAX) throw malformed(frame, `more than ${FRAMES_MAX} frames`);
    if (this.#chain(parent).includes(frame))
      throw malformed(frame, `${parent} is already a descendant of ${frame}: the frames would form a loop`);
    this.#frames.set(frame, { frame, parent, fixed, stamp: header.stamp, translation, rotation });
  }

  /** Every frame that has a parent, by name. */
  frames(): readonly FrameInfo[] {
    return [...this.#frames.values()].sort((a, b) => (a.frame < b.frame ? -1 : 1));
  }

  /** Names of all frames, the roots included. */
  names(): readonly string[] {
    const all = this.frames();
    return [...new Set(all.flatMap(({ frame, parent }) => [frame, parent]))].sort();
  }

  /**
   * The newest transform that puts points given in `source` into `target`. Throws `ros.not_found` for a frame
  that was never published, and for two that no chain of parents joins.
   */
  lookup(target: string, source: string): Transform {
    const [to, from] = [this.#known(target), this.#known(source)];
    const above = this.#chain(to);
    const fromChain = this.#chain(from);
    const common = fromChain.find((frame) => above.includes(frame));
    if (common === undefined) {
      throw notFound(`${target} and ${source}`, `no chain of frames connects ${target} and ${source}`);
    }
    const up = this.#toAncestor(from, common);
    const down = invert(this.#toAncestor(to, common));
    return compose(down, up);
  }

  /** The frame itself, its parent, and so on up to the root. */
  #chain(frame: string): string[] {
    const chain = [frame];
    for (let at = this.#frames.get(frame); at; at = this.#frames.get(at.parent)) chain.push(at.parent);
    return chain;
  }

  #toAncestor(frame: string, ancestor: string): Transform {
    let sum: Transform = IDENTITY;
    for (let at = frame; at !== ancestor; ) {
      const { parent, translation, rotation, fixed, stamp } = this.#frames.get(at)!;
      sum = compose({ translation, rotation, stamp: fixed ? undefined : stamp }, sum);
      at = parent;
    }
    return sum;
  }

  #known(name: string): string {
    const frame = bare(name);
    if (this.#frames.has(frame)) return frame;
    const names = this.names();
    if (names.includes(frame)) return frame;
    const some = names.slice(0, 20).join(', ') || 'none';
    throw notFound(name, `unknown frame ${name}: it has not been published; known frames: ${some}`);
  }
}

const IDENTITY: Transform = {
  translation: { x: 0, y: 0, z: 0 },
  rotation: { x: 0, y: 0, z: 0, w: 1 },
  stamp: undefined,
};

/** tf2 dropped the leading slash of tf; old nodes still write it. */
function bare(name: string): string {
  return name.replace(/^\/+/, '');
}

/** First `inner`, then `outer`. */
function compose(outer: Transform, inner: Transform): Transform {
  const moved = rotate(outer.rotation, inner.translation);
  return {
    translation: {
      x: outer.translation.x + moved.x,
      y: outer.translation.y + moved.y,
      z: outer.translation.z + moved.z,
    },
    rotation: product(outer.rotation, inner.rotation),
    stamp: older(outer.stamp, inner.stamp),
  };
}

function invert({ translation, rotation, stamp }: Transform): Transform {
  const back = { x: -rotation.x, y: -rotation.y, z: -rotation.z, w: rotation.w };
  const { x, y, z } = rotate(back, translation);
  return { translation: { x: -x, y: -y, z: -z }, rotation: back, stamp };
}

function product(a: Quaternion, b: Quaternion): Quaternion {
  return {
    x: a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
    y: a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
    z: a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
    w: a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
  };
}

function rotate(q: Quaternion, v: Vector): Vector {
  const { x, y, z } = product(product(q, { ...v, w: 0 }), { x: -q.x, y: -q.y, z: -q.z, w: q.w });
  return { x, y, z };
}

function older(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined) return b;
  return b === undefined || a < b ? a : b;
}

function malformed(frame: string, message: string): EdgeError {
  return new EdgeError('sample.malformed', { operation: 'take a transform', subject: frame, message });
}
function notFound(subject: string, message: string): EdgeError {
  return new EdgeError('ros.not_found', {
    operation: 'look up a transform',
    subject,
    message,
    hint: 'auraison ros tf shows the tree',
  });
}
