import type { Token } from './tokens.ts';

/** A value that starts at some token, and the token after it. */
export type Option<T = number> = { readonly value: T; readonly next: number };

const SMALL: readonly string[] = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven'],
  ...['twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'],
];
const TENS: Readonly<Record<string, number>> = {
  ...{ twenty: 20, thirty: 30, forty: 40, fourty: 40, fifty: 50, sixty: 60, seventy: 70 },
  ...{ eighty: 80, ninety: 90 },
};
const PARTS: Readonly<Record<string, number>> = {
  ...{ half: 1 / 2, halves: 1 / 2, third: 1 / 3, thirds: 1 / 3, quarter: 1 / 4, quarters: 1 / 4 },
  ...{ fifth: 1 / 5, fifths: 1 / 5, tenth: 1 / 10, tenths: 1 / 10 },
};

/** Every number that starts at a token, in digits or in words: `1.5`, `1/2`, `two and a half`, `half a`. Pure. */
export function numbersAt(tokens: readonly Token[], at: number): readonly Option[] {
  const word = (i: number) => tokens[i]?.word ?? '';
  const found: Option[] = [];
  const wholes = [...digitsAt(word, at), ...wordsAt(word, at)];
  found.push(...wholes);
  for (const { value, next } of wholes) {
    // "two and a half", "three quarters (of a)", "one hundred twenty point five" is in wordsAt.
    if (word(next) === 'and' && isOne(word(next + 1)) && part(word(next + 2)) !== undefined)
      found.push({ value: value + part(word(next + 2))!, next: next + 3 });
    const share = part(word(next));
    if (share !== undefined) found.push(...ofA(word, { value: value * share, next: next + 1 }));
  }
  if (isOne(word(at)) && part(word(at + 1)) !== undefined)
    found.push(...ofA(word, { value: part(word(at + 1))!, next: at + 2 }));
  if (isOne(word(at)) && word(at) !== 'one') found.push({ value: 1, next: at + 1 });
  const alone = part(word(at));
  if (alone !== undefined) found.push(...ofA(word, { value: alone, next: at + 1 }));
  return found;
}

type Word = (i: number) => string;

function part(word: string): number | undefined {
  return Object.hasOwn(PARTS, word) ? PARTS[word] : undefined;
}

function isOne(word: string): boolean {
  return word === 'a' || word === 'an' || word === 'one';
}

/** "half", "half a", "half of a". */
function ofA(word: Word, { value, next }: Option): readonly Option[] {
  const article = word(next) === 'of' ? next + 1 : next;
  const isArticle = isOne(word(article)) && word(article) !== 'one';
  return isArticle
    ? [
        { value, next },
        { value, next: article + 1 },
      ]
    : [{ value, next }];
}

function digitsAt(word: Word, at: number): readonly Option[] {
  if (word(at) === 'minus')
    return /^\d/.test(word(at + 1))
      ? digitsAt(word, at + 1).map(({ value, next }) => ({ value: -value, next }))
      : [];
  const value = numeral(word(at));
  if (value === undefined) return [];
  const more = numeral(word(at + 1));
  // "1 1/2"
  const isMixed = /^\d+$/.test(word(at)) && /^\d+\/\d+$/.test(word(at + 1)) && more !== undefined;
  return isMixed ? [{ value: value + more, next: at + 2 }] : [{ value, next: at + 1 }];
}

function numeral(word: string): number | undefined {
  if (!/^[-+]?(\d+(\.\d+)?|\.\d+)(\/\d+)?$/.test(word)) return undefined;
  const [above = '', below] = word.split('/');
  const value = Number(above) / (below === undefined ? 1 : Number(below));
  return Number.isFinite(value) ? value : undefined;
}

/** Numbers in words up to thousands, with digits after "point". */
function wordsAt(word: Word, at: number): readonly Option[] {
  const minus = word(at) === 'minus';
  let i = minus ? at + 1 : at;
  const first = i;
  let total = 0;
  let group = 0;
  let last: 'none' | 'small' | 'tens' | 'scale' = 'none';
  for (; ; i++) {
    const small = SMALL.indexOf(word(i));
    const tens = Object.hasOwn(TENS, word(i)) ? TENS[word(i)] : undefined;
    const isHundred = word(i) === 'hundred' && group > 0 && group < 100 && last !== 'scale';
    const isArticle = i === first && word(i) === 'a' && ['hundred', 'thousand'].includes(word(i + 1));
    if (isArticle) {
      group = 1;
      last = 'small';
    } else if (small >= 0 && last !== 'small' && !(last === 'tens' && (small === 0 || small > 9))) {
      group += small;
      last = 'small';
    } else if (tens !== undefined && (last === 'none' || last === 'scale')) {
      group += tens;
      last = 'tens';
    } else if (isHundred) {
      group *= 100;
      last = 'scale';
    } else if (word(i) === 'thousand' && total === 0 && group > 0) {
      total = group * 1_000;
      group = 0;
      last = 'scale';
    } else if (!(word(i) === 'and' && last === 'scale' && isCount(word(i + 1)))) break;
  }
  if (last === 'none') return [];
  const sign = minus ? -1 : 1;
  const whole = { value: sign * (total + group), next: i };
  const decimals = decimalsAt(word, i);
  return decimals ? [{ value: sign * (total + group + decimals.value), next: decimals.next }] : [whole];
}

function isCount(word: string): boolean {
  return SMALL.includes(word) || Object.hasOwn(TENS, word);
}

function decimalsAt(word: Word, at: number): Option | undefined {
  if (word(at) !== 'point') return undefined;
  let digits = '';
  let next = at + 1;
  for (; SMALL.indexOf(word(next)) >= 0 && SMALL.indexOf(word(next)) < 10; next++)
    digits += SMALL.indexOf(word(next));
  return digits === '' ? undefined : { value: Number(`0.${digits}`), next };
}
