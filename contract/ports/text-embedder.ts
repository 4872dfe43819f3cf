/**
 * Texts as vectors whose products say how near their meanings are. All vectors have the same number of values and length 1; one
 * text always has the same vector, whatever is computed beside it. `embed` rejects with `model.unavailable` (it
 * cannot be loaded), `model.failed`, `cell.overloaded` (too much waits) and `deadline.exceeded`; the next call tries again.
 */
export interface TextEmbedder {
  /** Name of the model, and a digest of all that a vector depends on: other digests are other vectors. */
  readonly model: { readonly name: string; readonly sha256: string };
  embed(texts: readonly string[], deadlineMs: number): Promise<readonly Float32Array[]>;
  /** Gives its memory back; the next call loads it again. May be called twice. */
  rest(): void;
}
