import { Type } from 'typebox';
import {
  type CellBus,
  type ClipInfo,
  type ClipOrder,
  type ClipReceipt,
  type ClipRequest,
  type Clock,
  checker,
  EdgeError,
  LIMITS,
  METHODS,
  type RunTools,
  withDeadline,
} from '../../contract/index.ts';
import type { ToolGate } from './tool-gate.ts';

/** The longest that a run may be made to wait for the end of its clip, seconds. */
const POST_S_MAX = 600;

const orderChecker = checker(
  Type.Object(
    {
      name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$' })),
      pre_s: Type.Number({ minimum: 0, maximum: LIMITS.CLIP_SPAN_MS_MAX / 1000 }),
      post_s: Type.Number({ minimum: 0, maximum: POST_S_MAX }),
    },
    { additionalProperties: false },
  ),
);

/** Tools of a run that are no motion: each call goes through its gate. */
export class GatedTools implements RunTools {
  readonly recording: RunTools['recording'];
  readonly #gate: ToolGate;
  readonly #bus: Pick<CellBus, 'request'>;
  readonly #clock: Clock;

  constructor(gate: ToolGate, bus: Pick<CellBus, 'request'>, clock: Clock, recording: RunTools['recording']) {
    this.#gate = gate;
    this.#bus = bus;
    this.#clock = clock;
    this.recording = recording;
  }

  async clipRecording(order: ClipOrder): Promise<ClipReceipt> {
    const { name, pre_s, post_s } = orderChecker.parse(order, 'clip_recording');
    const deadlineMs = post_s * 1000 + LIMITS.CLIP_TOOL_MS;
    const result = await this.#gate.call({
      tool: 'clip_recording',
      args: { ...(name === undefined ? {} : { name }), pre_s, post_s },
      effect: 'write',
      replay: 'safe',
      deadlineMs,
      work: async (_signal, callId) => {
        const request: ClipRequest = {
          trigger: 'agent',
          reason: name ?? 'asked for by a run',
          clipId: callId,
          ...(name === undefined ? {} : { name }),
          preMs: pre_s * 1000,
          postMs: post_s * 1000,
          wait: true,
        };
        const { clipRecord } = METHODS.execution;
        const asked = this.#bus.request<ClipInfo>('execution', clipRecord, request, deadlineMs);
        return receiptOf(await withDeadline(this.#clock, deadlineMs + 100, asked, clipRecord, 'execution'));
      },
    });
    return result as ClipReceipt;
  }
}

/** Throws `recorder.failed` where the clip is not whole yet: the recorder is going down and makes it at its start. */
function receiptOf({ bag, state, path, sha256, messages }: ClipInfo): ClipReceipt {
  if (state === 'whole' && path !== undefined && sha256 !== undefined) return { bag, path, sha256, messages };
  throw new EdgeError('recorder.failed', {
    operation: 'clip_recording',
    subject: bag,
    message: 'the recorder stopped before the clip was whole; it is made at the next start',
    retryable: true,
  });
}
