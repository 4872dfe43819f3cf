import type { ErrorBody } from '../../../contract/index.ts';

/**
 * An error on its way to the adapter. Not an EdgeError, and nothing else of the contract that runs: loading
 * its schemas takes 0.3 s, and after a crash the robot waits that long for its stop.
 */
export class HostFault extends Error {
  readonly body: ErrorBody;

  constructor(
    code: 'ros.unavailable' | 'ros.failed' | 'sample.unknown_type',
    operation: string,
    subject: string,
    message: string,
    hint = '',
  ) {
    super(message);
    this.body = { code, operation, subject, message, hint, retryable: code === 'ros.failed' };
  }

  /** Wraps anything thrown; a fault stays as it is. */
  static from(thrown: unknown, operation: string, subject: string): HostFault {
    if (thrown instanceof HostFault) return thrown;
    return new HostFault('ros.failed', operation, subject, messageOf(thrown));
  }
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
