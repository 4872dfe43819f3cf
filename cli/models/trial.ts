import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError, toolTrial, trialCall, wordsTrial } from '../../contract/core.ts';
import { modelSpec } from '../../daemon/compose/models.ts';
import type { ModelRow } from '../../daemon/config/models.ts';

/** What a test request to a model came to. Times in milliseconds. */
export type Trial = {
  readonly model_id: string;
  readonly text: string;
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly duration_ms: number;
  readonly first_token_ms?: number;
  readonly tool_call: { readonly ok: boolean; readonly call: string; readonly reason: string };
};

/** Asks a model for a sentence and for one call of a tool, without a daemon. Rejects where it gives no sentence. */
export async function tryModel(row: ModelRow, dataDir: string, timeoutMs: number): Promise<Trial> {
  const clock = new SystemClock();
  const { model } = await modelSpec(row, clock, dataDir);
  try {
    const began = clock.monotonicMs();
    const answer = await model.complete(wordsTrial(timeoutMs));
    const durationMs = clock.monotonicMs() - began;
    return {
      model_id: answer.modelId,
      text: answer.text.trim(),
      ...{ tokens_in: answer.tokensIn, tokens_out: answer.tokensOut, duration_ms: durationMs },
      ...(answer.firstTokenMs === undefined ? {} : { first_token_ms: answer.firstTokenMs }),
      tool_call: await model.complete(toolTrial(timeoutMs)).then(
        (called) => ({ ok: called.toolCalls.length > 0, call: trialCall(called), reason: '' }),
        (thrown: unknown) => ({
          ...{ ok: false, call: '' },
          reason: EdgeError.from(thrown, 'model.failed', 'complete', row.name).message,
        }),
      ),
    };
  } finally {
    await model.close();
  }
}

export function trialText({ text, tool_call, duration_ms, tokens_out }: Trial): string {
  const said = text === '' ? '(no text)' : text.slice(0, 200);
  const call = tool_call.ok ? `calls tools: ${tool_call.call}` : `calls no tools: ${tool_call.reason}`;
  return `it says: ${said} (${tokens_out} tokens, ${Math.round(duration_ms)} ms)\n${call}`;
}
