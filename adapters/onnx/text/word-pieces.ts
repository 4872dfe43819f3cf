/** Tokens of one text: a network of this kind reads no more, with the first and the last mark. */
export const TOKENS_MAX = 256;
/** A longer word is unknown, characters. */
const WORD_CHARS_MAX = 100;
/** Characters that are looked at: more give more tokens than are read. */
const TEXT_CHARS_MAX = 8_192;

/** Ideographs stand for themselves: each is a word. */
const IDEOGRAPH = /[\u{3400}-\u{4DBF}\u{4E00}-\u{9FFF}\u{F900}-\u{FAFF}\u{20000}-\u{2CEAF}]/gu;
/** As BERT counts: what Unicode calls punctuation, and every mark of ASCII that is no letter or digit. */
const PUNCTUATION = /[\p{P}$+<=>^`|~]/gu;

/**
 * Text as numbers of word pieces, as BERT's uncased vocabulary has them: lower case, without accents, each word cut
 * from its start into the longest pieces that the vocabulary knows.
 */
export class WordPieces {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #unknown: number;
  readonly #first: number;
  readonly #last: number;

  /** `vocabulary`: one piece a line; its line, from 0, is its number. Throws where it lacks the marks of BERT. */
  constructor(vocabulary: string) {
    this.#ids = new Map(
      vocabulary
        .split('\n')
        .map((line, id) => [line.replace(/\r$/, ''), id] as const)
        .filter(([piece]) => piece !== ''),
    );
    this.#unknown = this.#mark('[UNK]');
    this.#first = this.#mark('[CLS]');
    this.#last = this.#mark('[SEP]');
  }

  /** At most `TOKENS_MAX` numbers; what is longer is cut at its end. */
  encode(text: string): number[] {
    const ids = [this.#first];
    for (const word of words(text.slice(0, TEXT_CHARS_MAX))) {
      ids.push(...this.#pieces(word));
      if (ids.length >= TOKENS_MAX) break;
    }
    return [...ids.slice(0, TOKENS_MAX - 1), this.#last];
  }

  #pieces(word: string): readonly number[] {
    const letters = [...word];
    if (letters.length > WORD_CHARS_MAX) return [this.#unknown];
    const pieces: number[] = [];
    for (let from = 0; from < letters.length; ) {
      let to = letters.length;
      let id: number | undefined;
      for (; to > from && id === undefined; to--)
        id = this.#ids.get(`${from === 0 ? '' : '##'}${letters.slice(from, to).join('')}`);
      if (id === undefined) return [this.#unknown];
      pieces.push(id);
      from = to + 1;
    }
    return pieces;
  }

  #mark(mark: string): number {
    const id = this.#ids.get(mark);
    if (id === undefined) throw new Error(`the vocabulary has no ${mark}`);
    return id;
  }
}

function words(text: string): string[] {
  return text
    .replaceAll(/[\t\n\r]/g, ' ')
    .replaceAll(/[\p{C}\uFFFD]/gu, '')
    .replaceAll(IDEOGRAPH, ' $& ')
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')
    .replaceAll(PUNCTUATION, ' $& ')
    .split(/\s+/)
    .filter((word) => word !== '');
}
