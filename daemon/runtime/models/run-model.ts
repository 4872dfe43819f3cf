import {
  EdgeError,
  type LanguageModel,
  type ModelAnswer,
  type ModelDelta,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelPatience,
  type ModelRequest,
  type NewEvent,
  pause,
  traceparentOf,
  withDeadline,
} from '../../../contract/core.ts';
import type { ModelsOfRun } from '../attempt/active-run.ts';
import { HeldDeltas } from './held-deltas.ts';
import { chooseModels } from './model-choice.ts';
import type { ModelEntry } from './model-entry.ts';
import { type Attempt, type CallNote, calledEvent, type Outcome, returnedEvent } from './model-events.ts';
import { costOf } from './model-figures.ts';
import type { ModelRouter } from './model-router.ts';
import { answerKey, promptHash } from './prompt-hash.ts';
import { withinQuota } from './quota-wait.ts';

type Run = Parameters<ModelsOfRun>[0];
/** What one call has come to so far. */
type Call = {
  readonly request: ModelRequest;
  readonly options: ModelOptions;
  readonly signal: AbortSignal;
  /** Its deadline counts from here. */
  readonly began: number;
  readonly attempts: Attempt[];
  /** Decisions of hooks that are not in the log yet. */
  readonly decided: NewEvent[];
  /** A call of a tool was passed on: no other model may be asked. */
  toldCall: boolean;
  /** What the listener of the caller threw. */
  thrown: EdgeError | undefined;
};

/**
 * A server that asks for patience is waited for once, this long at most, where no other model answers; milliseconds.
 */
const PATIENCE_MS_MAX = 10_000;
/** A model's own deadline comes first: its error says more. */
const SPARE_MS = 250;

/**
 * The models as one run sees them: one after the other until one answers. Each is judged by the hooks before it is
 * asked; the log holds the call before a word of its answer is passed on, and its end is on its way there before
 * anybody has the whole. Once a call of a tool was passed on no other model is asked: the effect may have happened.
 */
export class RunModel implements LanguageModel {
  readonly info: ModelInfo;
  readonly #router: ModelRouter;
  readonly #run: Run;
  /** The end of the last call, on its way into the log. Where it is lost the run refuses all that would follow. */
  #told: Promise<void> = Promise.resolve();

  constructor(router: ModelRouter, run: Run) {
    this.#router = router;
    this.#run = run;
    const prefer = run.app.agent?.need?.prefer ?? [];
    const first = prefer.map((name) => router.entries.find((entry) => entry.name === name)).find(Boolean);
    this.info = (first ?? router.entries[0]!).spec.model.info;
  }

