import { EdgeError } from '../../../contract/core.ts';
import { toolChain, type UrdfModel } from '../../../formats/urdf/index.ts';
import type { Box, JointGateSpec, JointLimits } from './gate-spec.ts';

/** What the configuration says of one joint; it may only tighten what the URDF says. */
export type JointRow = { readonly name: string } & Partial<Omit<JointLimits, 'name'>>;
export type BoxRow = Box & { readonly kind: 'inside' | 'keep_out' };

export type GateWishes = {
  /** Names of the joints, in the order in which they are commanded. */
  readonly joints: readonly string[];
  readonly base: string;
  /** Link of the tool point; only asked for where there are boxes. */
  readonly tool: string;
  readonly mode: JointGateSpec['mode'];
  readonly rateMax: number;
  readonly gapSeconds: number;
  readonly startTolerance?: number;
  readonly rows: readonly JointRow[];
  readonly boxes: readonly BoxRow[];
};

/**
 * A URDF knows nothing of acceleration and jerk. Where the configuration is silent too, a joint takes this long to its
 * highest velocity, and this long to the acceleration for it, seconds.
 */
const TO_VELOCITY_SECONDS = 0.2;
const TO_ACCELERATION_SECONDS = 0.05;

/**
 * The limits of some joints, from the URDF and the configuration. Without a URDF the configuration has to give each
 * joint `lower`, `upper` and `velocity`. Throws `config.invalid`: an unknown joint, a limit that would be
 * looser than the URDF's, one that is missing.
 */
export function gateSpec(model: UrdfModel | undefined, wishes: GateWishes): JointGateSpec {
  const { joints, base, tool, mode, rateMax, gapSeconds, startTolerance, rows, boxes } = wishes;
  const stranger = model && rows.find(({ name }) => !model.joints.some((joint) => joint.name === name));
  if (stranger)
    throw bad(
      'gate.limits',
      `unknown joint ${stranger.name}: ${model.name || 'the URDF'} does not define it`,
    );
  if (boxes.length > 0 && !model)
    throw bad('gate.boxes', 'the position of the tool is computed from the URDF', 'set gate.urdf');
  const workspace = model &&
    boxes.length > 0 && {
      chain: toolChain(model, base, tool, joints),
      inside: boxes.filter(({ kind }) => kind === 'inside'),
      keepOut: boxes.filter(({ kind }) => kind === 'keep_out'),
    };
  return {
    joints: joints.map((name) =>
      limitsOf(
        name,
        model,
        rows.find((row) => row.name === name),
      ),
    ),
    ...{ frame: base, mode, rateMax, gapSeconds },
    ...(startTolerance === undefined ? {} : { startTolerance }),
    ...(workspace ? { workspace } : {}),
  };
}

function limitsOf(name: string, model: UrdfModel | undefined, row: JointRow | undefined): JointLimits {
  const joint = model?.joints.find((one) => one.name === name);
  if (model && !joint)
    throw bad('gate.joints', `unknown joint ${name}: ${model.name || 'the URDF'} does not define it`);
  if (joint?.mimic)
    throw bad('gate.joints', `${name} mimics ${joint.mimic.joint} and cannot be commanded itself`);
  const { limit } = joint ?? {};
  // Zero is how a URDF says that it does not know.
  const urdfVelocity = limit && limit.velocity > 0 ? limit.velocity : undefined;
  const urdfEffort = limit && limit.effort > 0 ? limit.effort : undefined;
  const lower = tighter(name, 'lower', row?.lower, limit?.lower, (ours, theirs) => ours >= theirs);
  const upper = tighter(name, 'upper', row?.upper, limit?.upper, (ours, theirs) => ours <= theirs);
  const velocity = tighter(name, 'velocity', row?.velocity, urdfVelocity, (ours, theirs) => ours <= theirs);
  const effort = tighter(
    name,
    'effort',
    row?.effort,
    urdfEffort ?? Number.POSITIVE_INFINITY,
    (a, b) => a <= b,
  );
  if (lower > upper) throw bad('gate.limits', `${name}: lower is above upper`);
  const acceleration = row?.acceleration ?? velocity / TO_VELOCITY_SECONDS;
  const jerk = row?.jerk ?? acceleration / TO_ACCELERATION_SECONDS;
  return { name, lower, upper, velocity, acceleration, jerk, effort };
}

function tighter(
  name: string,
  key: string,
  ours: number | undefined,
  theirs: number | undefined,
  fits: (ours: number, theirs: number) => boolean,
): number {
  const limit = ours ?? theirs;
  if (limit === undefined)
    throw bad('gate.limits', `${name} has no ${key}`, `set it in [[gate.limits]], or in the URDF`);
  if (ours !== undefined && theirs !== undefined && !fits(ours, theirs))
    throw bad(
      'gate.joints',
      `${name}: ${key} ${ours} is looser than ${theirs} in the URDF; [[gate.limits]] may only be stricter`,
    );
  return limit;
}

function bad(subject: string, message: string, hint = ''): EdgeError {
  return new EdgeError('config.invalid', { operation: 'make the gate', subject, message, hint });
}
