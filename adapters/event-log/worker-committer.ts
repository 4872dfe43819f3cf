import { Worker } from 'node:worker_threads';
import { EdgeError } from '../../contract/core.ts';
import type { WorkerReply, WorkerRequest } from './commit-worker.ts';
import type { Committer } from './committer.ts';
import type { Draft } from './draft.ts';
import { edgeErrorOf } from './edge-error.ts';
import type { Committed, LogHead, StoreInput } from './log-store.ts';

/** The thread holds one batch and its hashes in JavaScript; small bounds keep the process small. */
const RESOURCES = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

type Settle = { resolve: (reply: WorkerReply) => void; reject: (error: Error) => void };

/** Commits in a thread of its own (`commit-worker.ts`). The thread starts at `open`. */
export class WorkerCommitter implements Committer {
  readonly #input: StoreInput;
  #worker: Worker | undefined;
  #settle: Settle | undefined;
  #death: EdgeError | undefined;

  constructor(input: StoreInput) {
    this.#input = input;
  }

  get dead(): boolean {
    return this.#death !== undefined;
  }

  async open(): Promise<LogHead> {
    const worker = new Worker(new URL('./commit-worker.ts', import.meta.url), {
      workerData: this.#input,
      name: `log-${this.#input.cell}`,
      resourceLimits: RESOURCES,
    });
    this.#worker = worker;
    worker.on('message', (reply: WorkerReply) => this.#onReply(reply));
    worker.on('error', (error) => this.#onDeath(error));
    worker.on('exit', (code) => this.#onDeath(new Error(`the commit thread ended with ${code}`)));
    const reply = await this.#next();
    if (reply.type === 'opened') return reply.head;
    throw this.#unexpected(reply);
  }

  async commit(drafts: readonly Draft[]): Promise<Committed> {
    const reply = await this.#request({ type: 'commit', drafts });
    if (reply.type === 'committed') return reply.commit;
    throw this.#unexpected(reply);
  }

  async close(): Promise<void> {
    if (this.dead) return;
    const reply = await this.#request({ type: 'close' });
    if (reply.type !== 'closed') throw this.#unexpected(reply);
  }

  #request(request: WorkerRequest): Promise<WorkerReply> {
    if (!this.#death) this.#worker?.postMessage(request);
    return this.#next();
  }

  #next(): Promise<WorkerReply> {
    if (this.#death) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  #onReply(reply: WorkerReply): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (reply.type === 'failed') settle?.reject(edgeErrorOf(reply.fault));
    else settle?.resolve(reply);
  }

  #onDeath(cause: Error): void {
    this.#death ??= new EdgeError('log.failed', {
      operation: 'log.append',
      subject: this.#input.path,
      message: `${this.#input.path}: ${cause.message}`,
      hint: 'the thread is started again at the next append',
      cause,
    });
    this.#settle?.reject(this.#death);
    this.#settle = undefined;
  }

  #unexpected(reply: WorkerReply): EdgeError {
    return new EdgeError('internal.fault', {
      operation: 'log.append',
      subject: this.#input.path,
      message: `the commit thread answered ${reply.type}`,
    });
  }
}
