import {
  type Clock,
  EdgeError,
  type ErrorBody,
  type IdSource,
  type Intent,
  LIMITS,
  type Nanoseconds,
  type NewEvent,
  toWireTime,
  traceparentOf,
  withDeadline,
} from '../../contract/index.ts';
import { interruption, loggable, replayed } from './call-records.ts';
import type { RunApprovals } from './governance/run-approvals.ts';
import type { PolicyGate, Verdict } from './policy-gate.ts';
import type { CallView } from './run-view.ts';
import type { ToolJournal } from './tool-journal.ts';
import { inTrace } from './trace-scope.ts';

type Result = Readonly<Record<string, unknown>>;

/** A picture as the log knows it; its bytes are a blob. */
export type ImageNote = {
  readonly mime: 'image/jpeg' | 'image/png';
  readonly sha256: string;
  readonly bytes: number;
};

/** What a call gave. Results are plain JSON: they are what the log holds. */
export type Answered = { readonly result: Result; readonly images?: readonly ImageNote[] };

/** What the world says of a call that was cut off. */
type Known = 'not happened' | { readonly answer: Answered } | { readonly unknown: string };

const CHANGED = 'its tool has another replay class by now';

type Ask = {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly effect: 'read' | 'write' | 'actuate';
  readonly replay: 'never' | 'safe' | 'probe';
  readonly deadlineMs: number;
  /** Id that a model gave the call. */
  readonly originId?: string | undefined;
  /** Ends this call alone. */
  readonly signal?: AbortSignal | undefined;
};

/** One effect as the gate sees it. */
export type Effect<R = Answered> = Ask & {
  /** Does it. The signal aborts when the run does or the deadline is over; the id is that of the call, also when it is repeated. */
  work(signal: AbortSignal, callId: string): Promise<R>;
  /** Asks the world whether a call that was cut off has happened; its result if so. For `probe`. */
  probe?(signal: AbortSignal, callId: string): Promise<R | undefined>;
};

/** Answers a call without doing it; `signal` ends the call as it would end the work. */
export type Instead = (
  ask: { readonly tool: string; readonly args: Readonly<Record<string, unknown>> },
  callId: string,
  signal: AbortSignal,
) => Promise<Answered> | undefined;

export type ToolGateParts = {
  readonly runId: string;
  readonly intent: Intent;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  readonly journal: ToolJournal;
  readonly signal: AbortSignal;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  readonly robotTime: () => Nanoseconds | undefined;
  /** Resolves when the run is not paused. */
  readonly unpaused: () => Promise<void>;
  readonly stopRobot: (reason: string) => Promise<void>;
  /** Where people can be asked; else what needs them is refused. */
  readonly approvals?: RunApprovals | undefined;
  /**
   * What a call gives instead of being done: a replay answers from the record. Undefined for a call that is to be
   * done. Where this part is given nothing is ever asked of the world.
   */
  readonly instead?: Instead | undefined;
};

/**
 * The one door to effects. A call is judged by the hooks and written down before it happens, is raced
 * against its deadline, and its end is written down before the caller hears of it. When an actuating call
 * does not settle in time the robot is stopped first. Failures reject with an EdgeError and are in the log.
 */
export class ToolGate {
  readonly #parts: ToolGateParts;
  /** Calls under way, by id: their tool. */
  readonly #inFlight = new Map<string, string>();
  #closed = false;
  /** Something of this run may have moved the robot. */
  #moved = false;

  constructor(parts: ToolGateParts) {
    this.#parts = parts;
  }

  /** Calls are under way that nobody waited for. */
  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** For effects without pictures. */
  async call(effect: Effect<Result>): Promise<Result> {
    const { probe, ...ask } = effect;
    const wrapped: Effect = {
      ...ask,
      work: async (signal, callId) => ({ result: await effect.work(signal, callId) }),
      ...(probe ? { probe: (signal, callId) => probe(signal, callId).then((r) => r && { result: r }) } : {}),
    };
    return (await this.callTool(wrapped)).result;
  }

