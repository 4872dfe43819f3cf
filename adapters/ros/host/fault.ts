import type { ErrorBody } from '../../../contract/index.ts';

type FaultCode =
  | 'ros.unavailable'
  | 'ros.failed'
  | 'ros.not_found'
  | 'ros.refused'
  | 'robot.unreachable'
  | 'deadline.exceeded'
  | 'schema.invalid'
  | 'sample.unknown_type';
/** As the catalogue of contract/edge-error.ts has it. */
const RETRYABLE: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'ros.failed',
  'ros.not_found',
  'robot.unreachable',
  'deadline.exceeded',
]);

/**
 * An error on its way to the adapter. Not an EdgeError, and nothing else of the contract that runs: loading
 * its schemas takes 0.3 s, and after a crash the robot waits that long for its stop.
 */
export class HostFault extends Error {
  readonly body: ErrorBody;

  constructor(code: FaultCode, operation: string, subject: string, message: string, hint = '') {
    super(message);
    this.body = { code, operation, subject, message, hint, retryable: RETRYABLE.has(code) };
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
