/** One word or number of what a person said. */
export type Token = {
  /** Lower case, by which it is compared. */
  readonly word: string;
  /** As it was written. */
  readonly raw: string;
};

/** Words beyond this are no phrase, but a story for a model. */
const TOKENS_MAX = 48;
const CHARS_MAX = 512;
const FRACTIONS: Readonly<Record<string, string>> = { '½': ' 1/2', '¼': ' 1/4', '¾': ' 3/4' };
/** Numbers with their sign and fraction, words, and anything else that is neither a space nor punctuation. */
const PARTS = /[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:\/\d+)?|\p{L}[\p{L}\p{M}]*|[^\s\p{L}\d.,!?;:"()…]/gu;

/** The words of a sentence without its punctuation; undefined: it is too long for a phrase. Pure. */
export function tokensOf(words: string): readonly Token[] | undefined {
  if (words.length > CHARS_MAX) return undefined;
  const plain = words
    .replace(/[½¼¾]/gu, (sign) => FRACTIONS[sign]!)
    .normalize('NFKC')
    .replace(/['’]/gu, '')
    .replace(/[−–]/gu, '-')
    .replace(/°/gu, ' degrees ')
    .replace(/(?<=\p{L})-(?=\p{L})/gu, ' ');
  const found = [...plain.matchAll(PARTS)].map(([raw]) => ({ word: raw.toLowerCase(), raw }));
  return found.length > TOKENS_MAX ? undefined : found;
}

/** Politeness and forms of address that change nothing, at both ends. */
const BEFORE = [
  ...['please', 'robot', 'hey', 'hello', 'hi', 'ok', 'okay', 'now', 'just', 'and', 'then'],
  ...['can you', 'could you', 'would you', 'will you', 'i want you to', 'id like you to'],
].map((words) => words.split(' '));
const AFTER = ['please', 'robot', 'now', 'thanks', 'thank you', 'for me'].map((words) => words.split(' '));

/** The sentence without politeness at its ends, the shortest first: "stop the robot" ends with no form of address. Pure. */
export function trimmed(tokens: readonly Token[]): readonly (readonly Token[])[] {
  return fromBack(tokens)
    .flatMap(fromFront)
    .sort((a, b) => a.length - b.length);
}

function fromFront(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const first = BEFORE.find((one) => one.every((word, i) => tokens[i]?.word === word));
  if (!first || first.length >= tokens.length) return [tokens];
  return [tokens, ...fromFront(tokens.slice(first.length))];
}

function fromBack(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const last = AFTER.find((one) =>
    one.every((word, i) => tokens[tokens.length - one.length + i]?.word === word),
  );
  if (!last || last.length >= tokens.length) return [tokens];
  return [tokens, ...fromBack(tokens.slice(0, -last.length))];
}