  async callTool(effect: Effect): Promise<Answered> {
    const { journal, signal, unpaused } = this.#parts;
    await unpaused().catch(() => {});
    if (signal.aborted || this.#closed) throw this.#cancelled(effect);
    const known = journal.recall(effect.tool, effect.args, effect.originId);
    if (known.kind === 'answered') return replayed(known.call);
    if (known.kind === 'open') return await this.#again(effect, known.call);
    await this.#settleAbandoned('the run decided anew after the cut');
    const callId = await this.#open(effect, this.#parts.ids.next<string>());
    return await this.#perform(effect, callId);
  }

  /** Writes down a call that never came as far as its tool: an unknown name, arguments that do not fit. */
  async refuse(ask: Pick<Ask, 'tool' | 'args' | 'originId'>, error: EdgeError): Promise<void> {
    const { signal, journal } = this.#parts;
    if (signal.aborted || this.#closed) throw this.#cancelled(ask);
    const tool = loggable(ask.tool);
    const known = journal.recall(tool, ask.args, ask.originId);
    if (known.kind === 'answered') return;
    const callId = known.kind === 'open' ? known.call.callId : this.#parts.ids.next<string>();
    const called = this.#called(callId, { ...ask, tool, effect: 'read', replay: 'safe', deadlineMs: 1 });
    const answer = this.#returned(callId, tool, 0, { ok: false, error: error.toBody() });
    await this.#parts.emit(known.kind === 'open' ? [answer] : [called, answer]);
  }

  /** Writes down an effect that had to happen first, such as a stop. Nothing is written once the run is over. */
  async note(tool: string, args: Readonly<Record<string, unknown>>, effect: Effect['effect']): Promise<void> {
    if (this.#parts.signal.aborted) return;
    const callId = this.#parts.ids.next<string>();
    await this.#parts.emit([
      this.#called(callId, { tool, args, effect, replay: 'safe', deadlineMs: 1 }),
      this.#returned(callId, tool, 0, { ok: true, result: {} }),
    ]);
  }

  /** Ends every call that has no end yet, and refuses all later ones. What is deaf is no longer heard. */
  async close(why: string): Promise<void> {
    this.#closed = true;
    await this.#settleAbandoned(why);
    const left = [...this.#inFlight].map(([callId, tool]) => {
      const error = new EdgeError('run.cancelled', { operation: 'call', subject: tool, message: why });
      return this.#returned(callId, tool, 0, { ok: false, error: error.toBody() });
    });
    this.#inFlight.clear();
    if (left.length > 0) await this.#parts.emit(left);
  }

