import { EdgeError } from '../../contract/core.ts';

/** What a server of others said may be long, characters. */
const WORDS_MAX = 512;

/** The errors of the way to one policy server. */
export type LineFaults = {
  /** It answered, and not what was asked for: `model.failed`. */
  failed(message: string, cause?: unknown): EdgeError;
  /** No server answers: `model.unavailable`. */
  unavailable(message: string, hint?: string, cause?: unknown): EdgeError;
};

/** `server`: its address, as the configuration names it. */
export function lineFaults(server: string): LineFaults {
  const details = (operation: string, message: string, cause: unknown) => ({
    operation,
    subject: server,
    message: `${server}: ${message.slice(0, WORDS_MAX)}`,
    cause,
  });
  return {
    failed: (message, cause) => new EdgeError('model.failed', details('infer', message, cause)),
    unavailable: (message, hint = '', cause = undefined) =>
      new EdgeError('model.unavailable', { ...details('connect', message, cause), hint }),
  };
}
