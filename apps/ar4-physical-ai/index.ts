import type { AppModule } from 'auraison-edge';
import { armFlow } from './flow.ts';

/** A six-axis arm of the AR4 class repeats a shown task with a learned policy. */
export const application: AppModule = { flow: armFlow };
