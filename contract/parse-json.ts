/**
 * `JSON.parse`, for texts of others. That of V8 13.6 (Node 24) misreads a key with an escape where it has lately made an
 * object with another key at this place: it compares that key with the text as it is written. After `{"\\": 1}` it
 * reads `{"\n": 1}` with the key `\`, after `{"a\\n": 1}` it reads `{"a\nb": 1}` with the key `a\n`. Then the value has another
 * key than its text, and hashes and signatures over it do not fit. So where a text has such a key, all its keys are
 * parsed apart, as strings, and the text is parsed with a number in place of each. Takes time in proportion to the length
 * of the text. Throws as `JSON.parse`.
 */
export function parseJson(text: string): unknown {
  if (!hasEscapedKey(text)) return JSON.parse(text);
  const keys: string[] = [];
  let value: unknown;
  try {
    value = JSON.parse(withNumberedKeys(text, keys));
  } catch {
    // What is wrong is said of the original.
    return JSON.parse(text);
  }
  return renamed(value, keys);
}

function hasEscapedKey(text: string): boolean {
  let slash = text.indexOf('\\');
  let open = slash < 0 ? -1 : text.indexOf('"');
  while (open >= 0 && slash >= 0) {
    const end = endOfString(text, open);
    if (slash < end) {
      if (isKey(text, end)) return true;
      slash = text.indexOf('\\', end);
    }
    open = text.indexOf('"', end);
  }
  return false;
}

/** The text with each key replaced by its number; the keys go to `keys`. Throws where a key is no string. */
function withNumberedKeys(text: string, keys: string[]): string {
  const parts: string[] = [];
  /** Most keys are there often. */
  const known = new Map<string, string>();
  let taken = 0;
  for (let open = text.indexOf('"'); open >= 0; ) {
    const end = endOfString(text, open);
    if (isKey(text, end)) {
      parts.push(text.slice(taken, open), `"_${keys.length}"`);
      const written = text.slice(open, end);
      let key = known.get(written);
      if (key === undefined) {
        key = JSON.parse(written) as string;
        known.set(written, key);
      }
      keys.push(key);
      taken = end;
    }
    open = text.indexOf('"', end);
  }
  return parts.join('') + text.slice(taken);
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

type Held = Record<string, unknown> | unknown[];

/**
 * The value with its own keys, in the order of the text; of a key that is there twice the last value counts. Without
 * recursion: `JSON.parse` takes any depth.
 */
function renamed(value: unknown, keys: readonly string[]): unknown {
  const top = [value];
  const open: Held[] = [top];
  for (let parent = open.pop(); parent; parent = open.pop()) {
    // Of an array only indices.
    for (const key of Object.keys(parent)) {
      const held = (parent as Record<string, unknown>)[key];
      if (typeof held !== 'object' || held === null) continue;
      const child = Array.isArray(held) ? held : named(held as Record<string, unknown>, keys);
      if (child !== held) put(parent as Record<string, unknown>, key, child);
      open.push(child);
    }
  }
  return top[0];
}

function named(one: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  for (const number in one) put(own, keys[Number(number.slice(1))]!, one[number]);
  return own;
}

/** An assignment to `__proto__` would be something else. */
function put(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { configurable: true, enumerable: true, writable: true, value });
  else object[key] = value;
}
