/**
 * Random access to a file's bytes. `read` resolves to exactly `length` bytes, or rejects: with
 * `mcap.malformed` when the file ends before them, with the I/O error otherwise. The caller owns the bytes.
 */
export interface Readable {
  /** For messages: the path of the file. */
  readonly subject: string;
  size(): Promise<number>;
  read(offset: number, length: number): Promise<Uint8Array>;
}
