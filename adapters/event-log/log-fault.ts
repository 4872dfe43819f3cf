import type { ErrorCode } from '../../contract/index.ts';

/**
 * An error of this room that has not met the contract yet. The files that run in the commit thread import no
 * code of the contract, only types: its schemas would cost that thread 8 MB and 250 ms. `edge-error.ts` makes
 * an EdgeError of it at the room's border.
 */
export class LogFault extends Error {
  readonly code: ErrorCode;
  readonly operation: string;
  readonly subject: string;
  readonly hint: string;

  constructor(
    code: ErrorCode,
    operation: string,
    subject: string,
    message: string,
    hint: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'LogFault';
    this.code = code;
    this.operation = operation;
    this.subject = subject;
    this.hint = hint;
  }
}

/** A fault as it crosses threads. */
export type FaultBody = Pick<LogFault, 'code' | 'operation' | 'subject' | 'message' | 'hint'>;

export function bodyOf(fault: LogFault): FaultBody {
  const { code, operation, subject, message, hint } = fault;
  return { code, operation, subject, message, hint };
}
