import type { TSchema } from 'typebox';
import type { FlowDefinition } from './flow.ts';

/** One type of intent that an application serves. `params` is a closed schema: unknown fields are refused. */
export type IntentSpec = {
  readonly type: string;
  readonly description: string;
  readonly params: TSchema;
};

/** An application as its folder under `apps/` exports it (`application` of `index.ts`). Plain data and pure functions. */
export type Application = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly harness: 'pi' | 'flow' | 'remote';
  readonly intents: readonly IntentSpec[];
  /** Wall time a run may take, milliseconds, where its intent sets no earlier deadline. */
  readonly deadlineMs: number;
  /** What happens to a run that was cut off: it goes on in its last phase, or it fails with `run.interrupted`. */
  readonly afterCut: 'resume' | 'fail';
  /** For the flow harness. */
  readonly flow?: FlowDefinition;
};
