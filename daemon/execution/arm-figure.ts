import type { ArmFigure, ArmState, JointReading } from '../../contract/core.ts';
import { LinkPoints, type UrdfModel } from '../../formats/urdf/index.ts';

export type FigureSpec = {
  /** Absent: it is unknown how the links are connected. */
  readonly model: UrdfModel | undefined;
  /** Why not, where there is one that cannot be read. */
  readonly fault?: string;
  readonly base: string;
  readonly tool: string;
  /** Joints in the order in which they are shown; empty: as they are reported. */
  readonly joints: readonly string[];
  /** Joint of the gripper; empty: one that slides and does not move the tool, where there is one. */
  readonly gripper: string;
  /** Limits that are tighter than those of the model. */
  readonly limits: readonly { readonly name: string; readonly lower?: number; readonly upper?: number }[];
};

type Readings = Readonly<Record<string, JointReading>>;

/** The arm to be looked at. No motion depends on it: what is not known is left out, with the reason. */
export class ArmFigureView {
  readonly #spec: FigureSpec;
  readonly #way: LinkPoints | undefined;
  readonly #gripper: string | undefined;
  readonly #reason: string;

  constructor(spec: FigureSpec) {
    this.#spec = spec;
    const { way, reason } = wayOf(spec);
    this.#way = way;
    this.#reason = reason;
    const slides = (spec.model?.joints ?? []).filter(
      ({ name, type }) => type === 'prismatic' && spec.joints.includes(name) && !way?.joints.includes(name),
    );
    this.#gripper = spec.gripper === '' ? slides[0]?.name : spec.gripper;
  }

  /** `told`: newest positions by joint, from any source. The state of the arm has precedence. */
  of(state: ArmState | undefined, told: Readings, connected: boolean): ArmFigure {
    const readings = { ...told, ...state?.joints };
    const { joints, base } = this.#spec;
    const names = joints.length > 0 ? joints : Object.keys(state?.joints ?? {});
    const gripper = this.#gripper;
    const shown = gripper === undefined || names.includes(gripper) ? names : [...names, gripper];
    return {
      motion: state?.motion ?? 'idle',
      connected: state?.connected ?? connected,
      joints: shown.map((name) => this.#joint(name, readings[name])),
      ...(gripper === undefined ? {} : { gripper }),
      frame: base,
      ...this.#points(readings),
    };
  }

  #points(readings: Readings): Pick<ArmFigure, 'points' | 'reason'> {
    if (!this.#way) return { points: [], reason: this.#reason };
    const untold = this.#way.joints.filter((name) => !isNumber(readings[name]?.position));
    if (untold.length > 0) return { points: [], reason: `no position received yet for ${untold.join(', ')}` };
    return { points: this.#way.place(this.#way.joints.map((name) => readings[name]!.position)), reason: '' };
  }

  #joint(name: string, reading: JointReading | undefined): ArmFigure['joints'][number] {
    const joint = this.#spec.model?.joints.find((one) => one.name === name);
    const row = this.#spec.limits.find((one) => one.name === name);
    const lower = row?.lower ?? joint?.limit?.lower;
    const upper = row?.upper ?? joint?.limit?.upper;
    return {
      name,
      kind: joint?.type === 'prismatic' ? 'slides' : joint ? 'turns' : 'unknown',
      ...(isNumber(reading?.position) ? { position: reading!.position } : {}),
      ...(isNumber(lower) ? { lower: lower! } : {}),
      ...(isNumber(upper) ? { upper: upper! } : {}),
    };
  }
}

function wayOf({ model, fault, base, tool }: FigureSpec): { way: LinkPoints | undefined; reason: string } {
  if (!model) return { way: undefined, reason: fault ?? 'no URDF: gate.urdf is empty' };
  try {
    return { way: new LinkPoints(model, base, tool), reason: '' };
  } catch (error) {
    return { way: undefined, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** A continuous joint has no ends, and a sensor may report none. */
function isNumber(value: number | undefined): boolean {
  return value !== undefined && Number.isFinite(value);
}
