import {
  type Clock,
  EdgeError,
  type EventReader,
  isFinished,
  type PlanReply,
  type PlansApi,
  type PlanView,
  type PolicyContext,
  type RunDetails,
  type RuntimeApi,
  withDeadline,
} from '../../../contract/index.ts';
import type { Plan, PlanAsk } from '../../../contract/plan.ts';
import { eachEvent } from '../../../history/each-event.ts';
import { checkedAsk } from './plan-ask.ts';
import { foldPlan, PLAN_KINDS } from './plan-view.ts';

export const PLAN_INTENT = 'plan';
/** Between two looks at a run whose plan is waited for, milliseconds. */
const LOOK_MS = 25;
/** Where the caller says nothing, milliseconds. */
const ASK_MS = 60_000;

export type PlanDeskParts = {
  readonly runtime: Pick<RuntimeApi, 'submit' | 'run' | 'runs' | 'cancel'>;
  readonly reader: Pick<EventReader, 'read'>;
  readonly clock: Clock;
};

/** Plans as the API, the queryables and the command line ask for them. Each is a run of the intent `plan`. */
export class PlanDesk implements PlansApi {
  readonly #parts: PlanDeskParts;

  constructor(parts: PlanDeskParts) {
    this.#parts = parts;
  }

  /** Opens the run of a plan. Rejects as `RuntimeApi.submit`. */
  async open(ask: unknown, who: PolicyContext, traceparent?: string): Promise<RunDetails> {
    return await this.#opened(checkedAsk(ask), who, traceparent);
  }

  async #opened(params: PlanAsk, who: PolicyContext, traceparent?: string): Promise<RunDetails> {
    const request = {
      type: PLAN_INTENT,
      params,
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    const { run } = await this.#parts.runtime.submit(request, who);
    return this.#parts.runtime.run(run.run_id);
  }

  /**
   * Makes a plan and waits for it; it is not carried out. A caller who is gone or out of time leaves no run behind.
   */
  async infer(
    ask: unknown,
    who: PolicyContext,
    deadlineMs = ASK_MS,
    options: { readonly signal?: AbortSignal; readonly traceparent?: string } = {},
  ): Promise<PlanReply> {
    const { clock, runtime } = this.#parts;
    const until = clock.monotonicMs() + deadlineMs;
    const asked = typeof ask === 'object' && ask !== null && !Array.isArray(ask) ? ask : undefined;
    // This caller needs the plan and nothing of it done.
    const params = {
      ...checkedAsk(asked ? { ...asked, dry_run: true } : ask),
      deadline_ms: Math.max(1, Math.floor(Math.min(600_000, deadlineMs))),
    };
    const opened = this.#opened(params, who, options.traceparent);
    const { run } = await withDeadline(clock, deadlineMs, opened, 'plan', 'plan').catch((thrown: unknown) => {
      // It may come to be after all.
      opened.then((late) => runtime.cancel(late.run.run_id, 'the caller no longer waits')).catch(() => {});
      throw thrown;
    });
    const over = await this.#over(run.run_id, until, options.signal);
    if (over) return this.#reply(over);
    const gone = options.signal?.aborted === true;
    const why = gone ? 'the caller is gone' : 'no plan by the deadline';
    runtime.cancel(run.run_id, why).catch(() => {});
    throw new EdgeError(gone ? 'run.cancelled' : 'deadline.exceeded', {
      operation: 'plan',
      subject: run.run_id,
      message: gone ? why : `no plan within ${deadlineMs} ms`,
    });
  }

  /** The newest plans first. */
  list(limit: number): readonly PlanView[] {
    return this.#parts.runtime.runs({ app: 'planner', limit }).map((details) => this.#view(details));
  }

  /** Throws `run.not_found`. */
  view(runId: string): PlanView {
    const details = this.#parts.runtime.run(runId);
    if (details.app === 'planner') return this.#view(details);
    throw new EdgeError('run.not_found', {
      operation: 'find plan',
      subject: runId,
      message: 'this run is not one of a plan',
    });
  }

  #view(details: RunDetails): PlanView {
    return foldPlan(details, eachEvent(this.#parts.reader, { runId: details.run.run_id, kinds: PLAN_KINDS }));
  }

  async #over(
    runId: string,
    untilMs: number,
    signal: AbortSignal | undefined,
  ): Promise<RunDetails | undefined> {
    const { clock, runtime } = this.#parts;
    for (;;) {
      const details = runtime.run(runId);
      if (isFinished(details.run.status)) return details;
      if (signal?.aborted || clock.monotonicMs() >= untilMs) return undefined;
      await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
    }
  }

  #reply(details: RunDetails): PlanReply {
    const { run, summary, error, reason } = details;
    if (run.status !== 'succeeded') {
      if (error) throw EdgeError.fromBody(error);
      throw new EdgeError('model.failed', { operation: 'plan', subject: run.run_id, message: reason });
    }
    const { made } = this.#view(details);
    const told = {
      run_id: run.run_id,
      model: made?.model ?? '',
      model_id: made?.model_id ?? '',
    };
    const dropped = (summary?.['dropped'] as PlanReply['dropped'] | undefined) ?? made?.dropped ?? [];
    const plan = made?.plan ?? (summary?.['plan'] as Plan | undefined);
    if (plan) return { ...told, plan, dropped };
    // The goal is reached already: there is nothing to plan, and a plan has at least one step.
    throw new EdgeError('model.failed', {
      operation: 'plan',
      subject: run.run_id,
      message: `no plan is needed: ${reason}`,
      retryable: false,
    });
  }
}
