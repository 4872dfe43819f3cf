import { Worker } from 'node:worker_threads';
import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  type Observation,
  type Policy,
  type PolicyDescription,
  SMALL_THREAD,
  withDeadline,
} from '../../contract/core.ts';
import { checkObservation } from '../../formats/policy-wire/observation-check.ts';
import { untilWithdrawn } from '../../formats/policy-wire/withdrawn.ts';
import { type Model, readModel } from './model-card.ts';
import type { OnnxJob, OnnxOrder, OnnxProvider, OnnxReply, OnnxStart } from './onnx-messages.ts';
import { checkPrefix } from './onnx-prefix.ts';

/** A cold disk and a large network; the daemon starts without the policy after this, milliseconds. */
const LOAD_MS = 20_000;
/** TensorRT compiles the network when it is loaded, milliseconds. */
const LOAD_COMPILED_MS = 300_000;
/**
 * A thread that does not answer for this long, and as long as its caller waits, is abandoned; milliseconds.
 */
const SILENT_MS = 5_000;
/** A thread ends with the inference that it is at; its callers wait no longer, milliseconds. */
const END_MS = 5_000;

export type OnnxOptions = {
  /** In the order in which they are tried; the processor is always the last. */
  readonly providers?: readonly OnnxProvider[];
  /** Threads of one inference. One: more spin against the control loop, on two cores. */
  readonly threads?: number;
  /** Where the network runs, and what was asked for and was not available; reported at each load. */
  readonly onProvider?: (
    provider: OnnxProvider,
    skipped: readonly { readonly provider: OnnxProvider; readonly why: string }[],
  ) => void;
};

type Open = { resolve(reply: OnnxReply): void; reject(error: Error): void };

/**
 * An ONNX network as a Policy: observations as they are measured, actions in the units of the robot, scaled as its
 * card says. Questions go to its worker one at a time. All callers share it: a late caller does not cost the others
 * the worker, which is made again when it dies or stays silent.
 */
export class OnnxPolicy implements Policy {
  readonly #clock: Clock;
  readonly #model: Model;
  readonly #options: OnnxOptions;
  readonly #open = new Map<number, Open>();
  #worker: Worker | undefined;
  /** The question before, answered or abandoned. */
  #before: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  #closed = false;

  private constructor(clock: Clock, model: Model, options: OnnxOptions) {
    this.#clock = clock;
    this.#model = model;
    this.#options = options;
  }

  /** Throws `model.unavailable`: missing, changed, not loadable, or not giving what its card says (it is run once). */
  static async load(path: string, clock: Clock, options: OnnxOptions = {}): Promise<OnnxPolicy> {
    const policy = new OnnxPolicy(clock, await readModel(path), options);
    await policy.#ensureWorker();
    return policy;
  }

  describe(): PolicyDescription {
    return this.#model.description;
  }

