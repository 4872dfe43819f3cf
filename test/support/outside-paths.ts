import { dirname, join, normalize } from 'node:path';

/** Ways in which a file names a path from its own folder: module specifiers and URLs, `join`, shell, Python. */
const FROM_FOLDER = [
  /\b(?:from|import)\s*\(?\s*['"](\.\.?\/[^'"]*)['"]/g,
  /\bnew URL\(\s*['"`]([^'"`]*)['"`]\s*,\s*import\.meta\.url/g,
  /\b(?:join|resolve)\(\s*(?:import\.meta\.dirname|here|__dirname)\s*,((?:\s*['"`][^'"`]*['"`]\s*,?)+)/g,
  /\$\(dirname "\$(?:0|\{BASH_SOURCE\[0\]\}|BASH_SOURCE)"\)"?\/([^\s"')]+)/g,
  /\$\{?here\}?"?\/([^\s"')]+)/g,
];
/** And from the root of the repository. */
const FROM_ROOT = [
  /\b(?:join|resolve)\(\s*(?:ROOT|root|process\.cwd\(\))\s*,((?:\s*['"`][^'"`]*['"`]\s*,?)+)/g,
  /\$\{?(?:repo|root|ROOT)\}?"?\/(\.\.[^\s"')]*)/g,
];
const PYTHON_PARENTS = /__file__\)(?:\.resolve\(\))?\.parents\[(\d+)\]/g;

/** Paths in a text that leave the repository, as `line: path`. `name` is the file's path from the root. */
export function outsidePaths(name: string, text: string): string[] {
  const found: string[] = [];
  const note = (index: number, path: string) => {
    found.push(`${name}:${text.slice(0, index).split('\n').length}: ${path}`);
  };
  const check = (patterns: readonly RegExp[], base: string) => {
    for (const pattern of patterns) {
      for (const match of text.matchAll(pattern)) {
        const path = normalize(join(base, partsOf(match[1]!)));
        if (path === '..' || path.startsWith('../')) note(match.index, path);
      }
    }
  };
  check(FROM_FOLDER, dirname(name));
  check(FROM_ROOT, '.');
  for (const match of text.matchAll(PYTHON_PARENTS))
    if (Number(match[1]) > name.split('/').length - 1) note(match.index, match[0]);
  for (const match of text.matchAll(/\.\.\/shared\b/g)) note(match.index, match[0]);
  return [...new Set(found)];
}

/** `'..', 'a'` as written in a call, or a path as it is. */
function partsOf(written: string): string {
  const quoted = [...written.matchAll(/['"`]([^'"`]*)['"`]/g)].map((match) => match[1]!);
  return quoted.length > 0 ? quoted.join('/') : written;
}
