import { setImmediate as turn } from 'node:timers/promises';
import {
  type Clock,
  EdgeError,
  type RecallIndex,
  type TextEmbedder,
  withDeadline,
} from '../../contract/core.ts';

/** Texts of one call: a question waits no longer than for them. */
const BATCH = 16;
/** Time for texts in the background, and for a question, each with the loading of the model; milliseconds. */
const TEXTS_MS = 30_000;
const QUESTION_MS = 6_000;
/** Vectors of another model that go at once. */
const REMOVE_BATCH = 500;

/** The model, or why texts get no vectors, in words. */
export type FindEmbedder = () => { readonly embedder: TextEmbedder } | { readonly why: string };
export type Vector =
  | { readonly vector: Float32Array; readonly model: TextEmbedder['model'] }
  | { readonly vector?: undefined; readonly why: string };

/** Vectors of the texts of the index: some before an answer, the rest in the background, one batch at a time. */
export class RecallVectors {
  readonly #clock: Clock;
  readonly #find: FindEmbedder;
  #filling: Promise<void> | undefined;
  #stopped = false;
  /** Why the last call failed; empty: it did not. */
  #fault = '';
  #used: TextEmbedder | undefined;

  constructor(clock: Clock, find: FindEmbedder) {
    this.#clock = clock;
    this.#find = find;
  }

  get isFilling(): boolean {
    return this.#filling !== undefined;
  }

  /** The model that would be asked (empty: none), and why it gives no vectors now (empty: it does). */
  state(): { readonly model: string; readonly why: string } {
    const found = this.#find();
    return 'why' in found
      ? { model: '', why: found.why }
      : { model: found.embedder.model.name, why: this.#fault };
  }

  /**
   * The vector of a question, once texts without a vector got theirs, but after `waitMs` at the latest: the rest is
   * computed in the background. Never rejects.
   */
  async of(index: RecallIndex, question: string, waitMs: number): Promise<Vector> {
    const found = this.#find();
    if ('why' in found) return found;
    const { embedder } = found;
    this.#used = embedder;
    try {
      while (index.takeModel(embedder.model.sha256, REMOVE_BATCH)) await turn();
      this.#filling ??= this.#fill(index, embedder).finally(() => {
        this.#filling = undefined;
      });
      await withDeadline(this.#clock, waitMs, this.#filling, 'embed', 'texts').catch(() => {});
      const [vector] = await embedder.embed([question], QUESTION_MS);
      this.#fault = '';
      return { vector: vector!, model: embedder.model };
    } catch (thrown) {
      this.#fault = EdgeError.from(thrown, 'model.failed', 'embed', embedder.model.name).message;
      return { why: `the model of vectors failed: ${this.#fault}` };
    }
  }

  /** Ends the work in the background, and gives the memory of the model back. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#used?.rest();
    await this.#filling;
    this.#stopped = false;
  }

  /** Never rejects: what has no vector is asked for again with the next question. */
  async #fill(index: RecallIndex, embedder: TextEmbedder): Promise<void> {
    try {
      while (!this.#stopped) {
        const texts = index.withoutVector(BATCH);
        if (texts.length === 0) return;
        const vectors = await embedder.embed(
          texts.map(({ text }) => text),
          TEXTS_MS,
        );
        if (this.#stopped) return;
        index.putVectors(texts.map(({ sha256 }, at) => ({ sha256, vector: vectors[at]! })));
        this.#fault = '';
        await turn();
      }
    } catch (thrown) {
      this.#fault = EdgeError.from(thrown, 'model.failed', 'embed', embedder.model.name).message;
    }
  }
}
