/**
 * A word that this project used in a sense of its own, and the usual words instead. CONTRIBUTING.md has the same list.
 */
export type PrivateWord = { readonly word: string; readonly pattern: RegExp };

export const PRIVATE_WORDS: readonly PrivateWord[] = [
  { word: 'told', pattern: /\btold\b/gi },
  { word: 'tell', pattern: /\b(?:tells?|telling)\b/gi },
  { word: 'anew', pattern: /\banew\b/gi },
  // Not the BEGIN of SQL and of PEM files.
  { word: 'begin', pattern: /\b(?:[Bb]egins?|[Bb]egan|[Bb]egun|[Bb]eginning)\b/g },
  { word: 'mend', pattern: /\bmend(?:s|ed|ing)?\b/gi },
  { word: 'whoever', pattern: /\bwho(?:m|se)?ever\b/gi },
  { word: 'asker', pattern: /\baskers?\b/gi },
  { word: 'deaf', pattern: /\bdeaf\b/gi },
  { word: 'stranger', pattern: /\bstrangers?\b/gi },
  { word: 'nobody', pattern: /\bnobody(?:'s)?\b/gi },
  { word: 'any more', pattern: /\bany more\b/gi },
  { word: 'is none', pattern: /\b(?:is|are|was|were) none\b/gi },
  { word: 'be had', pattern: /\b(?:be|is|are|was) had\b/gi },
  { word: 'under way', pattern: /\bunder way\b/gi },
  { word: 'go on', pattern: /\b(?:go|goes|going|went|gone) on\b/gi },
  { word: 'by itself', pattern: /\bby (?:itself|themselves)\b/gi },
  { word: 'cut off', pattern: /\bcuts? off\b/gi },
  { word: 'all the same', pattern: /\ball the same\b/gi },
  { word: 'ours', pattern: /\bours\b/gi },
  { word: 'fell silent', pattern: /\b(?:fell|falls?|fallen) silent\b/gi },
  { word: 'who asks', pattern: /\bwho (?:asks|asked|wants|wanted)\b/gi },
  { word: 'picture', pattern: /\bpictures?\b/gi },
  { word: 'at hand', pattern: /\bat hand\b/gi },
  { word: 'given up', pattern: /\bg(?:ive|ives|iven|ave) up\b/gi },
];

/** Rooms of the first level; files of the root count as `.`. Tests name these words and are not counted. */
export function roomOf(file: string): string | undefined {
  const skipped =
    /^(?:test|node_modules|console\/built|contract\/schema|docs\/decisions)\/|^(?:CHANGELOG|CONTRIBUTING)\.md$/;
  if (skipped.test(file) || !/\.(?:ts|js|mjs|md)$/.test(file)) return undefined;
  return file.includes('/') ? file.split('/')[0]! : '.';
}

/**
 * What people read of a file: of a document its prose, of a program its comments and its strings of more than one
 * word. Names in backticks and code are left out.
 */
export function proseOf(file: string, text: string): string {
  if (file.endsWith('.md')) return withoutCode(text);
  const comment = /\/\*[\s\S]*?\*\/|(?<![:'"`\w])\/\/.*/g;
  const comments = [...text.matchAll(comment)].map(([found]) => withoutCode(found));
  const code = text.replaceAll(comment, '');
  const strings = [...code.matchAll(/'(?:[^'\n\\]|\\.)*'|"(?:[^"\n\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map(
    ([found]) => found.replaceAll(/\$\{[^}]*\}/g, ''),
  );
  return [...comments, ...strings.filter((found) => / /.test(found))].join('\n');
}

function withoutCode(text: string): string {
  return text
    .replaceAll(/^([ \t]*)```[\s\S]*?^\1```[ \t]*$/gm, '')
    .replaceAll(/^ {4}(?![-*\d]).*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

/** How often each word stands in each room, words and rooms with none left out. */
export function countWords(
  files: Iterable<readonly [string, string]>,
): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const [file, text] of files) {
    const room = roomOf(file);
    if (room === undefined) continue;
    const prose = proseOf(file, text);
    for (const { word, pattern } of PRIVATE_WORDS) {
      const found = [...prose.matchAll(pattern)].length;
      if (found === 0) continue;
      counts[word] ??= {};
      counts[word][room] = (counts[word][room] ?? 0) + found;
    }
  }
  return counts;
}
