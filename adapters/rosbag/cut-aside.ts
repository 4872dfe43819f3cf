import { fork } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, EdgeError, type ErrorBody, LIMITS } from '../../contract/core.ts';
import { openBytes, type SegmentBytes } from './segment-bytes.ts';

/** From inclusive to exclusive, nanoseconds by log time; `topics`: patterns, absent or none: all. */
export type CutPart = {
  readonly start_ns: string;
  readonly end_ns: string;
  readonly topics?: readonly string[];
};
/** What a process that cuts has to know; paths are absolute. */
export type CutOrder = CutPart & { readonly folder: string; readonly target: string };
type Reply = { readonly ok: true } | { readonly ok: false; readonly error: ErrorBody };

const HEAP_MB = 512;
const ENTRY = fileURLToPath(new URL('./cut-main.ts', import.meta.url));

/** Cuts parts out of recordings, one at a time, each in a process of its own. Its folder `work` holds nothing else. */
export class BagCutter {
  readonly #work: string;
  readonly #clock: Clock;
  #isCutting = false;

  constructor(work: string, clock: Clock) {
    this.#work = work;
    this.#clock = clock;
  }

  /** The next part can be cut when this one is closed: its bytes take room on the disk until then. */
  #held(made: SegmentBytes): SegmentBytes {
    const leave = () => {
      this.#isCutting = false;
    };
    return {
      bytes: made.bytes,
      stream: (first, last) => made.stream(first, last).once('close', leave),
      close: () => made.close().finally(leave),
    };
  }

  /** The part as an MCAP file that has no name any longer. Rejects with `cell.overloaded`, `run.cancelled`, `limit.exceeded`. */
  async cut(folder: string, part: CutPart, signal: AbortSignal): Promise<SegmentBytes | undefined> {
    if (this.#isCutting)
      throw new EdgeError('cell.overloaded', {
        ...{ operation: 'cut bag', subject: nameOf(folder), message: 'another part is being cut or sent' },
      });
    this.#isCutting = true;
    try {
      // What a process that was killed left behind.
      await rm(this.#work, { recursive: true, force: true });
      await mkdir(this.#work, { recursive: true });
      const target = join(this.#work, 'part.mcap');
      await cutAside({ ...part, folder, target }, this.#clock, signal);
      const made = await openBytes(target);
      if (made) return this.#held(made);
      this.#isCutting = false;
      return undefined;
    } catch (error) {
      this.#isCutting = false;
      throw error;
    } finally {
      // An open file stays readable until it is closed.
      await rm(this.#work, { recursive: true, force: true }).catch(() => {});
    }
  }
}

const nameOf = (folder: string) => folder.split('/').at(-1)!;

/** Cuts in a process of its own, which ends with its deadline, with `signal` and with this process. */
function cutAside(order: CutOrder, clock: Clock, signal: AbortSignal): Promise<void> {
  const subject = nameOf(order.folder);
  const child = fork(ENTRY, [JSON.stringify(order)], {
    execArgv: ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${HEAP_MB}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = (error: Error) => {
    child.kill('SIGKILL');
    reject(error);
  };
  const fault = (code: 'deadline.exceeded' | 'run.cancelled' | 'internal.fault', message?: string) =>
    new EdgeError(code, { operation: 'cut bag', subject, ...(message === undefined ? {} : { message }) });
  const left = () => end(fault('run.cancelled'));
  const late = clock.after(LIMITS.BAG_CUT_MS, () => end(fault('deadline.exceeded')));
  if (signal.aborted) left();
  else signal.addEventListener('abort', left, { once: true });
  child.once('message', (answer) => {
    const reply = answer as Reply;
    if (reply.ok) resolve();
    else reject(EdgeError.fromBody(reply.error));
  });
  child.once('error', end);
  child.once('exit', (code) =>
    reject(fault('internal.fault', `the process that cut ended with ${code ?? 'a signal'}`)),
  );
  return promise.finally(() => {
    late.cancel();
    signal.removeEventListener('abort', left);
  });
}
