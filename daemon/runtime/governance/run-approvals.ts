import {
  type ApprovalTerms,
  EdgeError,
  type HookPoint,
  type Intent,
  type NewEvent,
} from '../../../contract/index.ts';
import type { ApprovalDesk, Outcome } from './approval-desk.ts';
import { refusalOf } from './approval-note.ts';

/** What a run needs of the desk; a replay has one that knows the answers. */
export type RunDesk = Pick<
  ApprovalDesk,
  'open' | 'ofIntent' | 'agreed' | 'approvals' | 'outcome' | 'withdraw'
>;

export type RunApprovalsParts = {
  readonly desk: RunDesk;
  readonly runId: string;
  readonly intent: Intent;
  /** Of the run; its reason is an EdgeError whose operation says why the run ends. */
  readonly signal: AbortSignal;
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  /** Settles when the robot stands; never rejects. */
  readonly rest: () => Promise<void>;
  /** While a person holds the run, its status is that. */
  readonly paused: () => boolean;
};

export type CallAsked = {
  readonly point: HookPoint;
  readonly subject: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly terms: ApprovalTerms & { readonly reason: string };
  readonly callId: string;
  /** To be logged with the question: what the hooks decided. */
  readonly events: readonly NewEvent[];
  /** The run may have moved the robot, or is about to: it stands while a person thinks. */
  readonly rest: boolean;
  /** Ends this call alone. */
  readonly signal?: AbortSignal | undefined;
};

/** What a run does when a person has to agree: it rests its robot, says that it waits, and waits. */
export class RunApprovals {
  readonly #parts: RunApprovalsParts;
  #waiting = 0;
  readonly #waits = new Set<Promise<Outcome>>();

  constructor(parts: RunApprovalsParts) {
    this.#parts = parts;
  }

  /** The id that the call has from now on: that of the question, which may have been asked before a cut. */
  async ask(asked: CallAsked): Promise<{ readonly callId: string; readonly refusal: EdgeError | undefined }> {
    const { desk, runId, intent } = this.#parts;
    const { note, events } = desk.open({ ...asked, runId, context: intent.policy_ctx });
    if (asked.rest) await this.#parts.rest();
    const outcome = await this.#wait(
      note.approvalId,
      [...asked.events, ...events],
      asked.terms.reason,
      asked.signal,
    );
    return { callId: note.callId ?? asked.callId, refusal: refusalOf(outcome, asked.subject) };
  }

  /** Whether a person has agreed to this call already. */
  agreed(callId: string): boolean {
    return this.#parts.desk.agreed(callId);
  }

  /** The question that the intent was opened with, before the first step. */
  async beforeFirstStep(): Promise<EdgeError | undefined> {
    const { desk, runId, intent } = this.#parts;
    const approvalId = desk.ofIntent(runId);
    if (approvalId === undefined) return undefined;
    return refusalOf(await this.#wait(approvalId, [], 'a person has to agree to it', undefined), intent.type);
  }

  /** Settles when no caller waits and the log knows it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#waits);
  }

  async #wait(...asked: [string, readonly NewEvent[], string, AbortSignal | undefined]): Promise<Outcome> {
    const waiting = this.#answer(...asked);
    this.#waits.add(waiting);
    try {
      return await waiting;
    } finally {
      this.#waits.delete(waiting);
    }
  }

  async #answer(
    approvalId: string,
    events: readonly NewEvent[],
    reason: string,
    own: AbortSignal | undefined,
  ): Promise<Outcome> {
    const { desk, runId, append, paused, signal } = this.#parts;
    const answered = desk.approvals({ all: true }).find((one) => one.approval_id === approvalId);
    if (answered && answered.state !== 'waiting') {
      if (events.length > 0) await append(events);
      return await desk.outcome(approvalId, signal);
    }
    const first = this.#waiting++ === 0 && !paused();
    const status = (
      to: 'waiting_approval' | 'running',
      from: 'waiting_approval' | 'running',
      why: string,
    ): NewEvent => ({
      kind: 'run.status',
      run_id: runId,
      payload: { status: to, previous: from, reason: why.slice(0, 512) },
    });
    try {
      await append([
        ...events,
        ...(first ? [status('waiting_approval', 'running', `asked a person: ${reason}`)] : []),
      ]);
      const ends = own ? AbortSignal.any([signal, own]) : signal;
      const outcome = await desk.outcome(approvalId, ends);
      if (this.#waiting === 1 && !paused())
        await append([status('running', 'waiting_approval', `the person's word: ${outcome.decision}`)]);
      return outcome;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'run.cancelled', 'ask for approval', runId);
      // A restart asks on; a caller that is cancelled, late or timed out asks no more.
      if (error.operation === 'shutdown') throw error;
      await desk.withdraw(approvalId, error.message).catch(() => {});
      // A call was abandoned, the run was not.
      if (this.#waiting === 1 && !signal.aborted && !paused())
        await append([status('running', 'waiting_approval', 'the question was withdrawn')]).catch(() => {});
      throw error;
    } finally {
      this.#waiting--;
    }
  }
}