  async complete(request: ModelRequest, options: ModelOptions = {}): Promise<ModelAnswer> {
    const { clock, ids, budget, blobs } = this.#router.options;
    const { intent, runId, emit } = this.#run;
    // What the last call cost is counted before the next one is judged.
    await this.#told;
    const entries = this.#entries(request);
    const callId = ids.next<string>();
    const traceparent = traceparentOf({ runId, traceparent: intent.traceparent }, callId);
    const signal = options.signal ? AbortSignal.any([this.#run.signal, options.signal]) : this.#run.signal;
    const { tenant } = intent.policy_ctx;
    const hash = promptHash(request);
    // To wait for a quota is part of the deadline; it takes no time of a model, and is not paid for.
    const began = clock.monotonicMs();
    if (budget) await withinQuota(budget, { tenant, callId, leftMs: request.deadlineMs, signal }, clock);
    const admitted = clock.monotonicMs();
    const call: Call = {
      request,
      options: { ...options, traceparent },
      signal,
      began,
      attempts: [],
      decided: [],
      toldCall: false,
      thrown: undefined,
    };
    const note: CallNote = {
      callId,
      runId,
      traceparent,
    };
    const begin = async (entry: ModelEntry) => {
      await emit([...call.decided.splice(0), calledEvent(note, entry.name, request, hash)]);
    };
    let outcome: Outcome;
    let error: EdgeError | undefined;
    try {
      const { answer, entry } = await this.#ask(entries, call, begin);
      const costUsd = answer.cached ? 0 : costOf(answer, entry.spec.model.info);
      outcome = { ok: true, answer, costUsd };
    } catch (thrown) {
      error = EdgeError.from(thrown, 'model.failed', 'complete', 'models');
      outcome = { ok: false, error: error.toBody() };
    } finally {
      // In the log by now, or no call at all.
      budget?.endCall(callId);
    }
    const took = clock.monotonicMs() - admitted;
    const returned = await returnedEvent(note, outcome, took, call.attempts, blobs);
    // A call that no hook let through does not count as a call: only the decisions are in the log.
    this.#told = emit([...call.decided, ...(this.#wasCalled(call, outcome) ? [returned] : [])]);
    this.#told.catch(() => {});
    // No caller acts on an answer before what comes behind it in the log is durable; a failure waits for nothing.
    if (!error) return (outcome as Outcome & { ok: true }).answer;
    await this.#told;
    throw error;
  }

  /** The best of them. */
  async health(): Promise<ModelHealth> {
    const views = await this.#router.refresh();
    const healthy = views.find(({ health }) => health?.ok)?.health ?? views[0]?.health;
    return healthy ?? { ok: false, reason: 'no model says how it is', queueDepth: 0 };
  }

  /** The models belong to all runs. */
  async close(): Promise<void> {}

  readonly #called = new WeakSet<Call>();
  #wasCalled(call: Call, outcome: Outcome): boolean {
    return outcome.ok || this.#called.has(call);
  }

  #entries(request: ModelRequest): readonly ModelEntry[] {
    const need = request.need ?? this.#run.app.agent?.need;
    const { entries } = this.#router;
    const infos = entries.map(({ spec }) => spec.model.info);
    const { order, unfit } = chooseModels(infos, need === undefined ? request : { ...request, need });
    if (order.length > 0) return order.map((name) => entries.find((entry) => entry.name === name)!);
    const reason = `no model fits: ${unfit.join('; ')}`;
    throw new EdgeError('model.unavailable', {
      operation: 'choose a model',
      subject: request.purpose,
      message: reason,
      retryable: false,
    });
  }

