/**
 * The thread that waits for the disk, so that the thread of the bus and the robot does not. One per log.
 * It answers each request in order; a failed commit is an answer, not the end of the thread.
 */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type CellName, EdgeError, type ErrorBody } from '../../contract/index.ts';
import type { Draft } from './draft.ts';
import { FileLock } from './file-lock.ts';
import { type Committed, type LogHead, LogStore } from './log-store.ts';

export type WorkerInput = { readonly path: string; readonly cell: CellName };
export type WorkerRequest =
  | { readonly type: 'commit'; readonly drafts: readonly Draft[] }
  | { readonly type: 'close' };
export type WorkerReply =
  | { readonly type: 'opened'; readonly head: LogHead }
  | { readonly type: 'committed'; readonly commit: Committed }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly error: ErrorBody };

const port = parentPort;
if (!port) throw new Error('commit-worker.ts is started by SqliteEventLog');
const { path, cell } = workerData as WorkerInput;

function reply(message: WorkerReply): void {
  port?.postMessage(message);
}

function failed(thrown: unknown, operation: string): WorkerReply {
  return { type: 'failed', error: EdgeError.from(thrown, 'log.failed', operation, path).toBody() };
}

function open(): LogStore | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const store = LogStore.open(path, cell, FileLock.acquire(`${path}.lock`, path));
    reply({ type: 'opened', head: store.head() });
    return store;
  } catch (thrown) {
    reply(failed(thrown, 'log.open'));
    port?.close();
    return undefined;
  }
}

const store = open();

port.on('message', (request: WorkerRequest) => {
  if (!store) return;
  try {
    if (request.type === 'commit') {
      reply({ type: 'committed', commit: store.commit(request.drafts) });
    } else {
      store.close();
      reply({ type: 'closed' });
      port.close();
    }
  } catch (thrown) {
    reply(failed(thrown, request.type === 'commit' ? 'log.append' : 'log.close'));
    if (request.type === 'close') port.close();
  }
});
