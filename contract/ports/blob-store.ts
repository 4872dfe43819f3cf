/**
 * Bytes too large for an event, named by their hash. `put` resolves when they are durable and may be called
 * twice with the same bytes; it rejects with `log.failed`. `get` checks the hash: damaged bytes are `log.damaged`,
 * unknown ones `undefined`. `renew` counts a blob as put just now, without reading it; false where it is unknown.
 */
export interface BlobStore {
  /** SHA-256 of the bytes, lower-case hex. */
  put(bytes: Uint8Array): Promise<string>;
  get(sha256: string): Promise<Uint8Array | undefined>;
  renew(sha256: string): Promise<boolean>;
}

/** The result of making room for blobs. */
export type BlobTrim = {
  /** Blobs that were deleted, and their bytes. */
  readonly removed: number;
  readonly bytes: number;
  /** Bytes of those that are left. */
  readonly left: number;
  /** Blobs that could not be removed, and why the first could not; empty if all could. */
  readonly failed: number;
  readonly fault: string;
};

/** Which blobs may go. */
export type BlobTrimRules = {
  /** At most this many bytes are left, as far as blobs may be deleted. */
  readonly maxBytes: number;
  /** Wall time, milliseconds: blobs put between these two times stay. */
  readonly spareFromMs: number;
  readonly spareToMs: number;
  /** Wall time, milliseconds: older blobs belong to events that were removed, and go whatever `maxBytes` is. */
  readonly goneBeforeMs?: number;
  /** SHA-256 of blobs that stay. Asked only when blobs have to go. */
  readonly needed: () => ReadonlySet<string>;
  readonly signal?: AbortSignal;
};
