import { EdgeError } from '../../../contract/core.ts';
import type { JointGateSpec } from './gate-spec.ts';

/**
 * Where each joint of the gate stands in a command that names its joints: `order[i]` is the place of joint `i`.
 * Throws `command.refused` with the joint or frame that does not fit: one that is missing, unknown or named twice, and
 * positions that claim a frame other than the base.
 */
export function jointOrder(
  { joints, frame }: Pick<JointGateSpec, 'joints' | 'frame'>,
  names: readonly string[],
  commandFrame = '',
): readonly number[] {
  if (commandFrame !== '' && commandFrame !== frame)
    throw refused(commandFrame, `the command uses frame ${commandFrame}, but this robot uses ${frame}`);
  knownJoints({ joints }, names);
  const known = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    if (known.has(name)) throw refused(name, `joint ${name} is named twice`);
    known.set(name, i);
  }
  return joints.map(({ name }) => {
    const at = known.get(name);
    if (at === undefined) throw refused(name, `joint ${name} is missing`);
    return at;
  });
}

/** Throws `command.refused` for a name that is no joint of the gate. */
export function knownJoints({ joints }: Pick<JointGateSpec, 'joints'>, names: readonly string[]): void {
  const stranger = names.find((name) => !joints.some((joint) => joint.name === name));
  if (stranger !== undefined) throw refused(stranger, `unknown joint ${stranger}`);
}

function refused(subject: string, message: string): EdgeError {
  return new EdgeError('command.refused', {
    operation: 'joint gate',
    subject: subject.slice(0, 256),
    message: message.slice(0, 512),
  });
}
