import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerCheck } from '../../adapters/vllm/checked-answer.ts';
import { readToolText } from '../../adapters/vllm/json-tools.ts';
import { LIMITS } from '../../contract/index.ts';
import { fencedText } from '../../formats/openai/index.ts';

const NAMES = new Set(['drive']);
const CALL = '{"name": "drive", "arguments": {"m": 2}}';
/** Texts that are made of these pieces are nearly right. */
const texts = (...pieces: readonly string[]) =>
  fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((some) => some.join(''));

describe('a code fence', () => {
  it.each([
    ['```json\n{"m": 1}\n```', '{"m": 1}'],
    ['  ```\n\n[1]\n\n```\n', '[1]'],
    ['```tool_call {"m": 1}```', '{"m": 1}'],
    ['``````', ''],
    ['`````', undefined],
    ['```json\n{"m": 1}', undefined],
    ['{"m": 1}', undefined],
    ['see: ```json\n1\n```', undefined],
  ])('%j holds %j', (text, held) => {
    expect(fencedText(text)).toBe(held);
  });

  it('holds what the pattern would find that says so in one line', () => {
    const pattern = /^```[a-z_]*\s*([\s\S]*?)\s*```$/;
    fc.assert(
      fc.property(texts('```', '`', 'json', '_', ' ', '\n', '\u00a0', '{}', 'J'), (text) => {
        expect(fencedText(text)).toBe(pattern.exec(text.trim())?.[1]);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('marks around calls', () => {
  it('are found as the pattern would find them that says so in one line', () => {
    const pattern = /<tool_call>([\s\S]*?)<\/tool_call>/g;
    fc.assert(
      fc.property(texts('<tool_call>', '</tool_call>', CALL, ' ', '<tool_', 'x'), (text) => {
        const marked = [...text.matchAll(pattern)].map(([, inner]) => inner!.trim());
        const whole = text.replace(pattern, '').trim() === '' && marked.every((one) => one === CALL);
        fc.pre(marked.length > 0);
        expect(readToolText(text, NAMES).calls).toHaveLength(whole ? marked.length : 0);
      }),
      { numRuns: 2_000 },
    );
  });
});

// A pattern that looks for an end from every place takes hours for these: who comes to an end was quick.
describe('a hostile answer', () => {
  const nearly = `\`\`\`${' '.repeat(200_000)}x`;
  const endless = '<tool_call>'.repeat(Math.floor(LIMITS.MODEL_ANSWER_BYTES_MAX / '<tool_call>'.length));

  it.each([
    ['a fence without an end, and blanks', nearly],
    ['marks without an end', endless],
    ['marks without an end after a call', `<tool_call>${CALL}</tool_call>${endless}`],
  ])('that is %s is text', (_what, text) => {
    expect(readToolText(text, NAMES)).toEqual({ calls: [], text });
  });

  it('is refused where a schema was given', () => {
    expect(() => new AnswerCheck('m').json(nearly, { type: 'object' }, 'stop')).toThrow(/it is no JSON/);
  });
});
