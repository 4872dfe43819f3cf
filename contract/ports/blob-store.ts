/**
 * Bytes too large for an event, named by what they are. `put` resolves when they are durable and may be called
 * twice with the same bytes; it rejects with `log.failed`. `get` checks the hash: damaged bytes are `log.damaged`,
 * unknown ones `undefined`. `renew` counts a blob as put just now, without reading it; false where it is unknown.
 */
export interface BlobStore {
  /** SHA-256 of the bytes, lower-case hex. */
  put(bytes: Uint8Array): Promise<string>;
  get(sha256: string): Promise<Uint8Array | undefined>;
  renew(sha256: string): Promise<boolean>;
}

/** What making room for blobs did. */
export type BlobTrim = {
  /** Blobs that are gone, and their bytes. */
  readonly removed: number;
  readonly bytes: number;
  /** Bytes of those that are left. */
  readonly left: number;
  /** Blobs that could not be removed, and why the first of them could not; empty where all could. */
  readonly failed: number;
  readonly fault: string;
};

/** Which blobs may go. */
export type BlobTrimRules = {
  /** At most this many bytes are left, where enough may go. */
  readonly maxBytes: number;
  /** Wall time, milliseconds: what was put between these two stays. */
  readonly spareFromMs: number;
  readonly spareToMs: number;
  /** SHA-256 of blobs that stay. Asked only when there are too many bytes. */
  readonly needed: () => ReadonlySet<string>;
  readonly signal?: AbortSignal;
};