  async #ask(
    entries: readonly ModelEntry[],
    call: Call,
    begin: (entry: ModelEntry) => Promise<void>,
  ): Promise<{ answer: ModelAnswer; entry: ModelEntry }> {
    // A resting model comes last: no other may be left. Passing takes the turn of a half-open one.
    const [ready, resting] = [[] as ModelEntry[], [] as ModelEntry[]];
    for (const entry of entries) (entry.breaker.state === 'open' ? resting : ready).push(entry);
    const order = [...ready, ...resting];
    let last: EdgeError | undefined;
    for (const entry of order) {
      const error = await this.#judge(entry, call);
      if (error) {
        last = error;
        call.attempts.push({ model: entry.name, error, durationMs: 0 });
        continue;
      }
      const answer = await this.#try(entry, call, begin, order.at(-1) === entry);
      if (!(answer instanceof EdgeError)) return { answer, entry };
      last = answer;
      if (this.#isOver(call, answer)) throw call.thrown ?? answer;
    }
    const waited = await this.#patience(order, call, begin);
    if (waited) return waited;
    throw this.#nobody(call, last!);
  }

  /** Why a hook does not let this model be asked. */
  async #judge(entry: ModelEntry, call: Call): Promise<EdgeError | undefined> {
    const { hooks } = this.#router.options;
    const { info } = entry.spec.model;
    const { purpose, maxTokens, messages, tools = [] } = call.request;
    const verdict = await hooks.ask(
      {
        point: 'model',
        subject: entry.name,
        context: this.#run.intent.policy_ctx,
        facts: {
          ...{
            purpose,
            model_id: info.modelId,
            kind: entry.spec.kind,
            url: entry.spec.url,
            max_tokens: maxTokens,
          },
          cost_in: info.costIn,
          cost_out: info.costOut,
          images: messages.reduce((sum, { images = [] }) => sum + images.length, 0),
          tools: tools.map(({ name }) => name),
        },
        about: { intent: this.#run.intent.type, app: this.#run.app.name },
        runId: this.#run.runId,
      },
      this.#run.runId,
    );
    call.decided.push(...verdict.events);
    return verdict.refusal;
  }

  /** One model; its answer, or why it did not answer. */
  async #try(
    entry: ModelEntry,
    call: Call,
    begin: (entry: ModelEntry) => Promise<void>,
    lastOne: boolean,
  ): Promise<ModelAnswer | EdgeError> {
    const { clock } = this.#router.options;
    const began = clock.monotonicMs();
    let passed = false;
    let give: (() => void) | undefined;
    let leave: (() => void) | undefined;
    let shed: AbortSignal | undefined;
    let begun: Promise<void> | undefined;
    try {
      passed = entry.breaker.pass();
      // Somebody else tries it just now; who has no other choice tries as well.
      if (!passed && !lastOne && entry.breaker.state === 'half_open') throw resting(entry);
      const { model, queueMs } = entry.spec;
      const left = call.request.deadlineMs - (began - call.began);
      if (left <= 0) throw late(entry);
      leave = await entry.shed?.enter({ queueMs, leftMs: left, lastOne }, call.signal);
      give = await entry.slots.take(this.#run.runId, Math.min(queueMs, this.#left(call)), call.signal);
      shed = entry.shed?.signal;
      const refused = new AbortController();
      const tell = this.#listener(call);
      const held = new HeldDeltas(tell);
      const open = () => {
        this.#called.add(call);
        held.open();
      };
      if (this.#called.has(call)) open();
      else begun = begin(entry).then(open);
      begun?.catch(() => refused.abort());
      const key = answerKey(call.request, entry.name, model.info.modelId);
      const known = key === undefined ? undefined : this.#router.cache.find(key);
      if (known) {
        await begun;
        if (known.text !== '') tell({ kind: 'text', text: known.text });
        for (const told of known.toolCalls) tell({ kind: 'tool_call', call: told });
        entry.breaker.letGo();
        return known;
      }
      // It is asked while the log writes that it is; its answer waits for the log. Asking moves nothing.
      const options = this.#options(call, held, [shed, begun && refused.signal]);
      const work = model.complete(this.#request(call), options);
      // A log that refuses ends it at once; one that is slow has no part in its deadline.
      const ended = begun ? Promise.race([work, begun.then(() => work)]) : work;
      // A model settles on its own; one that breaks this promise does not take its place with it.
      const answer = await withDeadline(clock, this.#left(call) + SPARE_MS, ended, 'complete', entry.name);
      const tookMs = clock.monotonicMs() - began;
      await begun;
      if (key !== undefined) this.#router.cache.keep(key, answer);
      entry.figures.answered(answer, tookMs, model.info);
      this.#router.changed(entry, entry.answered());
      return { ...answer, model: entry.name };
    } catch (failed) {
      // A log that refuses the call says more than a model that was interrupted for it.
      const thrown = begun
        ? await begun.then(
            () => failed,
            (refusal: unknown) => refusal,
          )
        : failed;
      // A call that gave way says nothing of its model.
      const gaveWay = shed?.aborted === true && !call.signal.aborted && !call.thrown;
      const error = gaveWay
        ? entry.shed!.refusal()
        : EdgeError.from(thrown, 'model.failed', 'complete', entry.name);
      call.attempts.push({ model: entry.name, error, durationMs: clock.monotonicMs() - began });
      this.#settle(entry, call, error, give !== undefined && !gaveWay);
      return error;
    } finally {
      if (passed) entry.breaker.letGo();
      give?.();
      leave?.();
    }
  }

  /** What a failure says of the model: nothing, where the caller ended it or it was never asked. */
  #settle(entry: ModelEntry, call: Call, error: EdgeError, asked: boolean): void {
    if (!asked || call.thrown || call.signal.aborted) return;
    if (!['model.unavailable', 'model.failed', 'deadline.exceeded'].includes(error.code)) return;
    // The caller's time was too short for it: not gone, but slow. Three times in a row count.
    const slow = error.code === 'deadline.exceeded' && this.#left(call) <= 0;
    const told = slow
      ? new EdgeError('model.failed', { operation: 'complete', subject: entry.name, message: error.message })
      : error;
    this.#router.failed(entry, told);
  }

  /** No other model is asked: the caller is gone, out of time, or has got a call of a tool; or no model can help. */
  #isOver(call: Call, error: EdgeError): boolean {
    if (call.thrown || call.toldCall || call.signal.aborted) return true;
    if (error.code === 'deadline.exceeded' && this.#left(call) <= 0) return true;
    return !['model.unavailable', 'model.failed', 'deadline.exceeded'].includes(error.code);
  }

  #left(call: Call): number {
    return call.request.deadlineMs - (this.#router.options.clock.monotonicMs() - call.began);
  }

  /** All are busy and one said until when: it is asked once more then, if there is time. */
  async #patience(
    order: readonly ModelEntry[],
    call: Call,
    begin: (entry: ModelEntry) => Promise<void>,
  ): Promise<{ answer: ModelAnswer; entry: ModelEntry } | undefined> {
    const patient = call.attempts
      .map(({ model, error }) => ({
        model,
        ms: ((error.cause ?? {}) as Partial<ModelPatience>).retryAfterMs,
      }))
      .filter((one): one is { model: string; ms: number } => one.ms !== undefined)
      .sort((a, b) => a.ms - b.ms)[0];
    if (!patient || patient.ms > Math.min(PATIENCE_MS_MAX, this.#left(call) / 2)) return undefined;
    await pause(this.#router.options.clock, patient.ms, call.signal);
    const entry = order.find(({ name }) => name === patient.model)!;
    const answer = await this.#try(entry, call, begin, true);
    return answer instanceof EdgeError ? undefined : { answer, entry };
  }

  #nobody(call: Call, last: EdgeError): EdgeError {
    const refused = call.attempts.every(
      ({ error }) => error.code.startsWith('policy.') || error.code === 'quota.exceeded',
    );
    if (refused) return last;
    const reasons = call.attempts.map(({ model, error }) => `${model}: ${error.message}`).join('; ');
    this.#router.noneLeft(reasons);
    const failed = call.attempts.some(({ error }) => error.code === 'model.failed');
    return new EdgeError(failed ? 'model.failed' : 'model.unavailable', {
      operation: 'complete',
      subject: call.request.purpose,
      message: `no model answered: ${reasons}`,
      cause: last,
    });
  }

  #request(call: Call): ModelRequest {
    return { ...call.request, deadlineMs: this.#left(call) };
  }

  /** The listener of the caller; one that has thrown hears nothing more. */
  #listener(call: Call): (delta: ModelDelta) => void {
    return (delta) => {
      if (call.thrown) throw call.thrown;
      try {
        call.options.onDelta?.(delta);
      } catch (thrown) {
        call.thrown = EdgeError.from(thrown, 'model.failed', 'listen', call.request.purpose);
        throw call.thrown;
      }
    };
  }

  #options(call: Call, held: HeldDeltas, ends: readonly (AbortSignal | undefined)[]): ModelOptions {
    const trace = call.options.traceparent ?? this.#run.intent.traceparent;
    const others = ends.filter((end) => end !== undefined);
    return {
      signal: others.length > 0 ? AbortSignal.any([call.signal, ...others]) : call.signal,
      onDelta: (delta) => {
        // From the moment that it is said, heard or not.
        if (delta.kind === 'tool_call') call.toldCall = true;
        held.take(delta);
      },
      ...(trace === undefined ? {} : { traceparent: trace }),
    };
  }
}

function resting(entry: ModelEntry): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'complete',
    subject: entry.name,
    message: `it rests: ${entry.breaker.reason}`,
  });
}

function late(entry: ModelEntry): EdgeError {
  return new EdgeError('deadline.exceeded', {
    operation: 'complete',
    subject: entry.name,
    message: 'no time was left to ask it',
  });
}
