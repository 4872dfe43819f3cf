import { usePolled } from './polled.ts';
import type { Status } from './views.ts';

const STATUS_MS = 1000;

/** The status of the robot, each second; shared by all panels. */
export const useStatus = () => usePolled<Status>('/v1/status', STATUS_MS);
