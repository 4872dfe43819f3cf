import type { PolicyContext } from '../intent.ts';
import type { ModelAnswer } from './language-model.ts';
import type { Submitted } from './runtime-api.ts';

/** A piece of text of an agent, while its model answers. */
export type RunToken = { readonly kind: 'text' | 'thinking'; readonly text: string };

export type Unsubscribe = () => void;

/** Text of agents while it comes. What is not taken at once is lost here; the session of the run has it whole. */
export interface RunTokensApi {
  /** Undefined: too many watch already. */
  watch(runId: string, take: (token: RunToken) => void): Unsubscribe | undefined;
}

/** What would be done for words of a person; nothing was done yet. */
export type AskPlan = {
  readonly ask_id: string;
  readonly words: string;
  /** `intent`: an application fits. `agent`: none does, the words go to the general agent as they are. */
  readonly kind: 'intent' | 'agent';
  readonly app: string;
  readonly intent: { readonly type: string; readonly params: Readonly<Record<string, unknown>> };
  /** What the application says that it does. */
  readonly about: string;
  /** Why it was chosen, or why no application fits. */
  readonly reason: string;
  readonly model: ModelAnswer['model'];
  /** Wire time; later it cannot be confirmed. */
  readonly expires_ts: string;
};

/** In your own words: a plan of what would be done, and its confirmation. */
export interface AskApi {
  /**
   * Opens nothing and moves nothing. Rejects with `model.unavailable`, `deadline.exceeded`, `policy.denied`,
   * `quota.exceeded`, `cell.overloaded`, `run.not_supported` (there is no general agent).
   */
  plan(words: string, who: PolicyContext, signal?: AbortSignal): Promise<AskPlan>;
  /**
   * Opens the run of a plan of this caller; twice is one run. `intent.expired` where no such plan waits, and as
   * `RuntimeApi.submit`.
   */
  confirm(askId: string, who: PolicyContext): Promise<Submitted>;
}
