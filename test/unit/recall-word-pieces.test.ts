import { describe, expect, it } from 'vitest';
import { TOKENS_MAX, WordPieces } from '../../adapters/onnx/text/word-pieces.ts';

/** Each piece has its line as number, as in a vocabulary of BERT. */
const VOCABULARY = [
  ...[
    '[PAD]',
    '[UNK]',
    '[CLS]',
    '[SEP]',
    'the',
    'door',
    '##s',
    'cafe',
    "'",
    'un',
    '##lock',
    '##ed',
    '机',
    '器',
  ],
  ...['.', '$', 'i'],
];
const pieces = new WordPieces(`${VOCABULARY.join('\n')}\n`);
/** What a text became, in words. */
const shown = (text: string) => pieces.encode(text).map((id) => VOCABULARY[id]);

describe('word pieces', () => {
  it.each([
    ['The DOORS.', ['the', 'door', '##s', '.']],
    ['unlocked', ['un', '##lock', '##ed']],
    // Accents are taken off, and marks stand for themselves.
    ["café's$", ['cafe', "'", '[UNK]', '$']],
    ['机器', ['机', '器']],
    ['\u0130', ['i']],
    // What has no form is left out: control characters, and the mark of a broken character.
    ['do\u0000or\ufffd\u200b', ['door']],
    ['xyz door', ['[UNK]', 'door']],
    ['s'.repeat(101), ['[UNK]']],
    ['', []],
    [' \t\n\u00a0', []],
  ])('of %j are those of the vocabulary', (text, found) => {
    expect(shown(text)).toEqual(['[CLS]', ...found, '[SEP]']);
  });

  it('are cut at what the network reads, with the mark at the end', () => {
    const ids = pieces.encode('door '.repeat(100_000));
    expect(ids).toHaveLength(TOKENS_MAX);
    expect(VOCABULARY[ids.at(-1)!]).toBe('[SEP]');
  });

  it('need a vocabulary with its marks', () => {
    expect(() => new WordPieces('a\nb')).toThrow('the vocabulary has no [UNK]');
  });
});
