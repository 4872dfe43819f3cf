import {
  type ChatEnd,
  type ChatNext,
  type ChatNextReply,
  type ChatOpen,
  type Clock,
  EdgeError,
  LIMITS,
  type ModelAnswer,
  type ModelDelta,
  type Timer,
} from '../../../contract/core.ts';
import type { ChatDesk } from './chat-desk.ts';

type Open = {
  readonly abort: AbortController;
  deltas: ModelDelta[];
  bytes: number;
  end: ChatEnd | undefined;
  wake: (() => void) | undefined;
  idle: Timer;
};

/**
 * Calls of models whose callers are in another cell: they fetch what comes, piece by piece. One who does not fetch is
 * gone, and his call ends.
 */
export class ChatSessions {
  readonly #desk: Pick<ChatDesk, 'complete'>;
  readonly #clock: Clock;
  readonly #open = new Map<string, Open>();

  constructor(desk: Pick<ChatDesk, 'complete'>, clock: Clock) {
    this.#desk = desk;
    this.#clock = clock;
  }

  open({ callId, caller, context, request, model }: ChatOpen): void {
    if (this.#open.has(callId)) throw unknown(callId, 'a call of this name is open already');
    if (this.#open.size >= 2 * LIMITS.CHATS_OPEN_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'chat',
        subject: callId,
        message: 'too many calls are open',
      });
    }
    const entry: Open = {
      abort: new AbortController(),
      ...{ deltas: [], bytes: 0, end: undefined, wake: undefined },
      idle: this.#forgetLater(callId),
    };
    this.#open.set(callId, entry);
    const onDelta = (delta: ModelDelta) => this.#told(entry, delta);
    this.#desk.complete({ caller, context, request, model }, { onDelta, signal: entry.abort.signal }).then(
      (answer) => this.#ended(entry, good(answer)),
      (thrown: unknown) => {
        const error = EdgeError.from(thrown, 'model.failed', 'chat', callId).toBody();
        this.#ended(entry, { ok: false, error });
      },
    );
  }

  async next({ callId, waitMs }: ChatNext): Promise<ChatNextReply> {
    const entry = this.#open.get(callId);
    if (!entry) throw unknown(callId, 'no such call: it ended, or its answer was not fetched');
    entry.idle.cancel();
    if (entry.deltas.length === 0 && !entry.end) await this.#something(entry, waitMs);
    const { deltas, end } = entry;
    entry.deltas = [];
    entry.bytes = 0;
    if (end) this.#open.delete(callId);
    else entry.idle = this.#forgetLater(callId);
    return end ? { deltas, end } : { deltas };
  }

  cancel(callId: string): void {
    this.#open.get(callId)?.abort.abort();
  }

  close(): void {
    for (const [callId, entry] of this.#open) {
      entry.idle.cancel();
      entry.abort.abort();
      this.#open.delete(callId);
    }
  }

  #told(entry: Open, delta: ModelDelta): void {
    const last = entry.deltas.at(-1);
    if (delta.kind !== 'tool_call' && last?.kind === delta.kind) {
      entry.deltas[entry.deltas.length - 1] = { kind: delta.kind, text: last.text + delta.text };
    } else entry.deltas.push(delta);
    entry.bytes += delta.kind === 'tool_call' ? delta.call.argumentsText.length : delta.text.length;
    if (entry.bytes > LIMITS.CHAT_UNREAD_BYTES_MAX) entry.abort.abort();
    entry.wake?.();
  }

  #ended(entry: Open, end: ChatEnd): void {
    entry.end = end;
    entry.wake?.();
  }

  #something(entry: Open, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        entry.wake = undefined;
        resolve();
      };
      const timer = this.#clock.after(Math.min(Math.max(waitMs, 0), LIMITS.CHAT_UNREAD_MS), done);
      // One fetches at a time: who came before gets nothing.
      entry.wake?.();
      entry.wake = done;
    });
  }

  #forgetLater(callId: string): Timer {
    return this.#clock.after(LIMITS.CHAT_UNREAD_MS, () => {
      this.#open.get(callId)?.abort.abort();
      this.#open.delete(callId);
    });
  }
}

export function good(answer: ModelAnswer): Extract<ChatEnd, { readonly ok: true }> {
  const { text, toolCalls, stopReason, tokensIn, tokensOut, model, modelId } = answer;
  return { ok: true, text, toolCalls, stopReason, tokensIn, tokensOut, model, modelId };
}

function unknown(callId: string, message: string): EdgeError {
  return new EdgeError('run.not_found', { operation: 'chat', subject: callId.slice(0, 64), message });
}
