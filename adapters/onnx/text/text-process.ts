import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type Clock,
  EdgeError,
  type TextEmbedder,
  type Timer,
  withDeadline,
} from '../../../contract/core.ts';
import type { EmbedOrder, EmbedReply } from './embed-messages.ts';
import { TEXT_MODEL } from './text-model.ts';

/** Calls that may wait, and texts and characters of one of them. */
const WAITING_MAX = 16;
const TEXTS_MAX = 64;
const CHARS_MAX = 256 * 1024;
/** It ends after so long without a call, milliseconds: it holds 250 MB. */
const REST_MS = 30_000;
/** A process that says nothing for so long beyond the deadline of its caller is ended, milliseconds. */
const SILENT_MS = 10_000;

type Open = { resolve(vectors: Float32Array): void; reject(error: EdgeError): void };

/** The model in a process of its own, which starts with the first call and ends when nothing was asked for a while. */
export class TextProcess implements TextEmbedder {
  readonly model = TEXT_MODEL;
  readonly #clock: Clock;
  readonly #folder: string;
  readonly #restMs: number;
  readonly #open = new Map<number, Open>();
  #child: ChildProcess | undefined;
  #ids = 0;
  #idle: Timer | undefined;

  constructor(clock: Clock, folder: string, restMs: number = REST_MS) {
    this.#clock = clock;
    this.#folder = folder;
    this.#restMs = restMs;
  }

  /** Undefined while it rests. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async embed(texts: readonly string[], deadlineMs: number): Promise<readonly Float32Array[]> {
    if (texts.length === 0) return [];
    const chars = texts.reduce((sum, text) => sum + text.length, 0);
    if (texts.length > TEXTS_MAX || chars > CHARS_MAX)
      throw failed('limit.exceeded', `at most ${TEXTS_MAX} texts and ${CHARS_MAX} characters in one call`);
    if (this.#open.size >= WAITING_MAX) throw failed('cell.overloaded', 'too many texts wait for vectors');
    this.#idle?.cancel();
    this.#child ??= this.#start();
    const child = this.#child;
    const id = ++this.#ids;
    const silent = this.#clock.after(deadlineMs + SILENT_MS, () => this.#end(child, 'it does not answer'));
    try {
      const answered = new Promise<Float32Array>((resolve, reject) => {
        this.#open.set(id, { resolve, reject });
        child.send({ id, texts } satisfies EmbedOrder, (error) => {
          if (error) this.#end(child, error.message);
        });
      });
      void answered.finally(() => silent.cancel()).catch(() => {});
      const all = await withDeadline(this.#clock, deadlineMs, answered, 'embed', TEXT_MODEL.name);
      const { dimensions } = TEXT_MODEL;
      return texts.map((_, index) => all.subarray(index * dimensions, (index + 1) * dimensions));
    } finally {
      this.#restLater();
    }
  }

  rest(): void {
    this.#idle?.cancel();
    const child = this.#child;
    if (child) this.#end(child, 'it was asked to rest');
  }

  #restLater(): void {
    this.#idle?.cancel();
    this.#idle = this.#clock.after(this.#restMs, () =>
      this.#open.size === 0 ? this.rest() : this.#restLater(),
    );
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(new URL('./embed-main.ts', import.meta.url)), [this.#folder], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
      // The runtime sends events to its maker otherwise.
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (reply: EmbedReply) => {
      if (reply.t === 'ready') return;
      if (reply.t === 'failed') return this.#end(child, reply.message, 'model.unavailable');
      const open = this.#open.get(reply.id);
      this.#open.delete(reply.id);
      if (reply.t === 'done') open?.resolve(reply.vectors);
      else open?.reject(failed('model.failed', reply.message));
    });
    child.on('error', (error) => this.#end(child, error.message));
    child.on('exit', (code, signal) => this.#end(child, `it ended with ${signal ?? code}`));
    child.unref();
    child.channel?.unref();
    return child;
  }

  #end(
    child: ChildProcess,
    reason: string,
    code: 'model.failed' | 'model.unavailable' = 'model.failed',
  ): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    child.kill('SIGKILL');
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) one.reject(failed(code, `the process for texts failed: ${reason}`));
  }
}

function failed(
  code: 'limit.exceeded' | 'cell.overloaded' | 'model.failed' | 'model.unavailable',
  message: string,
): EdgeError {
  return new EdgeError(code, { operation: 'embed', subject: TEXT_MODEL.name, message });
}