  async infer(
    observation: Observation,
    deadlineMs: number,
    options: InferOptions = {},
  ): Promise<ActionChunk> {
    const { card, description } = this.#model;
    checkObservation(observation, description);
    this.#checkTask(observation.task);
    // Who gives one to a network that takes none is not refused: the port leaves it out there.
    const prefix = this.#model.prefix ? options.prefix : undefined;
    if (prefix) checkPrefix(prefix, card);
    const until = this.#clock.monotonicMs() + deadlineMs;
    let question: Observation | undefined = observation;
    const answered = this.#before
      .then(() => question && this.#ensureWorker())
      .then((worker) => worker && question && this.#ask(worker, question, prefix?.data, until));
    this.#before = answered.catch(() => {});
    try {
      const reply = await withDeadline(
        this.#clock,
        deadlineMs,
        untilWithdrawn(answered, options.signal, card.name),
        'infer',
        card.name,
      );
      if (reply?.t !== 'done') throw failed(card.name, reply?.t === 'error' ? reply.message : 'no result');
      return {
        actions: { shape: card.output.shape, data: reply.data },
        stepMs: card.step_ms,
        stamp: observation.stamp,
        policyHash: description.hash,
      };
    } finally {
      // What no caller waits for is not computed, unless the thread is at it already.
      question = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rejectAll('closed');
    if (worker)
      await withDeadline(this.#clock, END_MS, end(worker), 'close', this.#model.card.name).catch(() => {});
  }

  #checkTask(task: string | undefined): void {
    const { card } = this.#model;
    if (!card.task || task === undefined || card.task.names.includes(task)) return;
    throw new EdgeError('model.bad_observation', {
      operation: 'infer',
      subject: card.name,
      message: `/task: the policy was trained for ${card.task.names.map((name) => `"${name}"`).join(', ')}`,
    });
  }

  /** Settles with its answer, or when the thread is abandoned. */
  async #ask(
    worker: Worker,
    observation: Observation,
    prefix: Float32Array | undefined,
    until: number,
  ): Promise<OnnxReply> {
    const { card } = this.#model;
    if (this.#closed) throw failed(card.name, 'closed');
    const id = this.#nextId++;
    const job: OnnxJob = {
      id,
      tensors: pick(observation.tensors, Object.keys(card.inputs)),
      images: pick(observation.images ?? {}, Object.keys(card.images ?? {})),
      task: observation.task,
      prefix,
    };
    const silentMs = Math.max(SILENT_MS, until - this.#clock.monotonicMs());
    const silent = this.#clock.after(silentMs, () => this.#drop(worker));
    try {
      worker.postMessage(job);
      return await new Promise<OnnxReply>((resolve, reject) => this.#open.set(id, { resolve, reject }));
    } finally {
      silent.cancel();
    }
  }

  async #ensureWorker(): Promise<Worker> {
    if (this.#closed) throw failed(this.#model.card.name, 'closed');
    this.#worker ??= this.#makeWorker();
    const worker = this.#worker;
    if (ready.has(worker)) await ready.get(worker);
    return worker;
  }

  #makeWorker(): Worker {
    const { bytes, card, prefix } = this.#model;
    const { providers = ['cpu'], threads = 1, onProvider } = this.#options;
    // The runtime sends events to its maker otherwise. A thread has a copy of the variables, which the runtime does not see:
    // where this is a thread, the main thread has set it (daemon/no-telemetry.ts).
    process.env['ORT_DISABLE_TELEMETRY'] = '1';
    const start: OnnxStart = { bytes, card, prefix, providers, threads };
    const worker = new Worker(new URL('./onnx-worker-main.ts', import.meta.url), {
      ...SMALL_THREAD,
      workerData: start,
      name: 'onnx',
    });
    const started = new Promise<void>((resolve, reject) => {
      worker.on('message', (reply: OnnxReply) => {
        if (reply.t === 'ready') {
          onProvider?.(reply.provider, reply.skipped);
          return resolve();
        }
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
    const loadMs = providers.includes('tensorrt') ? LOAD_COMPILED_MS : LOAD_MS;
    const bounded = withDeadline(this.#clock, loadMs, started, 'load policy', card.name);
    bounded.catch(() => this.#drop(worker));
    ready.set(worker, bounded);
    worker.unref();
    return worker;
  }

  #drop(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    this.#rejectAll('its thread was abandoned');
    void end(worker);
  }

  #rejectAll(message: string): void {
    for (const [id, open] of [...this.#open]) {
      this.#open.delete(id);
      open.reject(failed(this.#model.card.name, message));
    }
  }
}

/**
 * Asks it to end, and settles when it has. Never `terminate`: a thread that is stopped within ONNX Runtime takes the
 * whole process with it (its binding throws where throwing is no longer possible). One that is stuck there cannot be
 * stopped at all; nothing waits for it.
 */
function end(worker: Worker): Promise<void> {
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage('end' satisfies OnnxOrder);
  return ended;
}

/** When each worker has loaded its network. */
const ready = new WeakMap<Worker, Promise<void>>();

/** The data of the named ones; all are there, they were checked. */
function pick<T>(from: Readonly<Record<string, { readonly data: T }>>, names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, from[name]!.data]));
}

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
