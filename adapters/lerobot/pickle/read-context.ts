import type { Budget } from './budget.ts';
import type { ByteSource } from './byte-source.ts';
import type { PyValue } from './values.ts';

/** Resolves a persistent id; only archives of torch have some. */
export type Persistent = (id: PyValue) => PyValue;

/** What a rule may use: the budget of the whole input, and a reader for a pickle inside of bytes. */
export type ReadContext = {
  readonly budget: Budget;
  nested(source: ByteSource, persistent?: Persistent): PyValue;
};
