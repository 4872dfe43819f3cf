/**
 * `JSON.parse`, for texts of others. That of V8 13.6 (Node 24) misreads a key with an escape where it has lately made an
 * object with another key at this place: it compares that key with the text as it is written. After `{"\\": 1}` it
 * reads `{"\n": 1}` with the key `\`, after `{"a\\n": 1}` it reads `{"a\nb": 1}` with the key `a\n`. Then the value has another
 * key than its text, and hashes and signatures over it do not fit. So keys with an escape are parsed apart, as
 * strings. Throws as `JSON.parse`.
 */
export function parseJson(text: string): unknown {
  if (!text.includes('\\')) return JSON.parse(text);
  const keys: string[] = [];
  try {
    const mark = markNotIn(text);
    const plain = mark === undefined ? undefined : withPlainKeys(text, mark, keys);
    if (mark === undefined || plain === undefined) return JSON.parse(text);
    return renamed(JSON.parse(plain), mark, keys);
  } catch {
    // What is wrong is said of the original.
    return JSON.parse(text);
  }
}

/** The text with its escaped keys, which go to `keys`, named by the mark and a number; undefined: it has none. */
function withPlainKeys(text: string, mark: string, keys: string[]): string | undefined {
  const parts: string[] = [];
  let taken = 0;
  let slash = text.indexOf('\\');
  let open = text.indexOf('"');
  while (open >= 0 && slash >= 0) {
    const end = endOfString(text, open);
    if (slash < end) {
      if (isKey(text, end)) {
        parts.push(text.slice(taken, open), `"${mark}${keys.length}"`);
        keys.push(JSON.parse(text.slice(open, end)) as string);
        taken = end;
      }
      slash = text.indexOf('\\', end);
    }
    open = text.indexOf('"', end);
  }
  return keys.length === 0 ? undefined : parts.join('') + text.slice(taken);
}

/** The place after the closing quote; the end of the text where it is missing. */
function endOfString(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = quote - 1;
    while (text[escapes] === '\\') escapes--;
    if ((quote - escapes) % 2 === 1) return quote + 1;
  }
  return text.length;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}

/** Of the private use area of Unicode. */
const MARK_FIRST = 0xe000;
const MARK_LAST = 0xf8ff;

/** A character that no string of the text has, written as itself or escaped; undefined: it has all of them. */
function markNotIn(text: string): string | undefined {
  for (let code = MARK_FIRST; code <= MARK_LAST; code++) {
    const mark = String.fromCharCode(code);
    if (!text.includes(mark) && text.search(new RegExp(`\\\\u${code.toString(16)}`, 'i')) < 0) return mark;
  }
  return undefined;
}

/** The value with its own keys, in the order of the text. */
function renamed(value: unknown, mark: string, keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, mark, keys));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, held]) => [
      key.startsWith(mark) ? keys[Number(key.slice(mark.length))]! : key,
      renamed(held, mark, keys),
    ]),
  );
}
