import type { Random } from './random.ts';

/**
 * Something that reads untrusted input. `make` gives the input of a case; the same generator gives the same
 * input. `run` reads it and returns, or throws an EdgeError; anything else is a finding.
 */
export type Target = {
  readonly name: string;
  /** Cases of this target among all, relative. */
  readonly weight: number;
  make(random: Random): Uint8Array;
  run(input: Uint8Array): unknown;
};
