import type { PublishOptions } from '../../../contract/core.ts';

export type Priority = NonNullable<PublishOptions['priority']>;

/** How the lanes share a transport, and the lane of Zenoh that their samples take. */
export const WEIGHT: Readonly<Record<Priority, number>> = {
  real_time: 64,
  interactive_high: 32,
  interactive_low: 16,
  data_high: 8,
  data: 4,
  data_low: 2,
  background: 1,
};
/** Automatic priority by the size of a sample: state and commands, scans, images and clouds. */
const SMALL_BYTES = 4 * 1024;
const MEDIUM_BYTES = 256 * 1024;

export function bySize(bytes: number): Priority {
  return bytes <= SMALL_BYTES ? 'data_high' : bytes <= MEDIUM_BYTES ? 'data' : 'data_low';
}
