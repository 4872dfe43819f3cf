import {
  type ErrorBody,
  type Intent,
  type Nanoseconds,
  type NewEvent,
  toWireTime,
  traceparentOf,
} from '../../../contract/index.ts';
import type { Answered, Ask } from './tool-gate-parts.ts';

export type CallEventsParts = {
  readonly runId: string;
  readonly intent: Intent;
  readonly robotTime: () => Nanoseconds | undefined;
};

/** Makes the events for calls of one run and for their ends. */
export class CallEvents {
  readonly #parts: CallEventsParts;

  constructor(parts: CallEventsParts) {
    this.#parts = parts;
  }

  called(callId: string, ask: Ask): NewEvent {
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
        traceparent: this.traceparent(callId),
        ...this.#robotTime(),
      },
    };
  }

  returned(
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

  traceparent(callId: string): string {
    const { runId, intent } = this.#parts;
    return traceparentOf({ runId, traceparent: intent.traceparent }, callId);
  }

  #robotTime(): { robot_time_ns?: string } {
    const time = this.#parts.robotTime();
    return time === undefined ? {} : { robot_time_ns: toWireTime(time) };
  }
}
