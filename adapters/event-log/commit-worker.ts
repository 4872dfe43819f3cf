/**
 * The thread that waits for the disk, so that the thread of the bus and the robot does not. One per log.
 * It answers each request in order; a failed commit is an answer, not the end of the thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Draft } from './draft.ts';
import { bodyOf, type FaultBody } from './log-fault.ts';
import { type Committed, type LogHead, LogStore, type StoreInput } from './log-store.ts';
import { sqliteFault } from './sqlite-faults.ts';

export type WorkerRequest =
  | { readonly type: 'commit'; readonly drafts: readonly Draft[] }
  | { readonly type: 'close' };
export type WorkerReply =
  | { readonly type: 'opened'; readonly head: LogHead }
  | { readonly type: 'committed'; readonly commit: Committed }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly fault: FaultBody };

const port = parentPort;
if (!port) throw new Error('commit-worker.ts is started by WorkerCommitter');
const input = workerData as StoreInput;

function answer(operation: string, work: () => WorkerReply): boolean {
  try {
    port?.postMessage(work());
    return true;
  } catch (thrown) {
    const fault = bodyOf(sqliteFault(thrown, operation, input.path));
    port?.postMessage({ type: 'failed', fault } satisfies WorkerReply);
    return false;
  }
}

let store: LogStore | undefined;
const opened = answer('log.open', () => {
  store = LogStore.open(input);
  return { type: 'opened', head: store.head() };
});
if (!opened) port.close();

port.on('message', (request: WorkerRequest) => {
  const open = store;
  if (!open) return;
  if (request.type === 'commit') {
    answer('log.append', () => ({ type: 'committed', commit: open.commit(request.drafts) }));
    return;
  }
  answer('log.close', () => {
    open.close();
    return { type: 'closed' };
  });
  port.close();
});
