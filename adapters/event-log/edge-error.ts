import { EdgeError } from '../../contract/core.ts';
import { type FaultBody, LogFault } from './log-fault.ts';
import { sqliteFault } from './sqlite-faults.ts';

export function edgeErrorOf(body: FaultBody, cause?: unknown): EdgeError {
  const { code, operation, subject, message, hint } = body;
  return new EdgeError(code, { operation, subject, message, hint, cause });
}

/** Whatever was thrown while `operation` was done to the file at `path`, as the contract's error. */
export function edgeError(thrown: unknown, operation: string, path: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  const fault = thrown instanceof LogFault ? thrown : sqliteFault(thrown, operation, path);
  return edgeErrorOf(fault, fault.cause ?? thrown);
}
