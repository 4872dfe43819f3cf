import type { EventPayload, RunMessage } from '../../../contract/index.ts';

/** What a run is opened with beside its intent. */
export type Opening = {
  /** The run that asked for it. */
  readonly parent?: string;
  readonly budget?: NonNullable<EventPayload<'run.queued'>['budget']>;
  /** The entry of another run's session from which it continues. */
  readonly forkedFrom?: NonNullable<EventPayload<'run.queued'>['forked_from']>;
  /** What it gets before its first turn. */
  readonly messages?: readonly RunMessage[];
  /** When it was wanted, where that was earlier. */
  readonly wantedAtMs?: number;
  /** What is to be done before a new run is opened; not where its idempotency key has one. */
  readonly before?: () => Promise<void>;
};
