import { Worker } from 'node:worker_threads';
import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type Observation,
  type Policy,
  type PolicyDescription,
  withDeadline,
} from '../../contract/core.ts';
import { type Model, readModel } from './model-card.ts';
import { checkObservation } from './observation-check.ts';
import type { OnnxJob, OnnxReply } from './onnx-messages.ts';

/** A cold disk and a large network; the daemon starts without the policy after this, milliseconds. */
const LOAD_MS = 20_000;

type Open = { resolve(reply: OnnxReply): void; reject(error: Error): void };

/** An ONNX network as a Policy. Its worker is made anew when it dies or stays deaf beyond a deadline. */
export class OnnxPolicy implements Policy {
  readonly #clock: Clock;
  readonly #model: Model;
  readonly #open = new Map<number, Open>();
  #worker: Worker | undefined;
  #nextId = 1;
  #closed = false;

  private constructor(clock: Clock, model: Model) {
    this.#clock = clock;
    this.#model = model;
  }

  /** Throws `model.unavailable` (missing, changed or not loadable). */
  static async load(path: string, clock: Clock): Promise<OnnxPolicy> {
    const policy = new OnnxPolicy(clock, await readModel(path));
    await policy.#ensureWorker();
    return policy;
  }

  describe(): PolicyDescription {
    return this.#model.description;
  }

  async infer(observation: Observation, deadlineMs: number): Promise<ActionChunk> {
    const { card, description } = this.#model;
    checkObservation(observation, card);
    const worker = await this.#ensureWorker();
    const id = this.#nextId++;
    const job: OnnxJob = {
      id,
      tensors: Object.keys(card.inputs).map((name) => ({ name, ...observation.tensors[name]! })),
    };
    const answer = new Promise<OnnxReply>((resolve, reject) => this.#open.set(id, { resolve, reject }));
    worker.postMessage(job);
    const reply = await withDeadline(this.#clock, deadlineMs, answer, 'infer', card.name).catch(
      (error: unknown) => {
        // A network that is late may be one that never returns: its thread is not trusted again.
        if (this.#open.delete(id)) this.#drop(worker);
        throw error;
      },
    );
    if (reply.t !== 'done') throw failed(card.name, reply.t === 'error' ? reply.message : 'no result');
    if (reply.shape.join() !== card.output.shape.join())
      throw failed(
        card.name,
        `gave shape [${reply.shape.join(', ')}], its card says [${card.output.shape.join(', ')}]`,
      );
    return {
      actions: { shape: card.output.shape, data: reply.data },
      stepMs: card.step_ms,
      stamp: observation.stamp,
      policyHash: description.hash,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll('closed');
    await worker?.terminate();
  }

  async #ensureWorker(): Promise<Worker> {
    if (this.#closed) throw failed(this.#model.card.name, 'closed');
    this.#worker ??= this.#makeWorker();
    const worker = this.#worker;
    if (ready.has(worker)) await ready.get(worker);
    return worker;
  }

  #makeWorker(): Worker {
    const { bytes, card } = this.#model;
    const worker = new Worker(new URL('./onnx-worker-main.ts', import.meta.url), {
      workerData: { bytes, output: card.output.name },
      name: 'onnx',
    });
    const started = new Promise<void>((resolve, reject) => {
      worker.on('message', (reply: OnnxReply) => {
        if (reply.t === 'ready') return resolve();
        if (reply.t === 'failed') return reject(unavailable(card.name, reply.message));
        const open = this.#open.get(reply.id);
        this.#open.delete(reply.id);
        open?.resolve(reply);
      });
      worker.once('error', (error) => reject(unavailable(card.name, error.message)));
      worker.once('exit', () => {
        reject(unavailable(card.name, 'its thread ended'));
        if (this.#worker === worker) this.#drop(worker);
      });
    });
    const bounded = withDeadline(this.#clock, LOAD_MS, started, 'load policy', card.name);
    bounded.catch(() => this.#drop(worker));
    ready.set(worker, bounded);
    worker.unref();
    return worker;
  }

  #drop(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    this.#rejectAll('its thread was given up');
    void worker.terminate();
  }

  #rejectAll(message: string): void {
    for (const [id, open] of [...this.#open]) {
      this.#open.delete(id);
      open.reject(failed(this.#model.card.name, message));
    }
  }
}

/** When each worker has loaded its network. */
const ready = new WeakMap<Worker, Promise<void>>();

function failed(subject: string, message: string): EdgeError {
  return new EdgeError('model.failed', { operation: 'infer', subject, message: `${subject}: ${message}` });
}

function unavailable(subject: string, message: string): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject,
    message: `${subject}: ${message}`,
  });
}
