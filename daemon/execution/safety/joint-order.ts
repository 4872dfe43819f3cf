import { EdgeError } from '../../../contract/core.ts';
import type { JointGateSpec } from './gate-spec.ts';

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
