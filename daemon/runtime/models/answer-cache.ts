import type { ModelAnswer } from '../../../contract/core.ts';

/** What one answer costs beside its text. */
const ENTRY_BYTES = 512;

/**
 * Answers that would come again the same: temperature 0 and a seed. In memory, the oldest use goes first; a restart
 * forgets them. Calls of tools get new ids each time: the same id would be the same call.
 */
export class AnswerCache {
  readonly #bytesMax: number;
  readonly #newId: () => string;
  readonly #answers = new Map<string, { readonly answer: ModelAnswer; readonly bytes: number }>();
  #bytes = 0;
  hits = 0;

  /** 0 bytes: nothing is kept. */
  constructor(bytesMax: number, newId: () => string) {
    this.#bytesMax = bytesMax;
    this.#newId = newId;
  }

  get size(): number {
    return this.#answers.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(key: string): ModelAnswer | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, found);
    this.hits += 1;
    const { firstTokenMs: _, ...answer } = structuredClone(found.answer);
    return {
      ...answer,
      toolCalls: answer.toolCalls.map((call) => ({ ...call, id: this.#newId() })),
      tokensIn: 0,
      tokensOut: 0,
      cached: true,
    };
  }

  keep(key: string, answer: ModelAnswer): void {
    // A cut answer is no answer to keep.
    if (answer.stopReason === 'length') return;
    const bytes = ENTRY_BYTES + 2 * JSON.stringify(answer).length;
    if (bytes > this.#bytesMax) return;
    this.#drop(key);
    this.#answers.set(key, { answer: structuredClone(answer), bytes });
    this.#bytes += bytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#answers.get(key)?.bytes ?? 0;
    this.#answers.delete(key);
  }
}
