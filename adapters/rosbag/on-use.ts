import type { OpenRecorded } from '../../contract/core.ts';

/** How a segment is read message by message; the readers are loaded when the first one is asked for. */
type SegmentMessages = ReturnType<typeof import('./index.ts')['segmentMessages']>;

const load = () => import('./index.ts');

export const recordedOnUse = (dataDir: string): OpenRecorded =>
  async function* (path, range) {
    yield* (await load()).recordedMessages(dataDir)(path, range);
  };

export const segmentsOnUse = (dataDir: string): SegmentMessages =>
  async function* (path, topics, onDamage) {
    yield* (await load()).segmentMessages(dataDir)(path, topics, onDamage);
  };
