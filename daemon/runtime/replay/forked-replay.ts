import { fork } from 'node:child_process';
import {
  type Clock,
  EdgeError,
  type ErrorBody,
  LIMITS,
  type Rejudged,
  type ReplayApi,
  type ReplayOutcome,
  type ReplayRequest,
  type RunDiff,
  type TraceSpan,
} from '../../../contract/core.ts';

export type LookBack =
  | { readonly what: 'replay'; readonly run: string; readonly request: ReplayRequest }
  | { readonly what: 'diff'; readonly run: string; readonly other: string }
  | { readonly what: 'trace'; readonly run: string }
  /** The policies follow as a message. */
  | { readonly what: 'rejudge'; readonly run: 'policies'; readonly sinceMs: number };

/** Processes that look back at the same time; beyond it a request is refused with `cell.overloaded`. */
const AT_ONCE_MAX = 2;
const REQUEST_MS = LIMITS.API_REQUEST_MS - 1_000;
/** Memory of one of them, MB: a run of a hundred thousand events. */
const HEAP_MB = 512;

type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: ErrorBody };

/** A replay with a live model or a simulation takes as long as these do, milliseconds. */
const SWAP_MS = 16 * 60_000;

/** A replay that has to end stops the simulation that it started by then, milliseconds. */
const STOP_MS = 15_000;

export function swapsIn({ model, policy, policies, sim }: ReplayRequest): boolean {
  return model !== undefined || policy !== undefined || policies !== undefined || sim === true;
}

export type ForkedReplayParts = {
  readonly clock: Clock;
  /** The file that each process runs: `entry <settings> <question as JSON>`; its answer is one message. */
  readonly entry: string;
  /** What it is started with, as text. */
  readonly settings: string;
};

/** Looking back in processes of their own: without a bus, with a deadline and bounded memory. */
export class ForkedReplayApi implements ReplayApi {
  readonly #parts: ForkedReplayParts;
  #running = 0;

  constructor(parts: ForkedReplayParts) {
    this.#parts = parts;
  }

  async replay(run: string, request: ReplayRequest, signal?: AbortSignal): Promise<ReplayOutcome> {
    const withinMs = swapsIn(request) ? SWAP_MS : REQUEST_MS;
    return (await this.#ask({ what: 'replay', run, request }, withinMs, signal)) as ReplayOutcome;
  }

  async diff(run: string, other: string): Promise<RunDiff> {
    return (await this.#ask({ what: 'diff', run, other })) as RunDiff;
  }

  async trace(run: string): Promise<readonly TraceSpan[]> {
    return (await this.#ask({ what: 'trace', run })) as readonly TraceSpan[];
  }

  /** Judges past decisions again by these policies, whose form the entry file knows. */
  async rejudge(sinceMs: number, policies: object): Promise<Rejudged> {
    const question = { what: 'rejudge', run: 'policies', sinceMs } as const;
    return (await this.#ask(question, REQUEST_MS, undefined, policies)) as Rejudged;
  }

  async #ask(
    question: LookBack,
    withinMs = REQUEST_MS,
    signal?: AbortSignal,
    message?: object,
  ): Promise<unknown> {
    if (this.#running >= AT_ONCE_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: question.what,
        subject: question.run,
        message: `${AT_ONCE_MAX} replays are running`,
      });
    this.#running++;
    try {
      return await this.#child(question, withinMs, signal, message);
    } finally {
      this.#running--;
    }
  }

  #child(
    question: LookBack,
    withinMs: number,
    signal: AbortSignal | undefined,
    message: object | undefined,
  ): Promise<unknown> {
    const { entry, settings } = this.#parts;
    const child = fork(entry, [settings, JSON.stringify(question)], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    if (message) child.send(message, () => {}); // a child that is gone is seen by its exit
    return new Promise((resolve, reject) => {
      const late = () =>
        new EdgeError('deadline.exceeded', {
          operation: question.what,
          subject: question.run,
          hint: `auraison run ${question.what} takes its time`,
        });
      const left = () =>
        fail(new EdgeError('run.cancelled', { operation: question.what, subject: question.run }));
      // A simulation that it started ends with it: it is asked first.
      const fail = (error: EdgeError) => {
        child.kill('SIGTERM');
        const deaf = this.#parts.clock.after(STOP_MS, () => child.kill('SIGKILL'));
        child.once('exit', () => deaf.cancel());
        reject(error);
      };
      const timer = this.#parts.clock.after(withinMs, () => fail(late()));
      if (signal?.aborted) left();
      else signal?.addEventListener('abort', left, { once: true });
      child.once('exit', () => signal?.removeEventListener('abort', left));
      child.once('message', (answer) => {
        timer.cancel();
        const reply = answer as Reply;
        if (reply.ok) resolve(reply.value);
        else reject(EdgeError.fromBody(reply.error));
      });
      child.once('error', (cause) => {
        timer.cancel();
        fail(EdgeError.from(cause, 'internal.fault', question.what, question.run));
      });
      child.once('exit', (code) => {
        timer.cancel();
        reject(
          new EdgeError('internal.fault', {
            operation: question.what,
            subject: question.run,
            message: `the process that looked back ended with ${code ?? 'a signal'}`,
          }),
        );
      });
    });
  }
}
