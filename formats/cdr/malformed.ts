import { EdgeError } from '../../contract/core.ts';

export function malformed(subject: string, message: string): EdgeError {
  return new EdgeError('sample.malformed', { operation: 'decode-cdr', subject, message });
}
