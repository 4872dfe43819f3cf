import { CHUNK } from '../../../apps/ar4-physical-ai/observation.ts';

/**
 * The longest prefix that a policy may learn to continue from, actions: one of a chunk is always new. The command line
 * names it in its help; a file of its own, so that this help costs nothing.
 */
export const PREFIX_MAX = CHUNK - 1;
