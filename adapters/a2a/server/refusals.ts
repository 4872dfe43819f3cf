import { RequestMalformedError, UnsupportedOperationError } from '@a2a-js/sdk/errors';
import { EdgeError } from '../../../contract/core.ts';

/** Refusals of this robot as errors of the protocol, which has few: their text starts with the code. */
export async function asked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    throw refusalOf(thrown);
  }
}

/** The same for work that is done at once. */
export function askedNow<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw refusalOf(thrown);
  }
}

function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof EdgeError)) return thrown;
  const { code, message, hint, retryable } = thrown;
  const words = `${code}: ${message}${hint === '' ? '' : ` (${hint})`}`;
  if (retryable) return new Error(words);
  return code.startsWith('policy.') ? new UnsupportedOperationError(words) : new RequestMalformedError(words);
}
