import {
  type AgentEvent,
  type Approval,
  type ApprovalApi,
  type Clock,
  EdgeError,
  type EventReader,
  type IdSource,
  type NewEvent,
  type PolicyContext,
  type Timer,
  toMs,
  toWireTime,
} from '../../../contract/index.ts';
import { eachPage, eachPageInTurns } from '../../../history/each-event.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import {
  type ApprovalNote,
  type Asked,
  answeredAlready,
  EXPIRED,
  noSuchApproval,
  noteOf,
  type Outcome,
  sameQuestion,
  shownFacts,
  toApproval,
} from './approval-note.ts';
import { type HeldCall, holdCall } from './held-call.ts';
import { mayAnswer } from './may-answer.ts';

/** Answered questions that are still shown. */
const ANSWERED_KEPT_MAX = 500;
/** Questions that wait at one time: more is somebody who makes noise. */
const WAITING_MAX = 256;
const SWEEP_MS = 1_000;

export type { Asked, Outcome } from './approval-note.ts';

export type ApprovalDeskParts = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly hooks: PolicyGate;
  /** Roles under which somebody answers, with those of a grant. */
  readonly rolesOf: (who: PolicyContext) => readonly string[];
  /** Appends to the log of this cell and hands what is durable to `observe`. */
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * Questions to people. What it knows is folded from the log: a restart asks on with the time that is left, never
 * twice, and finds the answer that was given meanwhile. No answer in time is a denial.
 */
export class ApprovalDesk implements ApprovalApi {
  readonly #parts: ApprovalDeskParts;
  readonly #notes = new Map<string, ApprovalNote>();
  /** Questions whose call is in the log, or that somebody in this process waits for already. */
  readonly #used = new Set<string>();
  readonly #waiters = new Map<string, ((outcome: Outcome) => void)[]>();
  /** When a question ends by the clock that never steps, milliseconds. */
  readonly #due = new Map<string, number>();
  readonly #answering = new Map<string, Promise<unknown>>();
  #sweeper: Timer | undefined;

  constructor(parts: ApprovalDeskParts) {
    this.#parts = parts;
  }

