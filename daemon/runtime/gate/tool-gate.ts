import {
  EdgeError,
  type ErrorBody,
  type GoalOf,
  LIMITS,
  type MotionKind,
  type NewEvent,
  type Wanted,
  withDeadline,
} from '../../../contract/index.ts';
import { decidedWithin, judgeMotion, motionFactsOf } from '../law/motion-law.ts';
import type { Verdict } from '../law/policy-gate.ts';
import type { CallView } from '../runs/run-view.ts';
import { inCall } from '../trace/trace-scope.ts';
import { boundedCall } from './bounded-call.ts';
import { CallEvents } from './call-events.ts';
import { goesOn, interruption, isStop, loggable, notMade, replayed } from './call-records.ts';
import { refusePreempted, scopeOf } from './call-scope.ts';
import { inTurn } from './in-turn.ts';
import type { Answered, Ask, Effect, Result, ToolGateParts } from './tool-gate-parts.ts';

export type { Answered, Effect, ImageNote, Instead, ToolGateParts } from './tool-gate-parts.ts';

/** What is known about the effect of a call that a restart interrupted. */
type Known = 'not happened' | { readonly answer: Answered } | { readonly unknown: string };

const CHANGED = 'its tool has another replay class by now';

/**
 * Every effect of a run passes this gate. The hooks judge a call, and it is logged before it happens. It has a
 * deadline, and its end is logged before the caller gets the answer. If an actuating call fails or is late, the
 * robot is stopped before the end is logged. Failures reject with an EdgeError and are in the log.
 */
export class ToolGate {
  readonly #parts: ToolGateParts;
  readonly #log: CallEvents;
  /** Aborts the running calls when the run ends, also when it ends well. */
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  /** Calls that are being logged or are running, by id: their tool, and when their work started. */
  readonly #inFlight = new Map<string, { readonly tool: string; readonly began?: number }>();
  #closed = false;
  /** True when a call of this run may have moved the robot. */
  #moved = false;

  constructor(parts: ToolGateParts) {
    this.#parts = parts;
    this.#log = new CallEvents(parts);
    this.#signal = AbortSignal.any([parts.signal, this.#over.signal]);
  }

  /** True while calls are running or about to start. */
  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** True when a call of this attempt moves the robot, or has moved it. */
  get moved(): boolean {
    return this.#moved;
  }

