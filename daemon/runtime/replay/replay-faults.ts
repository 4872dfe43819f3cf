import { EdgeError } from '../../../contract/core.ts';

export function notSupported(message: string, hint = ''): EdgeError {
  return new EdgeError('run.not_supported', { operation: 'replay', subject: 'run', message, hint });
}