  /** Called once, before anything is appended. `goesOn`: whether a run is unfinished. */
  async load(reader: EventReader, goesOn: (runId: string) => boolean): Promise<void> {
    const kinds = ['approval.requested', 'approval.answered'] as const;
    for await (const page of eachPageInTurns(reader, { kinds })) this.observe(page);
    const runs = new Set(
      [...this.#notes.values()].flatMap(({ runId }) => (runId === undefined ? [] : [runId])),
    );
    const over: NewEvent[] = [];
    // A caller outside of a run waited in a process that is gone: an answer would have no effect.
    for (const note of this.#notes.values()) if (note.runId === undefined) this.#used.add(note.approvalId);
    over.push(...this.#endOf(undefined));
    for (const runId of runs) {
      if (goesOn(runId)) this.#readCalls(reader, runId);
      else over.push(...this.#endOf(runId));
    }
    if (over.length > 0) await this.#parts.append(over);
    this.#sweep();
  }

  #readCalls(reader: EventReader, runId: string): void {
    for (const page of eachPage(reader, { runId, kinds: ['tool.called'] })) this.observe(page);
  }

  /** Called with every event that became durable, in order. */
  observe(events: readonly AgentEvent[]): void {
    for (const event of events) {
      if (event.kind === 'approval.requested') this.#asked(event);
      else if (event.kind === 'approval.answered') this.#answered(event);
      else if (event.kind === 'tool.called') this.#called(event.payload.call_id);
      else if (event.kind === 'run.finished' && event.run_id !== undefined) this.#over(event.run_id);
    }
  }

  /**
   * The events of a new question, to be appended with whatever belongs to it, or none where it was asked before a
   * cut. Claims the question: the next one that is equal is another one.
   */
  open(asked: Asked): {
    readonly note: Pick<ApprovalNote, 'approvalId' | 'callId'>;
    readonly events: readonly NewEvent[];
  } {
    const facts = shownFacts(asked.facts);
    const known = [...this.#notes.values()].find(
      (note) => !this.#used.has(note.approvalId) && sameQuestion(note, { ...asked, facts }),
    );
    if (known) {
      this.#used.add(known.approvalId);
      return { note: known, events: [] };
    }
    if (this.#due.size >= WAITING_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: 'ask for approval',
        subject: asked.subject,
        message: `${WAITING_MAX} questions wait for an answer already`,
      });
    const approvalId = this.#parts.ids.next<string>();
    this.#used.add(approvalId);
    const { clock } = this.#parts;
    const { context, terms, callId } = asked;
    const event: NewEvent = {
      kind: 'approval.requested',
      ...(asked.runId === undefined ? {} : { run_id: asked.runId }),
      payload: {
        approval_id: approvalId,
        point: asked.point as 'tool',
        subject: asked.subject.slice(0, 256),
        reason: terms.reason.slice(0, 512),
        facts: { ...facts },
        tenant: context.tenant,
        principal: context.principal,
        expires_ns: toWireTime(clock.now() + BigInt(Math.round(terms.timeoutMs)) * 1_000_000n),
        ...(callId === undefined ? {} : { call_id: callId }),
        ...(terms.roles.length === 0 ? {} : { roles: [...terms.roles] }),
      },
    };
    return { note: { approvalId, callId }, events: [event] };
  }

  /** As `holdCall`. */
  hold(asked: HeldCall, signal: AbortSignal, onAsked: (approvalId: string) => void): Promise<void> {
    return holdCall(this, this.#parts.append, asked, signal, onAsked);
  }

  /** The question that an intent was opened with, if it was. */
  ofIntent(runId: string): string | undefined {
    return [...this.#notes.values()].find((note) => note.runId === runId && note.point === 'intent')
      ?.approvalId;
  }

  /** Whether somebody allowed this call. */
  agreed(callId: string): boolean {
    return [...this.#notes.values()].some(
      (note) => note.callId === callId && note.answer?.decision === 'allow',
    );
  }

  /** The answer, when it is durable. Rejects with the reason of the signal; the question then stays as it is. */
  async outcome(approvalId: string, signal: AbortSignal): Promise<Outcome> {
    const answer = this.#notes.get(approvalId)?.answer;
    if (answer) return { ...answer, reason: '' };
    return await new Promise<Outcome>((resolve, reject) => {
      const leave = () => reject(signal.reason as Error);
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      const done = (outcome: Outcome) => {
        signal.removeEventListener('abort', leave);
        resolve(outcome);
      };
      this.#waiters.set(approvalId, [...(this.#waiters.get(approvalId) ?? []), done]);
    });
  }

  /** It is no longer waited for: its run is cancelled, its call was abandoned. */
  async withdraw(approvalId: string, reason: string): Promise<void> {
    if (this.#notes.get(approvalId)?.answer === undefined)
      await this.#write(approvalId, { decision: 'deny', by: '', reason }, 'run', []);
  }

  approvals(filter: { readonly all?: boolean } = {}): readonly Approval[] {
    const notes = [...this.#notes.values()];
    const waiting = notes.filter((note) => note.answer === undefined);
    const answered = filter.all ? notes.filter((note) => note.answer !== undefined).reverse() : [];
    return [...waiting, ...answered].map(toApproval);
  }

  async answer(
    approvalId: string,
    decision: 'allow' | 'deny',
    who: PolicyContext,
    reason: string,
  ): Promise<Approval> {
    // One after the other: of two answers at the same moment the first one stands.
    const before = this.#answering.get(approvalId) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => this.#answer(approvalId, decision, who, reason));
    this.#answering.set(approvalId, turn);
    try {
      return await turn;
    } finally {
      if (this.#answering.get(approvalId) === turn) this.#answering.delete(approvalId);
    }
  }

  stop(): void {
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }

  async #answer(
    approvalId: string,
    decision: 'allow' | 'deny',
    who: PolicyContext,
    reason: string,
  ): Promise<Approval> {
    const answered = ({ answer }: ApprovalNote) =>
      answer?.decision === decision && answer.by === who.principal;
    // The border between tenants holds whatever a policy says: of others there is nothing to answer.
    if (this.#notes.get(approvalId)?.tenant !== who.tenant) throw noSuchApproval(approvalId);
    const note = await this.#open(approvalId);
    if (note.answer) {
      if (answered(note)) return toApproval(note);
      throw answeredAlready(note);
    }
    const events = await mayAnswer(this.#parts, note, decision, who);
    // Policies took their time: it may be over by now, with its run or by the clock.
    const still = await this.#open(approvalId, events);
    if (still.answer) throw answeredAlready(still);
    await this.#write(approvalId, { decision, by: who.principal, reason }, who.origin, events);
    const stands = this.#notes.get(approvalId) ?? still;
    if (answered(stands)) return toApproval(stands);
    throw answeredAlready(stands);
  }

  /** The question; it has its end in the log if its time is over. `events` are written down if it has one. */
  async #open(approvalId: string, events: readonly NewEvent[] = []): Promise<ApprovalNote> {
    const note = this.#notes.get(approvalId);
    if (!note) throw noSuchApproval(approvalId);
    if (note.answer) {
      if (events.length > 0) await this.#parts.append(events);
      return note;
    }
    if (!this.#isOver(note)) return note;
    await this.#write(approvalId, EXPIRED, 'clock', events);
    return this.#notes.get(approvalId) ?? note;
  }

  async #write(
    approvalId: string,
    outcome: Outcome,
    origin: string,
    before: readonly NewEvent[],
  ): Promise<void> {
    const runId = this.#notes.get(approvalId)?.runId;
    await this.#parts.append([
      ...before,
      {
        kind: 'approval.answered',
        ...(runId === undefined ? {} : { run_id: runId }),
        payload: {
          approval_id: approvalId,
          decision: outcome.decision,
          by: outcome.by.slice(0, 128),
          origin: origin.slice(0, 64),
          reason: outcome.reason.slice(0, 512),
        },
      },
    ]);
  }

  #asked(event: AgentEvent<'approval.requested'>): void {
    const note = noteOf(event);
    if (this.#notes.has(note.approvalId)) return;
    this.#notes.set(note.approvalId, note);
    const { clock } = this.#parts;
    // The time that is left by the wall clock, and never more than was given: a clock set back gives no more time.
    const asked = toMs(note.expires - BigInt(event.ts));
    const left = Math.min(toMs(note.expires - clock.now()), asked);
    this.#due.set(note.approvalId, clock.monotonicMs() + Math.max(0, left));
    this.#sweeper ??= clock.every(SWEEP_MS, () => this.#sweep());
  }

  #answered({ payload }: AgentEvent<'approval.answered'>): void {
    const note = this.#notes.get(payload.approval_id);
    if (!note || note.answer) return;
    const { decision, by, reason } = payload;
    // Moved to the end: the newest answers are kept.
    this.#notes.delete(note.approvalId);
    this.#notes.set(note.approvalId, { ...note, answer: { decision, by } });
    this.#due.delete(note.approvalId);
    for (const done of this.#waiters.get(note.approvalId) ?? []) done({ decision, by, reason });
    this.#waiters.delete(note.approvalId);
    if (this.#due.size === 0) this.stop();
    this.#forget();
  }

  #called(callId: string): void {
    for (const note of this.#notes.values()) if (note.callId === callId) this.#used.add(note.approvalId);
  }

  #over(runId: string): void {
    const events = this.#endOf(runId);
    if (events.length > 0) this.#background(this.#parts.append(events), runId);
  }

  #endOf(runId: string | undefined): NewEvent[] {
    return [...this.#notes.values()]
      .filter((note) => note.runId === runId && note.answer === undefined)
      .map((note) => ({
        kind: 'approval.answered' as const,
        ...(runId === undefined ? {} : { run_id: runId }),
        payload: {
          approval_id: note.approvalId,
          decision: 'deny' as const,
          by: '',
          origin: 'run',
          reason: runId ? 'the run is over' : 'the caller no longer waits',
        },
      }));
  }

  #isOver(note: ApprovalNote): boolean {
    const { clock } = this.#parts;
    return clock.now() >= note.expires || clock.monotonicMs() >= (this.#due.get(note.approvalId) ?? Infinity);
  }

  #sweep(): void {
    for (const id of [...this.#due.keys()]) {
      const note = this.#notes.get(id);
      if (!note || !this.#isOver(note) || this.#answering.has(id)) continue;
      const turn: Promise<void> = this.#write(id, EXPIRED, 'clock', []).finally(() => {
        // Somebody may stand in line behind it by now.
        if (this.#answering.get(id) === turn) this.#answering.delete(id);
      });
      this.#answering.set(id, turn);
      this.#background(turn, id);
    }
  }

  #background(work: Promise<unknown>, subject: string): void {
    work.catch((thrown: unknown) => {
      const error = EdgeError.from(thrown, 'log.failed', 'answer', subject).toBody();
      this.#parts.report('the end of a question could not be written; it is tried again', { subject, error });
    });
  }

  #forget(): void {
    const answered = [...this.#notes.values()].filter((note) => note.answer !== undefined);
    for (const note of answered.slice(0, Math.max(0, answered.length - ANSWERED_KEPT_MAX))) {
      this.#notes.delete(note.approvalId);
      this.#used.delete(note.approvalId);
    }
  }
}
