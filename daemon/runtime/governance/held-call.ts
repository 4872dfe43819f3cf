import type { NewEvent } from '../../../contract/index.ts';
import type { ApprovalDesk } from './approval-desk.ts';
import { type Asked, refusalOf } from './approval-note.ts';

export type HeldCall = Omit<Asked, 'runId' | 'callId'> & {
  /** What the hooks decided: logged with the question. */
  readonly events: readonly NewEvent[];
};

/**
 * Holds a call that belongs to no run (one of an MCP client) until a person has answered. `onAsked` hears which
 * question it waits for. Rejects with `policy.denied`, and with the reason of the signal: then the question
 * is withdrawn. A restart ends such questions: the answer would reach no caller.
 */
export async function holdCall(
  desk: Pick<ApprovalDesk, 'open' | 'outcome' | 'withdraw'>,
  append: (events: readonly NewEvent[]) => Promise<void>,
  asked: HeldCall,
  signal: AbortSignal,
  onAsked: (approvalId: string) => void,
): Promise<void> {
  const { events, ...question } = asked;
  const opened = desk.open(question);
  const { approvalId } = opened.note;
  await append([...events, ...opened.events]);
  try {
    onAsked(approvalId);
    const refusal = refusalOf(await desk.outcome(approvalId, signal), asked.subject);
    if (refusal) throw refusal;
  } catch (thrown) {
    // A word that cannot be written ends by the clock.
    if (signal.aborted) await desk.withdraw(approvalId, 'the caller no longer waits').catch(() => {});
    throw thrown;
  }
}