  /**
   * A tool that works in several steps waits here before each motion. The hooks judge each motion as an action of its
   * own, and a paused run does not move. Rejects with the refusal.
   */
  async allowMotion<K extends MotionKind>(within: string, kind: K, goal: GoalOf<K>): Promise<void> {
    const { hooks, emit, intent, runId } = this.#parts;
    const run = { context: intent.policy_ctx, intent: intent.type, runId };
    let paused: number;
    do {
      paused = this.#pausedMs();
      await judgeMotion(hooks, emit, { kind, goal, within, ...run });
      await this.unpaused();
      // A pause may take hours: the answer of policies, grants and quotas from before it does not count after it.
    } while (this.#pausedMs() !== paused && !this.#signal.aborted);
  }

  /** Settles when the run is not paused, or is over. A tool that works in several steps waits here before each step. */
  async unpaused(): Promise<void> {
    await this.#parts.unpaused().catch(() => {});
  }

  /** For effects without images. */
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
    const { motionTurn, instead, stops } = this.#parts;
    const wanted = stops?.now();
    if (!motionTurn || instead || isStop(effect)) return await this.#call(effect, wanted);
    const signal = effect.signal ? AbortSignal.any([this.#signal, effect.signal]) : this.#signal;
    return await inTurn(motionTurn, effect, signal, () => this.#call(effect, wanted));
  }

  async #call(effect: Effect, wanted: Wanted | undefined): Promise<Answered> {
    const { journal } = this.#parts;
    if (effect.tool === 'robot.stop' && !this.#parts.instead) await this.#stopFirst(effect);
    else await this.#ready(effect);
    this.#refuseClosed(effect);
    const known = journal.recall(effect.tool, effect.args, effect.originId);
    if (known.kind === 'answered') return replayed(known.call);
    if (known.kind === 'open') return await this.#again(effect, known.call, wanted);
    await this.#settleAbandoned('the run decided again after the interruption');
    const paused = this.#pausedMs();
    const callId = await this.#open(effect, this.#parts.ids.next<string>());
    return await this.#perform(effect, callId, paused, wanted);
  }

  /** Logs a call that never reached its tool: its name is unknown, or its arguments do not fit. */
  async refuse(ask: Pick<Ask, 'tool' | 'args' | 'originId'>, error: EdgeError): Promise<void> {
    const { journal } = this.#parts;
    this.#refuseClosed(ask);
    const tool = loggable(ask.tool);
    const known = journal.recall(tool, ask.args, ask.originId);
    if (known.kind === 'answered') return;
    const callId = known.kind === 'open' ? known.call.callId : this.#parts.ids.next<string>();
    const called = this.#log.called(callId, { ...ask, tool, effect: 'read', replay: 'safe', deadlineMs: 1 });
    const answer = this.#log.returned(callId, tool, 0, { ok: false, error: error.toBody() });
    await this.#parts.emit(known.kind === 'open' ? [answer] : [called, answer]);
  }

  /** Logs an effect that had to happen before its log entry, such as a stop. Logs nothing once the run is over. */
  async note(tool: string, args: Readonly<Record<string, unknown>>, effect: Effect['effect']): Promise<void> {
    if (this.#signal.aborted) return;
    const callId = this.#parts.ids.next<string>();
    await this.#parts.emit([
      this.#log.called(callId, { tool, args, effect, replay: 'safe', deadlineMs: 1 }),
      this.#log.returned(callId, tool, 0, { ok: true, result: {} }),
    ]);
  }

  /** Refuses all later calls, and aborts the running calls. From here on no call of this run starts. */
  shut(why: string): void {
    this.#closed = true;
    if (!this.#over.signal.aborted)
      this.#over.abort(
        new EdgeError('run.cancelled', { operation: 'close', subject: this.#parts.runId, message: why }),
      );
  }

  /** Logs an end for every call that has none yet. Answers that come later are ignored. */
  async close(why: string): Promise<void> {
    this.shut(why);
    await this.#parts.approvals?.settled();
    await this.#settleAbandoned(why);
    const now = this.#parts.clock.monotonicMs();
    const left = [...this.#inFlight].map(([callId, { tool, began = now }]) => {
      const error = new EdgeError('run.cancelled', { operation: 'call', subject: tool, message: why });
      return this.#log.returned(callId, tool, Math.max(0, now - began), { ok: false, error: error.toBody() });
    });
    this.#inFlight.clear();
    if (left.length > 0) await this.#parts.emit(left);
  }

  /** Logs an end for every call that a restart left open and that will not be repeated. */
  async #settleAbandoned(why: string): Promise<void> {
    const open = this.#parts.journal.abandon();
    if (open.length > 0) await this.#parts.emit(open.map((call) => this.#interrupted(call, why)));
  }

  /** The end of a call that a restart interrupted and that must not be repeated. */
  #interrupted(call: CallView, why: string): NewEvent {
    const error = interruption(call, why).toBody();
    return this.#log.returned(call.callId, call.tool, 0, { ok: false, error });
  }

  /**
   * Handles a call that a restart interrupted. Its replay class decides what may happen to it. A call is repeated
   * only if it is safe or known not to have happened: a `never` call, or a `probe` call whose probe fails, is not
   * repeated.
   */
  async #again(effect: Effect, call: CallView, wanted: Wanted | undefined): Promise<Answered> {
    this.#inFlight.set(call.callId, { tool: effect.tool });
    const paused = this.#pausedMs();
    const refusal = await this.#forbiddenNow(effect, call);
    const known = await this.#askWorld(effect, call);
    if (!this.#inFlight.has(call.callId)) throw this.#cancelled(effect);
    if (known === 'not happened' && !refusal) return await this.#perform(effect, call.callId, paused, wanted);
    this.#inFlight.delete(call.callId);
    if (known !== 'not happened' && 'answer' in known) {
      await this.#parts.emit([this.#log.returned(call.callId, call.tool, 0, { ok: true, ...known.answer })]);
      return known.answer;
    }
    const error = known === 'not happened' ? refusal! : interruption(call, known.unknown);
    const fault = await this.#safe(effect, error);
    await this.#parts.emit([
      this.#log.returned(call.callId, call.tool, 0, { ok: false, error: fault.toBody() }),
    ]);
    throw fault;
  }

  /** A call that was allowed before the restart may be forbidden now: policies, grants and quotas are asked again. */
  async #forbiddenNow(effect: Effect, { callId, replay }: CallView): Promise<EdgeError | undefined> {
    const { approvals, emit, instead } = this.#parts;
    if (replay === 'never' || instead?.judgedAgain === false) return undefined;
    const { refusal, approval, events } = await this.#judge(effect);
    if (events.length > 0) await emit(events);
    // A replay uses the recorded answers, and an approval that a person gave stays valid.
    const agreed = approval !== undefined && approvals?.agreed(callId) === true;
    return instead || agreed ? undefined : refusal;
  }

  /** The replay class at the time of the call counts, even if its tool has another class by now. */
  async #askWorld(effect: Effect, call: CallView): Promise<Known> {
    // In a replay the record has the end of the call.
    if (this.#parts.instead && call.replay !== 'never') return 'not happened';
    if (call.replay === 'never') return { unknown: 'it may have happened and is never repeated' };
    if (call.replay === 'safe') return effect.replay === 'safe' ? 'not happened' : { unknown: CHANGED };
    if (!effect.probe) return { unknown: CHANGED };
    const { clock } = this.#parts;
    const signal = this.#signal;
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
   * Asks the hooks and, where they require it, a person. Then logs that the call is going to happen. A denial is logged
   * in one append with its call. Returns the id of the call: one that waited for a person before a restart keeps its id.
   */
  async #open(effect: Effect, freshId: string): Promise<string> {
    const verdict = await this.#judge(effect);
    const { approvals } = this.#parts;
    if (!verdict.approval || !approvals) return await this.#write(effect, freshId, verdict);
    const { tool, args } = effect;
    const signal = effect.signal ? AbortSignal.any([this.#over.signal, effect.signal]) : this.#over.signal;
    const asked = await approvals.ask({
      ...{ point: 'tool', subject: tool, facts: args, terms: verdict.approval },
      ...{ callId: freshId, events: verdict.events, signal },
      rest: this.#moved || effect.effect === 'actuate',
    });
    if (asked.refusal) return await this.#write(effect, asked.callId, { refusal: asked.refusal, events: [] });
    await this.#ready(effect);
    this.#refuseClosed(effect);
    // Policies, grants and quotas may have changed while the person decided.
    const { refusal, approval, events } = await this.#judge(effect);
    return await this.#write(effect, asked.callId, { refusal: approval ? undefined : refusal, events });
  }

  /** Stops the robot before anything is judged, logged or waited for. The call that follows logs the stop. */
  async #stopFirst({ tool, args }: Effect): Promise<void> {
    const reason = typeof args['reason'] === 'string' ? args['reason'] : 'an agent asked for it';
    // If the stop is not confirmed, the call itself tries again and reports it.
    const { stopRobot, stopEverything = stopRobot } = this.#parts;
    await stopEverything(reason.slice(0, 256) || tool).catch(() => undefined);
  }

  async #judge(ask: Effect): Promise<Verdict> {
    const { tool, args, effect } = ask;
    // A stop needs no permission: neither a policy, nor a quota, nor a person can prevent it.
    if (isStop(ask)) return { refusal: undefined, events: [] };
    const { runId, intent, hooks } = this.#parts;
    const about = { effect, intent: intent.type };
    const question = { point: 'tool', subject: tool, context: intent.policy_ctx } as const;
    return hooks.ask({ ...question, facts: { ...args, ...motionFactsOf(tool, args) }, about, runId }, runId);
  }

  /** Logs the call and, if it is refused, its end. From here on it counts as running, and it ends with the run. */
  async #write(effect: Effect, callId: string, { refusal, events }: Verdict): Promise<string> {
    this.#refuseClosed(effect);
    if (effect.signal?.aborted) throw notMade(effect);
    const called = this.#log.called(callId, effect);
    if (refusal) {
      const answer = this.#log.returned(callId, effect.tool, 0, { ok: false, error: refusal.toBody() });
      await this.#parts.emit([...events, called, answer]);
      throw refusal;
    }
    this.#inFlight.set(callId, { tool: effect.tool });
    try {
      await this.#parts.emit([...events, called]);
    } catch (thrown) {
      this.#inFlight.delete(callId);
      throw thrown;
    }
    return callId;
  }

  /** `judged`: how long the run was paused before the call was judged. */
  async #perform(
    effect: Effect,
    callId: string,
    judged: number,
    wanted: Wanted | undefined,
  ): Promise<Answered> {
    const { clock, stops } = this.#parts;
    for (let paused = judged; ; ) {
      // Hooks, people and the log took time. If the run was paused meanwhile, the robot stands, and the call waits.
      await this.#ready(effect);
      // The run may have been aborted, or be over, since the call was logged.
      if (!this.#inFlight.has(callId)) throw this.#cancelled(effect);
      const now = this.#pausedMs();
      if (now === paused || this.#signal.aborted || this.#parts.instead) break;
      paused = now;
      wanted = stops?.now();
      await this.#judgeAfterPause(effect, callId);
    }
    const signal = effect.signal ? AbortSignal.any([this.#signal, effect.signal]) : this.#signal;
    const began = clock.monotonicMs();
    this.#inFlight.set(callId, { tool: effect.tool, began });
    this.#moved ||= effect.effect === 'actuate';
    const late = new AbortController();
    const work = Promise.resolve().then(() => {
      // In a replay the record says what came of it.
      if (signal.aborted && !this.#parts.instead) throw this.#cancelled(effect);
      refusePreempted(this.#parts, effect, wanted);
      const ends = AbortSignal.any([signal, late.signal]);
      const recorded = this.#parts.instead?.(effect, callId, ends);
      return (
        recorded ??
        inCall(scopeOf(this.#parts, this.#log.traceparent(callId), ends, wanted), () =>
          effect.work(ends, callId),
        )
      );
    });
    let answer: ({ ok: true } & Answered) | { ok: false; error: ErrorBody; thrown: EdgeError };
    try {
      answer = { ok: true, ...(await boundedCall(this.#parts, effect, work, signal)) };
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'tool.failed', 'call', effect.tool);
      late.abort(error);
      if (goesOn(effect, this.#parts.signal) && this.#inFlight.delete(callId)) throw error;
      const fault = await this.#safe(effect, error);
      answer = { ok: false, error: fault.toBody(), thrown: fault };
    }
    if (!this.#inFlight.delete(callId)) throw this.#cancelled(effect);
    const duration = Math.max(0, clock.monotonicMs() - began);
    await this.#parts.emit([this.#log.returned(callId, effect.tool, duration, answer)]);
    if (!answer.ok) throw answer.thrown;
    return answer.images ? { result: answer.result, images: answer.images } : { result: answer.result };
  }

  /** Judges a call again that was paused before it started: it may be forbidden by now. */
  async #judgeAfterPause(effect: Effect, callId: string): Promise<void> {
    const { approvals, emit } = this.#parts;
    const { refusal, approval, events } = await this.#judge(effect);
    // A replay pauses at other places. It takes these decisions from the record, as those about motions within a tool.
    if (events.length > 0) await emit(events.map((event) => decidedWithin(event, effect.tool)));
    const agreed = approval !== undefined && approvals?.agreed(callId) === true;
    if (!refusal || agreed || !this.#inFlight.delete(callId)) return;
    const answer = this.#log.returned(callId, effect.tool, 0, { ok: false, error: refusal.toBody() });
    await emit([answer]);
    throw refusal;
  }

  #pausedMs(): number {
    return this.#parts.pausedMs?.() ?? 0;
  }

  /** A stop waits for nothing. */
  async #ready(effect: Effect): Promise<void> {
    if (isStop(effect)) return;
    if (effect.effect === 'actuate') await this.#parts.beforeMotion?.();
    await this.unpaused();
  }

  /** After any failure of an actuating call the robot is stopped before the caller gets the error. */
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

  #refuseClosed(effect: Pick<Effect, 'tool'>): void {
    if (this.#signal.aborted || this.#closed) throw this.#cancelled(effect);
  }

  #cancelled(effect: Pick<Effect, 'tool'>): EdgeError {
    return new EdgeError('run.cancelled', { operation: 'call', subject: effect.tool });
  }
}
