import { EdgeError } from '../edge-error.ts';
import type { MotionKind } from './goals.ts';

/** `fault` is `/path: problem`. */
export function badGoal(kind: MotionKind, fault = '/: does not fit its schema'): EdgeError {
  const path = fault.slice(0, fault.indexOf(':')).replace(/\/$/, '');
  return new EdgeError('schema.invalid', {
    operation: `robot.${kind}`,
    subject: `/goal${path}`,
    message: `/goal${path}${fault.slice(fault.indexOf(':'))}`,
    hint: 'docs/tools.md has the ranges and units of each motion',
  });
}
