import { EdgeError } from '../../contract/core.ts';

/** `sample.malformed`, in words that name the place. */
export function malformed(message: string, cause?: unknown): EdgeError {
  return new EdgeError('sample.malformed', {
    operation: 'decode MessagePack',
    subject: 'payload',
    message,
    cause,
  });
}
