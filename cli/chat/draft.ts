/**
 * The answer that is still coming. Tokens and events come over two streams, so a piece may be lost, or come after the
 * whole answer: this says what of an answer is new to the reader. Pure.
 */
export class Draft {
  #text = '';
  #broken = false;
  /** End of an answer that was shown whole; its tokens may still come. */
  #late = '';
  /** Tokens that were taken for that end. */
  #passed = '';
  /** What was shown as broken off; its whole text may still come. */
  #ended = '';

  get text(): string {
    return this.#text;
  }

  /** The part of a token that is new. */
  token(text: string): string {
    let fresh = text;
    if (this.#late !== '') {
      const known = this.#late.startsWith(text)
        ? text.length
        : text.startsWith(this.#late)
          ? this.#late.length
          : 0;
      // It was another answer that starts alike.
      fresh = known > 0 ? text.slice(known) : this.#passed + text;
      this.#passed = known > 0 && known < this.#late.length ? this.#passed + text : '';
      this.#late = known > 0 ? this.#late.slice(known) : '';
    }
    if (fresh !== '') this.#ended = '';
    this.#text += fresh;
    return fresh;
  }

  /** Tokens of answers that were shown whole no longer come. */
  forget(): void {
    this.#late = '';
    this.#passed = '';
  }

  /** Tokens were lost. */
  gap(): void {
    this.#broken = true;
  }

  /** The answer is whole: what of it was not shown, or undefined where the pieces do not fit it. */
  whole(text: string): string | undefined {
    const shown = this.#text;
    const broken = this.#broken;
    this.#broken = false;
    this.#text = '';
    if (!broken && text.startsWith(shown)) {
      this.#late = text.slice(shown.length);
      this.#passed = '';
      return this.#late;
    }
    // The next answer has started already.
    if (!broken && shown.startsWith(text)) {
      this.#text = shown.slice(text.length);
      return '';
    }
    return undefined;
  }

  /** Nothing more comes of it: what there is of an answer that was broken off. */
  end(): string {
    const text = this.#text;
    this.#text = '';
    this.#broken = false;
    this.#ended = text;
    return text;
  }

  /** Whether this answer was shown already, as one that was broken off: its event came late. */
  wasShown(text: string): boolean {
    const shown = text !== '' && text === this.#ended;
    this.#ended = '';
    return shown;
  }
}
