import type { EventPayload } from '../../../contract/core.ts';
import { bagOf, writeNote } from './bag-folder.ts';
import { sealedEvents } from './leftovers.ts';
import type { Sealed } from './protocol.ts';
import type { Segment } from './segment.ts';

/**
 * Hash, note and final name of an ended segment. `path` is relative to the data directory. Durable when it
 * resolves; where it rejects, the segment lies there under its unsealed name.
 */
export async function publishSegment(
  dataDir: string,
  path: string,
  segment: Segment,
  losses: EventPayload<'losses.recorded'>,
  onProgress: () => void,
): Promise<Sealed> {
  const sha256 = await segment.digest(onProgress);
  const { summary, bytes } = segment;
  const facts = { bag: bagOf(path), path, summary, bytes, sha256, repaired: false };
  const sealed = sealedEvents(facts, losses);
  await writeNote(dataDir, sealed);
  await segment.publish();
  return sealed;
}