  /** Writes an end for every call that a cut left open and that nobody will repeat. */
  async #settleAbandoned(why: string): Promise<void> {
    const open = this.#parts.journal.abandon();
    if (open.length > 0) await this.#parts.emit(open.map((call) => this.#interrupted(call, why)));
  }

  /** The end of a call that was cut off and must not be repeated. */
  #interrupted(call: CallView, why: string): NewEvent {
    const error = interruption(call, why).toBody();
    return this.#returned(call.callId, call.tool, 0, { ok: false, error });
  }

  /**
   * A call that was cut off: its class says what may happen to it. What is not known to have not happened is
   * never repeated: neither a `never` call, nor a `probe` call whose world cannot be asked.
   */
  async #again(effect: Effect, call: CallView): Promise<Answered> {
    this.#inFlight.set(call.callId, effect.tool);
    const known = await this.#askWorld(effect, call);
    if (!this.#inFlight.delete(call.callId)) throw this.#cancelled(effect);
    if (known === 'not happened') return await this.#perform(effect, call.callId);
    if ('answer' in known) {
      await this.#parts.emit([this.#returned(call.callId, call.tool, 0, { ok: true, ...known.answer })]);
      return known.answer;
    }
    const error = interruption(call, known.unknown);
    const fault = await this.#safe(effect, error);
    await this.#parts.emit([this.#returned(call.callId, call.tool, 0, { ok: false, error: fault.toBody() })]);
    throw fault;
  }

  /** The class that the call was made under holds, whatever the tool says of itself by now. */
  async #askWorld(effect: Effect, call: CallView): Promise<Known> {
    // How it ended then is in the record.
    if (this.#parts.instead && call.replay !== 'never') return 'not happened';
    if (call.replay === 'never') return { unknown: 'it may have happened and is never repeated' };
    if (call.replay === 'safe') return effect.replay === 'safe' ? 'not happened' : { unknown: CHANGED };
    if (!effect.probe) return { unknown: CHANGED };
    const { clock, signal } = this.#parts;
    const late = new AbortController();
    try {
      const asked = Promise.resolve().then(() =>
        effect.probe!(AbortSignal.any([signal, late.signal]), call.callId),
      );
      const answer = await withDeadline(clock, LIMITS.TOOL_PROBE_MS, asked, 'probe', effect.tool);
      return answer === undefined ? 'not happened' : { answer };
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'tool.failed', 'probe', effect.tool);
      late.abort(error);
      if (signal.aborted) throw this.#cancelled(effect);
      return { unknown: `whether it happened cannot be asked (${error.message})` };
    }
  }

  /**
   * Hooks, where they want it a person, then the durable word that the call is going to happen. A denial is written
   * down in one go. Answers the id of the call: one that a person was asked for before a cut has it from there.
   */
  async #open(effect: Effect, freshId: string): Promise<string> {
    const verdict = await this.#judge(effect);
    const { approvals } = this.#parts;
    if (!verdict.approval || !approvals) return await this.#write(effect, freshId, verdict);
    const { tool, args, signal } = effect;
    const asked = await approvals.ask({
      ...{ point: 'tool', subject: tool, facts: args, terms: verdict.approval },
      ...{ callId: freshId, events: verdict.events, signal },
      rest: this.#moved || effect.effect === 'actuate',
    });
    if (asked.refusal) return await this.#write(effect, asked.callId, { refusal: asked.refusal, events: [] });
    await this.#parts.unpaused().catch(() => {});
    if (this.#parts.signal.aborted || this.#closed) throw this.#cancelled(effect);
    // Much may have changed while a person thought: policies, grants, quotas.
    const { refusal, approval, events } = await this.#judge(effect);
    return await this.#write(effect, asked.callId, { refusal: approval ? undefined : refusal, events });
  }

  #judge({ tool, args, effect }: Effect): Promise<Verdict> {
    const { runId, intent, hooks } = this.#parts;
    const about = { effect, intent: intent.type };
    const question = { point: 'tool', subject: tool, context: intent.policy_ctx } as const;
    return hooks.ask({ ...question, facts: { ...args }, about, runId }, runId);
  }

  /** The call, and where it was refused its end. */
  async #write(effect: Effect, callId: string, { refusal, events }: Verdict): Promise<string> {
    const called = this.#called(callId, effect);
    if (!refusal) {
      await this.#parts.emit([...events, called]);
      return callId;
    }
    const answer = this.#returned(callId, effect.tool, 0, { ok: false, error: refusal.toBody() });
    await this.#parts.emit([...events, called, answer]);
    throw refusal;
  }

  async #perform(effect: Effect, callId: string): Promise<Answered> {
    const { clock, unpaused } = this.#parts;
    // Hooks, people and the log took their time: a pause that came meanwhile has stopped the robot already.
    await unpaused().catch(() => {});
    const signal = effect.signal ? AbortSignal.any([this.#parts.signal, effect.signal]) : this.#parts.signal;
    // The run may have been aborted while the call was being written down.
    const began = clock.monotonicMs();
    this.#inFlight.set(callId, effect.tool);
    this.#moved ||= effect.effect === 'actuate';
    const late = new AbortController();
    const work = Promise.resolve().then(() => {
      if (signal.aborted) throw this.#cancelled(effect);
      const ends = AbortSignal.any([signal, late.signal]);
      const recorded = this.#parts.instead?.(effect, callId, ends);
      return recorded ?? inTrace(this.#traceparent(callId), () => effect.work(ends, callId));
    });
    let answer: ({ ok: true } & Answered) | { ok: false; error: ErrorBody; thrown: EdgeError };
    try {
      answer = { ok: true, ...(await this.#bounded(effect, work, signal)) };
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'tool.failed', 'call', effect.tool);
      late.abort(error);
      if (this.#goesOn(effect) && this.#inFlight.delete(callId)) throw error;
      const fault = await this.#safe(effect, error);
      answer = { ok: false, error: fault.toBody(), thrown: fault };
    }
    if (!this.#inFlight.delete(callId)) throw this.#cancelled(effect);
    const duration = Math.max(0, clock.monotonicMs() - began);
    await this.#parts.emit([this.#returned(callId, effect.tool, duration, answer)]);
    if (!answer.ok) throw answer.thrown;
    return answer.images ? { result: answer.result, images: answer.images } : { result: answer.result };
  }

  /** The daemon stops and the run does not: a call that may be repeated stays open, and is, under its id. */
  #goesOn({ replay, effect }: Effect): boolean {
    const { aborted, reason } = this.#parts.signal;
    const stops = aborted && reason instanceof EdgeError && reason.operation === 'shutdown';
    return stops && replay === 'safe' && effect !== 'actuate';
  }

  /** Races the deadline, and after an abort a short grace in which the work may settle by itself. */
  async #bounded(effect: Effect, work: Promise<Answered>, signal: AbortSignal): Promise<Answered> {
    const { clock } = this.#parts;
    return await new Promise<Answered>((resolve, reject) => {
      const onAbort = () => {
        const grace = LIMITS.RUN_SETTLE_MS;
        withDeadline(clock, grace, work, 'call', effect.tool).then(resolve, reject);
      };
      const forget = () => signal.removeEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      withDeadline(clock, effect.deadlineMs, work, 'call', effect.tool).then(resolve, reject).finally(forget);
    });
  }

  /** After any failure of an actuating call the robot is told to stop before anybody hears of it. */
  async #safe(effect: Effect, error: EdgeError): Promise<EdgeError> {
    if (effect.effect !== 'actuate') return error;
    try {
      await this.#parts.stopRobot(`${effect.tool}: ${error.code}`);
      return error;
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      return new EdgeError(error.code, {
        operation: error.operation,
        subject: error.subject,
        message: `${error.message}; the robot did not confirm the stop: ${why}`,
        hint: error.hint,
        retryable: error.retryable,
        cause: error,
      });
    }
  }

  #called(callId: string, ask: Ask): NewEvent {
    return {
      kind: 'tool.called',
      run_id: this.#parts.runId,
      payload: {
        call_id: callId,
        tool: ask.tool,
        args: { ...ask.args },
        effect: ask.effect,
        replay: ask.replay,
        deadline_ms: Math.max(1, Math.ceil(ask.deadlineMs)),
        ...(ask.originId === undefined ? {} : { origin_id: ask.originId.slice(0, 256) }),
        traceparent: this.#traceparent(callId),
        ...this.#robotTime(),
      },
    };
  }

  #returned(
    callId: string,
    tool: string,
    durationMs: number,
    answer: ({ ok: true } & Answered) | { ok: false; error: ErrorBody },
  ): NewEvent {
    const outcome = answer.ok
      ? {
          ok: true,
          result: { ...answer.result },
          ...(answer.images ? { images: answer.images.map((note) => ({ ...note })) } : {}),
        }
      : { ok: false, error: answer.error };
    return {
      kind: 'tool.returned',
      run_id: this.#parts.runId,
      payload: { call_id: callId, tool, ...outcome, duration_ms: durationMs, ...this.#robotTime() },
    };
  }

  #traceparent(callId: string): string {
    const { runId, intent } = this.#parts;
    return traceparentOf({ runId, traceparent: intent.traceparent }, callId);
  }

  #robotTime(): { robot_time_ns?: string } {
    const time = this.#parts.robotTime();
    return time === undefined ? {} : { robot_time_ns: toWireTime(time) };
  }

  #cancelled(effect: Pick<Effect, 'tool'>): EdgeError {
    return new EdgeError('run.cancelled', { operation: 'call', subject: effect.tool });
  }
}
