import { EdgeError } from '../../../contract/core.ts';
import type { Output } from '../../output.ts';

const NOTE_EVERY_MS = 1_000;

/** Runs something long: Ctrl-C aborts its signal, a second one ends the process. Faults of the disk get a code. */
export async function cancellable<T>(
  operation: string,
  subject: string,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const stop = () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    return await run(abort.signal);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof EdgeError || typeof code !== 'string') throw error;
    throw new EdgeError('bag.unwritable', {
      operation,
      subject,
      message: (error as Error).message,
      hint: code === 'ENOSPC' ? 'the disk is full; nothing was kept' : 'nothing was kept',
      cause: error,
    });
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** Prints the progress of a copy on standard error, once a second; nothing for short ones. */
export function progressNotes(out: Output, startNs: bigint, endNs: bigint) {
  let last = performance.now();
  return ({ messages, bytes, timeNs }: { messages: number; bytes: number; timeNs: bigint }) => {
    if (performance.now() - last < NOTE_EVERY_MS) return;
    last = performance.now();
    const share = endNs > startNs ? Number(((timeNs - startNs) * 100n) / (endNs - startNs)) : 100;
    out.note(
      `  ${Math.max(0, Math.min(100, share))} %  ${messages} messages  ${(bytes / 1e6).toFixed(0)} MB`,
    );
  };
}
