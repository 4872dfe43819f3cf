/**
 * Bytes too large for an event, named by what they are. `put` resolves when they are durable and may be called
 * twice with the same bytes; it rejects with `log.failed`. `get` checks the hash: damaged bytes are `log.damaged`,
 * unknown ones `undefined`.
 */
export interface BlobStore {
  /** SHA-256 of the bytes, lower-case hex. */
  put(bytes: Uint8Array): Promise<string>;
  get(sha256: string): Promise<Uint8Array | undefined>;
}
