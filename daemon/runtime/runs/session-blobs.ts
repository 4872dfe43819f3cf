import { type AgentEvent, type BlobStore, EdgeError } from '../../../contract/core.ts';

type Entry = AgentEvent<'session.entry'>;

/** SHA-256 of the blobs that entries of a session name: entries too long for an event, images. */
export function blobsNamed(entries: readonly Entry[]): ReadonlySet<string> {
  const named = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, one] of Object.entries(value)) {
      if (key === 'sha256' && typeof one === 'string') named.add(one);
      else look(one);
    }
  };
  for (const { payload } of entries) look(payload.entry);
  return named;
}

/**
 * Counts the blobs that a branch names as put just now, so that none is removed while a run is forked from it; from then
 * on that run keeps them. Throws `run.interrupted` where an entry is no longer available; images may be gone.
 */
export async function renewBlobs(branch: readonly Entry[], blobs: BlobStore | undefined): Promise<void> {
  if (!blobs) return;
  const entries = new Map(
    branch.flatMap(({ payload: { entry_id, entry } }) => {
      const stored = entry['stored'] as { sha256?: unknown } | undefined;
      return typeof stored?.sha256 === 'string' ? [[stored.sha256, entry_id] as const] : [];
    }),
  );
  for (const sha256 of blobsNamed(branch)) {
    const isThere = await blobs.renew(sha256).catch(() => false);
    if (!isThere && entries.has(sha256))
      throw new EdgeError('run.interrupted', {
        operation: 'fork run',
        subject: entries.get(sha256)!,
        message: `entry ${entries.get(sha256)} is kept as blob ${sha256}, which is gone`,
        hint: 'fork from an entry before it; blobs.quota says how much is kept',
        retryable: false,
      });
  }
}
