import {
  EdgeError,
  isFinished,
  isStopOrder,
  type NewEvent,
  type PolicyContext,
  type RunMessage,
  type RunState,
  type StopWarnings,
} from '../../../contract/index.ts';
import { messageEvent } from '../runs/run-message-event.ts';
import type { RunView } from '../runs/run-view.ts';

/** Stops the robot and every run but `keep`: `stopRobot`. */
export type StopOrder = (reason: string, by: string, keep?: string) => Promise<StopWarnings>;

export type StopInWordsParts = {
  readonly stop: StopOrder;
  readonly find: (runId: string) => RunView | undefined;
  /** Whether its harness works for this run. */
  readonly isActive: (runId: string) => boolean;
  /** Whether this message is in the log already. */
  readonly isSaid: (runId: string, messageId: string) => boolean;
  readonly newId: () => string;
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
  /** Hands a stop to a session, and logs it. Counts once for each id. */
  readonly say: (
    runId: string,
    message: RunMessage,
    who: PolicyContext,
    messageId: string,
  ) => Promise<unknown>;
};

const WORDS_SHOWN = 64;

/** The words of a message that are an order to stop; undefined where they are something else. */
export function stopIn(message: RunMessage): string | undefined {
  const isWords = message.kind === 'steer' || message.kind === 'follow_up';
  return isWords && isStopOrder(message.text) ? message.text : undefined;
}

/** What is said to a run, and is an order to stop: the robot is stopped before the run, its log or a policy are asked. */
export class StopInWords {
  readonly #parts: StopInWordsParts;

  constructor(parts: StopInWordsParts) {
    this.#parts = parts;
  }

  /** Undefined: there is no such run; the robot was stopped. Rejects where the order may not have reached the robot. */
  async obey(
    runId: string,
    text: string,
    who: PolicyContext,
    messageId = this.#parts.newId(),
  ): Promise<RunState | undefined> {
    const { find } = this.#parts;
    const view = find(runId);
    const hears = view !== undefined && this.#isListening(view);
    const stopped = this.#order(text, who, hears ? runId : undefined);
    stopped.catch(() => {});
    // In the turn of the order. A log that refuses it does not undo it.
    if (view) await this.#note(view, hears, text, who, messageId).catch(() => {});
    const isConfirmed = await stopped;
    const state = find(runId)?.state;
    return state && !isConfirmed ? { ...state, stop_confirmed: false } : state;
  }

  /** Words that are to open a run: an order to stop opens none. Rejects with `robot.preempted` after the stop. */
  async refuse(operation: string, words: unknown, who: PolicyContext): Promise<void> {
    if (typeof words !== 'string' || !isStopOrder(words)) return;
    await this.#order(words, who);
    throw new EdgeError('robot.preempted', {
      ...{ operation, subject: words.slice(0, WORDS_SHOWN) },
      message:
        'the words are an order to stop: the robot was ordered to stop, every run was cancelled, and none was opened',
      hint: 'say what you want next, if anything',
    });
  }

  /** False: it was not confirmed that the robot stands. */
  async #order(text: string, who: PolicyContext, keep?: string): Promise<boolean> {
    try {
      await this.#parts.stop(`"${text.trim().slice(0, WORDS_SHOWN)}"`, who.principal, keep);
      return true;
    } catch (thrown) {
      if (EdgeError.from(thrown, 'internal.fault', 'stop', 'robot').code !== 'robot.unreachable')
        throw thrown;
      return false;
    }
  }

  async #note(
    view: RunView,
    hears: boolean,
    text: string,
    who: PolicyContext,
    messageId: string,
  ): Promise<void> {
    const { say, append, isSaid } = this.#parts;
    const runId = view.state.run_id;
    const message: RunMessage = { kind: 'stop', text };
    if (hears) await say(runId, message, who, messageId);
    else if (!isFinished(view.state.status) && !isSaid(runId, messageId))
      await append([messageEvent(runId, messageId, message, who)]);
  }

  /** A session that has started: it hears of the stop, and waits for what is said next. */
  #isListening({ intent, state }: RunView): boolean {
    const isStarted = state.status === 'paused' || this.#parts.isActive(state.run_id);
    return intent.attended === true && isStarted && !isFinished(state.status);
  }
}
