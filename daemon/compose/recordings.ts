import { fork } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBytes, segmentBytes } from '../../adapters/rosbag/index.ts';
import { type CellContext, EdgeError, type ErrorBody, type IdSource, LIMITS } from '../../contract/index.ts';
import type { BagPart, HttpPorts } from '../http/http-ports.ts';

/** What a process that cuts has to know; paths are absolute. */
export type CutOrder = BagPart & { readonly folder: string; readonly target: string };
type Reply = { readonly ok: true } | { readonly ok: false; readonly error: ErrorBody };

const HEAP_MB = 512;
const ENTRY = fileURLToPath(new URL('./cut-main.ts', import.meta.url));

/** What the API does with recordings of the data directory: their bytes, parts of them, and what people write about them. */
export function makeRecordings(
  dataDir: string,
  { emit, clock }: Pick<CellContext, 'emit' | 'clock'>,
  ids: IdSource,
): Required<Pick<HttpPorts, 'segment' | 'annotate' | 'cutBag'>> {
  const folderOf = (bag: string) => join(dataDir, 'bags', bag);
  const isThere = async (bag: string) =>
    (await stat(folderOf(bag)).catch(() => undefined))?.isDirectory() === true;
  let isCutting = false;
  return {
    segment: segmentBytes(dataDir),
    annotate: async (words, id = ids.next<string>()) => {
      if (!(await isThere(words.bag))) return undefined;
      const payload = { ...words, annotation_id: id };
      await emit([{ kind: 'recording.annotated', payload }]);
      return payload;
    },
    cutBag: async (bag, part, signal) => {
      if (!(await isThere(bag))) return undefined;
      if (isCutting)
        throw new EdgeError('cell.overloaded', {
          ...{ operation: 'cut bag', subject: bag, message: 'another part is being cut' },
        });
      isCutting = true;
      const work = join(dataDir, 'run', 'cuts');
      try {
        // What a daemon that was killed left behind.
        await rm(work, { recursive: true, force: true });
        await mkdir(work, { recursive: true });
        const target = join(work, 'part.mcap');
        await cutAside({ ...part, folder: folderOf(bag), target }, clock, signal);
        return await openBytes(target);
      } finally {
        // An open file stays readable until it is closed.
        await rm(work, { recursive: true, force: true });
        isCutting = false;
      }
    },
  };
}

/** Cuts in a process of its own, which ends with its deadline, with `signal` and with this process. */
function cutAside(order: CutOrder, clock: CellContext['clock'], signal: AbortSignal): Promise<void> {
  const subject = order.folder.split('/').at(-1)!;
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
