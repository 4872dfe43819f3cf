import { type AgentEvent, type Approval, fromWireTime, type NewEvent } from '../../../contract/index.ts';
import type { Asked, Outcome } from '../governance/approval-desk.ts';
import {
  type ApprovalNote,
  noteOf,
  sameQuestion,
  shownFacts,
  toApproval,
} from '../governance/approval-note.ts';
import type { RunDesk } from '../governance/run-approvals.ts';
import type { ReplayClock } from './replay-clock.ts';

export type RecordedDeskParts = {
  /** Asked, and perhaps answered, before what is done again. */
  readonly before: readonly AgentEvent[];
  readonly events: readonly AgentEvent[];
  /** Absent: answers come at once. */
  readonly clock: ReplayClock | undefined;
  /** Somebody is to be asked what the record never asked. Without an answer it is waited for ever. */
  readonly unknown: (subject: string) => void;
};

/**
 * The desk of a record: what people were asked they are asked again, and answer what they answered, when they
 * did. No person is asked and nothing is written.
 */
export class RecordedDesk implements RunDesk {
  readonly #parts: RecordedDeskParts;
  /** Asked so far, by id. */
  readonly #notes = new Map<string, ApprovalNote>();
  /** Questions of the record that are still to come, in order. */
  readonly #later: ApprovalNote[] = [];
  readonly #used = new Set<string>();
  readonly #answers = new Map<string, Outcome>();
  readonly #waiters = new Map<string, ((outcome: Outcome) => void)[]>();
  #unrecorded = 0;

  constructor(parts: RecordedDeskParts) {
    const { before, events, clock } = parts;
    this.#parts = parts;
    const called = new Set(
      before.flatMap((event) => (event.kind === 'tool.called' ? [event.payload.call_id] : [])),
    );
    for (const event of before) {
      if (event.kind === 'approval.requested') {
        const note = noteOf(event);
        this.#notes.set(note.approvalId, note);
        if (note.callId !== undefined && called.has(note.callId)) this.#used.add(note.approvalId);
      } else if (event.kind === 'approval.answered') this.#answered(event.payload);
    }
    for (const event of events) {
      if (event.kind === 'approval.requested') this.#later.push(noteOf(event));
      // What the run itself withdrew it withdraws again.
      else if (event.kind !== 'approval.answered' || event.payload.origin === 'run') continue;
      else if (!clock) this.#answered(event.payload);
      else {
        const inMs = Math.max(0, clock.at(fromWireTime(event.ts)) - clock.monotonicMs());
        void clock.deliver(inMs).then(() => this.#answered(event.payload));
      }
    }
  }

  open(asked: Asked): {
    readonly note: Pick<ApprovalNote, 'approvalId' | 'callId'>;
    readonly events: readonly NewEvent[];
  } {
    const question = { ...asked, facts: shownFacts(asked.facts) };
    const open = [...this.#notes.values()].find(
      (note) => !this.#used.has(note.approvalId) && sameQuestion(note, question),
    );
    const at = this.#later.findIndex((note) => sameQuestion(note, question));
    const note = open ?? (at < 0 ? undefined : this.#later.splice(at, 1)[0]);
    if (note) {
      this.#notes.set(note.approvalId, note);
      this.#used.add(note.approvalId);
      return { note, events: [] };
    }
    this.#parts.unknown(asked.subject);
    const { callId } = asked;
    return { note: { approvalId: `unrecorded ${++this.#unrecorded}`, callId }, events: [] };
  }

  ofIntent(runId: string): string | undefined {
    return [...this.#notes.values()].find((note) => note.runId === runId && note.point === 'intent')
      ?.approvalId;
  }

  agreed(callId: string): boolean {
    return [...this.#notes.values()].some(
      (note) => note.callId === callId && this.#answers.get(note.approvalId)?.decision === 'allow',
    );
  }

  approvals(): readonly Approval[] {
    return [...this.#notes.values()].map((note) => {
      const answer = this.#answers.get(note.approvalId);
      return toApproval(answer ? { ...note, answer } : note);
    });
  }

  async outcome(approvalId: string, signal: AbortSignal): Promise<Outcome> {
    const known = this.#answers.get(approvalId);
    if (known) return known;
    return await new Promise<Outcome>((resolve, reject) => {
      const leave = () => reject(signal.reason as Error);
      if (signal.aborted) return leave();
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.set(approvalId, [
        ...(this.#waiters.get(approvalId) ?? []),
        (outcome) => {
          signal.removeEventListener('abort', leave);
          resolve(outcome);
        },
      ]);
    });
  }

  /** Nothing is written: that it was is in the record. */
  async withdraw(): Promise<void> {}

  #answered({ approval_id, decision, by, reason }: AgentEvent<'approval.answered'>['payload']): void {
    if (this.#answers.has(approval_id)) return;
    const outcome = { decision, by, reason };
    this.#answers.set(approval_id, outcome);
    for (const done of this.#waiters.get(approval_id) ?? []) done(outcome);
    this.#waiters.delete(approval_id);
  }
}
