// What a source says of its own place (`import.meta`) stays true when it has become a part of a packed file.
import { posix } from 'node:path';

/** A program, a thread or a module that is named by its address: a packed file of its own. */
const PROGRAM = /new URL\(\s*'(\.\.?\/[^']+\.ts)',\s*import\.meta\.url\s*,?\s*\)/g;
const OTHER = /\bimport\.meta\.(url|dirname|filename|main)\b/g;

/** The packed file of a source, beside all others: `daemon/compose/control-main.ts` is `daemon.compose.control-main.mjs`. */
export const packedName = (source) => `${source.slice(0, -'.ts'.length).replaceAll('/', '.')}.mjs`;

/** The sources that `text` starts or loads by their address. `source` is the path of `text` from the root, with `/`. */
export function programsOf(source, text) {
  return [...text.matchAll(PROGRAM)].map(([, near]) => posix.join(posix.dirname(source), near));
}

/**
 * The text of a source as it is packed. `PLACE` gives it its own address, wherever the packed file lies; what `isEntry`
 * names has a packed file of its own.
 */
export function withOwnPlace(source, text, isEntry) {
  if (!text.includes('import.meta')) return text;
  const used = new Set();
  const use = (name) => {
    used.add(name);
    return name;
  };
  const packed = text
    .replace(PROGRAM, (whole, near) => {
      const program = posix.join(posix.dirname(source), near);
      if (!isEntry(program)) return whole;
      const name = packedName(program);
      return `${use('__packedAt')}(${JSON.stringify(name)})`;
    })
    .replace(OTHER, (_, what) => `${use(`__${what}Of`)}(${JSON.stringify(source)})`);
  // On the first line: the lines of a stack stay those of the source.
  return `import { ${[...used].join(', ')} } from '${PLACE}'; ${packed}`;
}

export const PLACE = 'auraison:place';

/** The module behind `PLACE`. `up` leads from the packed files to the root of the sources: `../`. */
export const placeModule = (up) => `
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
const root = new URL(${JSON.stringify(up)}, import.meta.url);
const __packedAt = (name) => new URL(name, import.meta.url);
const __urlOf = (source) => new URL(source, root).href;
const __filenameOf = (source) => fileURLToPath(__urlOf(source));
const __dirnameOf = (source) => dirname(__filenameOf(source));
/** Only programs ask: what runs is the packed file of the source. */
const __mainOf = (source) =>
  process.argv[1] === fileURLToPath(__packedAt(source.slice(0, -3).replaceAll('/', '.') + '.mjs'));
export { __packedAt, __urlOf, __filenameOf, __dirnameOf, __mainOf };
`;
