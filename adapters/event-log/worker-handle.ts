import { Worker } from 'node:worker_threads';
import { EdgeError } from '../../contract/index.ts';
import type { WorkerInput, WorkerReply, WorkerRequest } from './commit-worker.ts';

/** A worker does little with JavaScript memory: one batch, its hashes. Small bounds keep the process small. */
const RESOURCES = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

/** One request at a time to the commit thread. Dies once: every later request fails with `log.failed`. */
export class WorkerHandle {
  readonly #worker: Worker;
  readonly #path: string;
  #settle: { resolve: (reply: WorkerReply) => void; reject: (error: Error) => void } | undefined;
  #early: WorkerReply | undefined;
  #dead: EdgeError | undefined;

  constructor(input: WorkerInput) {
    this.#path = input.path;
    this.#worker = new Worker(new URL('./commit-worker.ts', import.meta.url), {
      workerData: input,
      name: `log-${input.cell}`,
      resourceLimits: RESOURCES,
    });
    this.#worker.on('message', (reply: WorkerReply) => this.#onReply(reply));
    this.#worker.on('error', (error) => this.#onDeath(error));
    this.#worker.on('exit', (code) => this.#onDeath(new Error(`the commit thread ended with ${code}`)));
  }

  get dead(): boolean {
    return this.#dead !== undefined;
  }

  /** The answer to opening the file. */
  opened(): Promise<WorkerReply> {
    return this.#next();
  }

  request(request: WorkerRequest): Promise<WorkerReply> {
    if (this.#dead) return Promise.reject(this.#dead);
    this.#worker.postMessage(request);
    return this.#next();
  }

  #next(): Promise<WorkerReply> {
    const early = this.#early;
    if (early) {
      this.#early = undefined;
      return this.#take(early);
    }
    if (this.#dead) return Promise.reject(this.#dead);
    return new Promise<WorkerReply>((resolve, reject) => {
      this.#settle = { resolve, reject };
    }).then((reply) => this.#take(reply));
  }

  #take(reply: WorkerReply): Promise<WorkerReply> {
    if (reply.type === 'failed') return Promise.reject(EdgeError.fromBody(reply.error));
    return Promise.resolve(reply);
  }

  #onReply(reply: WorkerReply): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (settle) settle.resolve(reply);
    else this.#early = reply;
  }

  #onDeath(cause: Error): void {
    this.#dead ??= new EdgeError('log.failed', {
      operation: 'log.append',
      subject: this.#path,
      message: `${this.#path}: ${cause.message}`,
      hint: 'the thread is started again at the next append',
      cause,
    });
    this.#settle?.reject(this.#dead);
    this.#settle = undefined;
  }
}
