import {
  EdgeError,
  type EStopState,
  isFinished,
  type RunDetails,
  type Submitted,
} from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import type { Output } from '../output.ts';
import type { Status } from '../status-view.ts';
import { Progress } from './progress.ts';

/** The intent that the demo sends. */
const INTENT = 'maze/find_exit';
/** The API is back long before that when its cell was killed. */
const PATIENCE_MS = 30_000;
/** The daemon stops the robot first and then answers; after this time it is stopped in any case. */
const CANCEL_MS = 5_000;
const RUNS_MAX = 100;

/** The one run of a demo: sent, watched to its end, and cancelled when the command no longer waits for it. */
export class Mission {
  readonly #api: ApiClient;
  readonly #out: Output;
  #open: string | undefined;
  /** The command no longer waits: what asks the API ends, although a daemon that ended looks like one that restarts. */
  #isLeft = false;

  constructor(api: ApiClient, out: Output) {
    this.#api = api;
    this.#out = out;
  }

  /**
   * Cancels the runs that an earlier demo left open (it was killed) and says how many. They would drive first, in a
   * maze that may be another one.
   */
  async cancelLeftovers(): Promise<number> {
    const { runs } = await this.#patiently(() =>
      this.#api.get<{ runs: RunDetails[] }>(`/v1/runs?limit=${RUNS_MAX}`),
    );
    const open = runs.filter(({ run, intent }) => intent.type === INTENT && !isFinished(run.status));
    for (const { run } of open) {
      await this.#api.post(`/v1/runs/${run.run_id}/cancel`, undefined, CANCEL_MS);
      this.#out.note(`run ${run.run_id} of an earlier start was still open: cancelled`);
    }
    return open.length;
  }

  /**
   * Waits until no emergency stop is engaged: one outlasts the daemon, and its file the host. Rejects with
   * `estop.engaged` where `waits` is false.
   */
  async untilReleased(command: string, waits: boolean): Promise<void> {
    let isSaid = false;
    for (;;) {
      const state = await this.#patiently(() => this.#api.get<EStopState>('/v1/estop'));
      if (!state.engaged) return;
      const message = `the emergency stop is engaged by ${state.by} (${state.source})${state.reason === '' ? '' : `: ${state.reason}`}`;
      const hint = `${command} estop release`;
      if (!waits) throw new EdgeError('estop.engaged', { operation: 'demo', subject: INTENT, message, hint });
      if (!isSaid) this.#out.note(`${message}\nwaiting until it is released: in another terminal, ${hint}`);
      isSaid = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Sends the intent and shows its progress; resolves with the finished run. */
  async run(limitS: number): Promise<RunDetails> {
    const sent = await this.#api.post<Submitted>('/v1/intents', { type: INTENT });
    const runId = sent.run.run_id;
    this.#open = runId;
    this.#out.note(`intent "find the exit" accepted: run ${runId}\n`);
    const progress = new Progress(
      (text) => process.stderr.write(text),
      process.stderr.isTTY === true && !this.#out.json,
      () => process.stderr.columns,
    );
    const begin = performance.now();
    for (;;) {
      const details = await this.#patiently(() => this.#api.get<RunDetails>(`/v1/runs/${runId}`));
      const elapsedS = (performance.now() - begin) / 1000;
      if (!this.#out.json) {
        const status = await this.#patiently(() => this.#api.get<Status>('/v1/status'));
        progress.show({ status, phase: details.phase ?? details.run.status, elapsedS });
      }
      if (isFinished(details.run.status)) {
        this.#open = undefined;
        return details;
      }
      if (elapsedS > limitS)
        throw new EdgeError('deadline.exceeded', {
          operation: 'demo',
          subject: runId,
          message: `the run did not end within ${limitS} s`,
          hint: '--timeout <seconds>',
        });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** A run that the command no longer waits for must not continue at the next start: `run` rejects. Never rejects. */
  async cancelOpen(): Promise<void> {
    this.#isLeft = true;
    const runId = this.#open;
    if (runId === undefined) return;
    this.#open = undefined;
    try {
      await this.#api.post(`/v1/runs/${runId}/cancel`, undefined, CANCEL_MS);
    } catch {
      // The daemon is gone: the next demo cancels it.
    }
  }

  /** A cell that is being restarted is away for a moment: the run continues, and so does its observer. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const isOver = this.#isLeft || performance.now() > end;
        if (!(error instanceof EdgeError) || !error.retryable || isOver) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }
}
