import { EdgeError } from '../../contract/core.ts';
import type { UrdfJoint, UrdfModel, Vector } from './model.ts';

/** One joint between base and tool, with its fixed part worked out. Plain data: it travels to worker threads. */
export type ChainLink = {
  readonly kind: 'fixed' | 'turns' | 'slides';
  /** Index among the joints that are moved; -1 for one that stays at `offset`. */
  readonly joint: number;
  readonly multiplier: number;
  readonly offset: number;
  readonly axis: Vector;
  /** Rows of the rotation, then the translation, of this joint's frame in the one before. */
  readonly rotation: readonly number[];
  readonly translation: Vector;
};

/** From the base to the tool. */
export type ToolChain = { readonly links: readonly ChainLink[] };

/**
 * The way from link `base` to link `tool`, for joints given in the order of `joints`; a joint on it that is not among
 * them stays at zero. Throws `schema.invalid` where `tool` does not hang on `base`, and for joints that neither turn
 * nor slide.
 */
export function toolChain(
  model: UrdfModel,
  base: string,
  tool: string,
  joints: readonly string[],
): ToolChain {
  const above = new Map(model.joints.map((joint) => [joint.child, joint]));
  const found: UrdfJoint[] = [];
  for (let link = tool; link !== base; ) {
    const joint = above.get(link);
    if (!joint) throw bad(tool, `link ${tool} does not hang on ${base}`);
    found.push(joint);
    link = joint.parent;
  }
  return { links: found.reverse().map((joint) => linkOf(joint, joints)) };
}

function linkOf(joint: UrdfJoint, joints: readonly string[]): ChainLink {
  if (joint.type === 'floating' || joint.type === 'planar')
    throw bad(joint.name, `a ${joint.type} joint stands between base and tool`);
  const kind = joint.type === 'fixed' ? 'fixed' : joint.type === 'prismatic' ? 'slides' : 'turns';
  const { mimic } = joint;
  return {
    kind,
    joint: joints.indexOf(mimic?.joint ?? joint.name),
    multiplier: mimic?.multiplier ?? 1,
    offset: mimic?.offset ?? 0,
    axis: joint.axis,
    rotation: rotationOf(joint.rpy),
    translation: joint.xyz,
  };
}

/** Roll about x, then pitch about y, then yaw about z, all of the fixed frame: Rz(yaw) Ry(pitch) Rx(roll). */
function rotationOf([roll, pitch, yaw]: Vector): readonly number[] {
  const [cr, sr, cp, sp] = [Math.cos(roll), Math.sin(roll), Math.cos(pitch), Math.sin(pitch)];
  const [cy, sy] = [Math.cos(yaw), Math.sin(yaw)];
  return [
    ...[cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
    ...[sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
    ...[-sp, cp * sr, cp * cr],
  ];
}

/** Forward kinematics of one point: the origin of the tool frame, in the base frame, metres. Allocates nothing. */
export class ToolPoint {
  readonly #links: readonly ChainLink[];

  constructor({ links }: ToolChain) {
    this.#links = links;
  }

  /** Joint positions in the order that the chain was made for; writes x, y, z. */
  place(positions: ArrayLike<number>, out: Float64Array): void {
    let x = 0;
    let y = 0;
    let z = 0;
    for (let i = this.#links.length - 1; i >= 0; i--) {
      const { kind, joint, multiplier, offset, axis, rotation: r, translation: t } = this.#links[i]!;
      if (kind !== 'fixed') {
        const at = (joint < 0 ? 0 : positions[joint]!) * multiplier + offset;
        const [ux, uy, uz] = axis;
        if (kind === 'slides') {
          x += ux * at;
          y += uy * at;
          z += uz * at;
        } else {
          // Rodrigues: the part along the axis stays, the rest turns.
          const c = Math.cos(at);
          const s = Math.sin(at);
          const along = (ux * x + uy * y + uz * z) * (1 - c);
          const px = x * c + (uy * z - uz * y) * s + ux * along;
          const py = y * c + (uz * x - ux * z) * s + uy * along;
          z = z * c + (ux * y - uy * x) * s + uz * along;
          x = px;
          y = py;
        }
      }
      const rx = r[0]! * x + r[1]! * y + r[2]! * z + t[0];
      const ry = r[3]! * x + r[4]! * y + r[5]! * z + t[1];
      z = r[6]! * x + r[7]! * y + r[8]! * z + t[2];
      x = rx;
      y = ry;
    }
    out[0] = x;
    out[1] = y;
    out[2] = z;
  }
}

function bad(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'read URDF', subject, message });
}
