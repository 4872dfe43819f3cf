import type { KeyOptions } from './keys.ts';

/** What `auraison models add` is given; what is missing is asked for at a terminal. Times in milliseconds. */
export type AddOptions = KeyOptions & {
  readonly name?: string;
  readonly url?: string;
  readonly model?: string;
  readonly account?: string;
  readonly gateway?: string;
  readonly context?: number;
  readonly default?: boolean;
  readonly replace?: boolean;
  readonly login?: boolean;
  /** False with `--no-test`. */
  readonly test: boolean;
  readonly timeout: number;
};
