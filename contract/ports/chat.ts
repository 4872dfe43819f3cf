import type { ChatOpen } from '../inference-messages.ts';
import type { ModelAnswer, ModelOptions } from './language-model.ts';

/**
 * Models for callers outside of any run: judged, paid for and logged as calls of runs are. Settles by the
 * deadline of the request. Rejects as `LanguageModel.complete`, and with `cell.overloaded` (too many calls of this
 * caller, or of all), `model.not_found`, `quota.exceeded`, `policy.denied`.
 */
export interface ChatApi {
  complete(
    chat: Omit<ChatOpen, 'callId'>,
    options: Pick<ModelOptions, 'onDelta' | 'signal' | 'traceparent'>,
  ): Promise<ModelAnswer>;
}
