import type { ModelAnswer, ModelHealth, ModelInfo, ModelRequest } from './language-model.ts';

/** One configured model as people look at it. Times in milliseconds, money in US dollars. */
export type ModelView = ModelInfo & {
  readonly kind: string;
  /** Without anything secret. */
  readonly url: string;
  /**
   * `failing`: its last calls failed or its server did not answer, too few in a row to call it down. `resting`: it
   * failed and is tried last for a while. `unknown`: it was not used yet.
   */
  readonly state: 'up' | 'failing' | 'down' | 'sleeping' | 'resting' | 'unknown';
  readonly reason: string;
  /** Calls that failed and health checks without an answer, since it last answered. */
  readonly failuresInRow: number;
  /** As its server last reported it. */
  readonly health: ModelHealth | undefined;
  /** Running calls of this daemon at its server, and calls that wait here. */
  readonly running: number;
  readonly waiting: number;
  readonly places: number;
  readonly calls: number;
  readonly failures: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly costUsd: number;
  /** Running means; undefined before the first answer. */
  readonly firstTokenMs: number | undefined;
  readonly tokensPerSecond: number | undefined;
};

export type ModelTest = { readonly answer: ModelAnswer; readonly durationMs: number };

/** The models of this daemon, for the API. */
export interface ModelsApi {
  models(): readonly ModelView[];
  /** Asks all servers how they are, then `models()`. Never rejects. */
  refresh(): Promise<readonly ModelView[]>;
  /**
   * One call without queue, cache and budget, for a person who checks whether it works. `model.not_found`, else as
   * `complete`.
   */
  test(name: string, request: ModelRequest): Promise<ModelTest>;
  /** `model.not_found`, `model.unavailable`. */
  wake(name: string): Promise<void>;
}
