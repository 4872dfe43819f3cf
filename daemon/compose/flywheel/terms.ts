import { CHUNK } from '../../../apps/ar4-physical-ai/observation.ts';

/** What the command line names when it asks for a flywheel; light, so that its help costs nothing. */
export type { Task } from '../../../apps/ar4-physical-ai/expert.ts';
export type { Progress } from '../../../apps/ar4-physical-ai/flywheel/flywheel.ts';
export type { FlywheelReport } from '../../../apps/ar4-physical-ai/flywheel/report.ts';

/** The longest prefix that a policy may learn to continue from, actions: one of a chunk is always new. */
export const PREFIX_MAX = CHUNK - 1;
