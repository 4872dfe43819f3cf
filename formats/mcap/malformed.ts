import { EdgeError } from '../../contract/core.ts';

/** `mcap.malformed`, naming the file (or its stand-in) and the byte of the fault. */
export function malformed(subject: string, offset: number, fault: string, cause?: unknown): EdgeError {
  return new EdgeError('mcap.malformed', {
    operation: 'read-mcap',
    subject,
    message: `at byte ${offset}: ${fault}`,
    hint: 'auraison bag info shows what can still be read; an unsealed segment is repaired at the next start',
    cause,
  });
}
