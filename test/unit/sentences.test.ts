import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
/** CONTRIBUTING.md: one idea a sentence. */
const WORDS_MAX = 45;
const DOCUMENTS = globSync(
  '{*.md,{adapters,apps,bench,central,central-link,cli,console,contract,daemon,docs,formats,io,sim}/**/*.md}',
  {
    cwd: ROOT,
  },
).filter((file) => !/(?:^|\/)node_modules\/|^CHANGELOG\.md$|^docs\/decisions\//.test(file));

/** Sentences of the running text: no code, tables, headings or images. */
function sentencesOf(document: string): string[] {
  const text = document
    .replaceAll(/```.*?```/gs, '\n\n')
    .split('\n')
    .map((line) => (/^(?:\||#| {4}|!\[)/.test(line) ? '' : line))
    .join('\n');
  return text
    .split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )/)
    .map((paragraph) => paragraph.split(/\s+/).join(' '))
    .flatMap((paragraph) => paragraph.split(/(?<=[.!?:;]) (?=[A-Z`"[(*])/));
}

/** What is in brackets can be passed over. */
function wordsIn(sentence: string): number {
  return sentence
    .replaceAll(/\([^)]*\)/g, '')
    .split(/\s+/)
    .filter(Boolean).length;
}

describe('the documents', () => {
  it.each(DOCUMENTS)(`%s has no sentence of more than ${WORDS_MAX} words`, (file) => {
    const long = sentencesOf(readFileSync(join(ROOT, file), 'utf8')).filter(
      (one) => wordsIn(one) > WORDS_MAX,
    );
    expect(long).toEqual([]);
  });

  it('are more than a hundred, and a long sentence is found', () => {
    expect(DOCUMENTS.length).toBeGreaterThan(100);
    expect(sentencesOf(`- One.\n- ${'word '.repeat(46)}.`).map(wordsIn)).toEqual([2, 48]);
  });
});
