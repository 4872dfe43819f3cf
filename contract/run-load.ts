import type * as cells from './bodies/cells.ts';
import type { BodyOf } from './bodies/kit.ts';
/** What runs and waits, and whether agents are held back. */
export type RunLoad = BodyOf<typeof cells.RunLoad>;

/** A run whose last events the log refused, as a full disk does. It is not over before the log says so. */
export type UnwrittenRun = BodyOf<typeof cells.UnwrittenRun>;
