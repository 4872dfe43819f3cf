import type {
  BlobStore,
  EdgeError,
  ErrorBody,
  ModelAnswer,
  ModelRequest,
  NewEvent,
} from '../../../contract/core.ts';
import { LIMITS } from '../../../contract/core.ts';

export type Attempt = { readonly model: string; readonly error: EdgeError; readonly durationMs: number };

export type CallNote = {
  readonly callId: string;
  readonly runId: string;
  readonly traceparent: string | undefined;
};

/** Before any model is asked: what, how, and the hash of the prompt; the prompt itself is in the session. */
export function calledEvent(note: CallNote, model: string, request: ModelRequest, hash: string): NewEvent {
  const {
    maxTokens,
    temperature,
    seed,
    thinking,
    toolChoice,
    tools = [],
    choices,
    answerSchema,
    deadlineMs,
    need,
  } = request;
  const parameters = {
    max_tokens: maxTokens,
    temperature,
    deadline_ms: deadlineMs,
    tools: tools.map(({ name }) => name),
    ...(choices === undefined ? {} : { choices: choices.map(({ name }) => name) }),
    ...(seed === undefined ? {} : { seed }),
    ...(thinking === undefined ? {} : { thinking }),
    ...(toolChoice === undefined
      ? {}
      : { tool_choice: typeof toolChoice === 'object' ? toolChoice.name : toolChoice }),
    ...(answerSchema === undefined ? {} : { answer_schema: true }),
    ...(need === undefined ? {} : { need: JSON.parse(JSON.stringify(need)) as object }),
  };
  return {
    kind: 'model.called',
    run_id: note.runId,
    payload: {
      call_id: note.callId,
      model: model.slice(0, 256),
      purpose: request.purpose.slice(0, 256),
      parameters,
      prompt_sha256: hash,
      ...(note.traceparent === undefined ? {} : { traceparent: note.traceparent }),
    },
  };
}

export type Outcome =
  | { readonly ok: true; readonly answer: ModelAnswer; readonly costUsd: number }
  | { readonly ok: false; readonly error: ErrorBody };

/** After it: the answer whole, so that the same call can be answered again. A large one is a blob. */
export async function returnedEvent(
  note: CallNote,
  outcome: Outcome,
  durationMs: number,
  attempts: readonly Attempt[],
  blobs: BlobStore | undefined,
): Promise<NewEvent> {
  const told = attempts.map(({ model, error, durationMs: took }) => ({
    model: model.slice(0, 256),
    code: error.code,
    reason: error.message.slice(0, 512),
    duration_ms: Math.max(0, took),
  }));
  return {
    kind: 'model.returned',
    run_id: note.runId,
    payload: {
      call_id: note.callId,
      duration_ms: Math.max(0, durationMs),
      ...(told.length > 0 ? { attempts: told.slice(-64) } : {}),
      ...(outcome.ok
        ? { ok: true, ...(await answered(outcome.answer, outcome.costUsd, blobs)) }
        : { ok: false, tokens_in: 0, tokens_out: 0, error: outcome.error }),
    },
  };
}

async function answered(answer: ModelAnswer, costUsd: number, blobs: BlobStore | undefined) {
  const { text, toolCalls, stopReason, json, tokensIn, tokensOut, model, modelId, cached, firstTokenMs } =
    answer;
  const whole = {
    text,
    tool_calls: toolCalls.map(({ id, name, argumentsText }) => ({ id, name, arguments: argumentsText })),
    stop_reason: stopReason,
    ...(json === undefined ? {} : { json: json as null }),
  };
  const bytes = Buffer.from(JSON.stringify(whole));
  const kept =
    bytes.byteLength <= LIMITS.MODEL_ANSWER_INLINE_BYTES_MAX
      ? { answer: whole }
      : blobs === undefined
        ? {}
        : { answer_sha256: await blobs.put(bytes) };
  return {
    tokens_in: tokensIn,
    tokens_out: tokensOut,
    model: model.slice(0, 256),
    model_id: modelId.slice(0, 256),
    ...(cached ? { cached } : {}),
    ...(firstTokenMs === undefined ? {} : { first_token_ms: Math.max(0, firstTokenMs) }),
    ...(costUsd > 0 ? { cost_usd: costUsd } : {}),
    ...kept,
  };
}
