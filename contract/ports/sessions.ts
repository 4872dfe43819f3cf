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

type Asked = { readonly ask_id: string; readonly words: string; readonly reason: string };

/** One thing that would be done for words of a person; nothing was done yet. */
export type AskIntent = Asked & {
  /** `intent`: an application fits. `agent`: none does, the words go to the general agent as they are. */
  readonly kind: 'intent' | 'agent';
  readonly app: string;
  readonly intent: { readonly type: string; readonly params: Readonly<Record<string, unknown>> };
  /** What the application says that it does. */
  readonly about: string;
  /** That chose it; absent: a phrase of the application fits, and no model was asked. */
  readonly model?: ModelAnswer['model'];
  /** Wire time; later it cannot be confirmed. */
  readonly expires_ts: string;
};

/** The words mean several things: a person chooses one of them, by its own id. */
export type AskUnclear = Asked & { readonly kind: 'unclear'; readonly candidates: readonly AskIntent[] };

/** The words were an order to stop. It was carried out at once: the robot, and every run. */
export type AskStopped = Asked & {
  readonly kind: 'stopped';
  /** False: it was not measured that the robot stands. */
  readonly confirmed: boolean;
  readonly warnings: readonly string[];
};

/** What would be done for words of a person, or that they made the robot stop. */
export type AskPlan = AskIntent | AskUnclear | AskStopped;

/** In your own words: a plan of what would be done, and its confirmation. */
export interface AskApi {
  /**
   * Opens nothing and moves nothing; an order to stop is carried out. Rejects with `robot.preempted` where the robot was
   * stopped while a model chose. Phrases of applications are matched first, and
   * need no model. Rejects with `schema.invalid` (a phrase fits, its values do not), `model.unavailable`,
   * `deadline.exceeded`, `policy.denied`, `quota.exceeded`, `cell.overloaded`, `run.not_supported` (there is no
   * general agent), and as a stop does.
   */
  plan(words: string, who: PolicyContext, signal?: AbortSignal): Promise<AskPlan>;
  /**
   * Opens the run of a plan of this caller; twice is one run. `intent.expired` where no such plan waits or the robot was
   * stopped since, and as `RuntimeApi.submit`.
   */
  confirm(askId: string, who: PolicyContext): Promise<Submitted>;
}
