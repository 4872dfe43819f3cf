import { type ClipReceipt, type ClipRequest, EdgeError, LIMITS, METHODS } from '../../../contract/index.ts';
import { askExecution, type ExecutionPort } from './ask-execution.ts';

export type ClipAsk = {
  /** Of the call: asked again under the same id it is the same clip. */
  readonly callId: string;
  readonly name: string | undefined;
  readonly beforeS: number;
  readonly afterS: number;
};

/** Wall time that a clip may take which ends `afterS` from now, milliseconds. */
export function clipDeadlineMs(afterS: number): number {
  return afterS * 1000 + LIMITS.CLIP_TOOL_MS;
}

/**
 * Has the execution cell keep what is recorded around now, and settles when that is whole. Rejects with
 * `recorder.failed` where it is not yet: the recorder is going down and makes it at its start.
 */
export async function askClip(port: ExecutionPort, tool: string, ask: ClipAsk): Promise<ClipReceipt> {
  const { callId, name, beforeS, afterS } = ask;
  const request: ClipRequest = {
    trigger: 'agent',
    reason: name ?? 'asked for by a run',
    clipId: callId,
    ...(name === undefined ? {} : { name }),
    preMs: beforeS * 1000,
    postMs: afterS * 1000,
    wait: true,
  };
  const { clipRecord } = METHODS.execution;
  const clip = await askExecution(port, clipRecord, request, clipDeadlineMs(afterS));
  const { bag, state, path, sha256, messages } = clip;
  if (state === 'whole' && path !== undefined && sha256 !== undefined) return { bag, path, sha256, messages };
  throw new EdgeError('recorder.failed', {
    operation: tool,
    subject: bag,
    message: 'the recorder stopped before the clip was whole; it is made at the next start',
    retryable: true,
  });
}
