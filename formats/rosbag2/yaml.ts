import { EdgeError } from '../../contract/core.ts';

/** Scalars stay text: nanoseconds since the epoch do not fit a number. Empty, `~` and `null` are null. */
export type YamlValue = string | null | YamlValue[] | { [key: string]: YamlValue };

type Line = { readonly indent: number; readonly text: string; readonly number: number };

/** Deepest nesting that is followed; rosbag2 nests 5 deep. */
const DEPTH_MAX = 32;
/** Larger than any metadata.yaml: 10,000 topics take 5 MB. */
const CHARS_MAX = 16 * 1024 * 1024;
/** One flow value over several lines, and the lines it is tried again after: reading it stays linear enough. */
const FLOW_CHARS_MAX = 64 * 1024;
const FLOW_TRIES_MAX = 256;

/**
 * Reads the YAML that rosbag2, yaml-cpp and ruamel write: block and flow collections, plain and quoted scalars,
 * literal blocks. No anchors, tags or multiple documents. Throws `bag.malformed`, naming `subject` and the line.
 */
export function parseYaml(text: string, subject: string): YamlValue {
  if (text.length > CHARS_MAX) throw fault(subject, 0, `${text.length} characters`);
  const reader = new YamlReader(text, subject);
  return reader.document();
}

function fault(subject: string, line: number, message: string): EdgeError {
  const details = { operation: 'read-yaml', subject, message: `line ${line}: ${message}` };
  return new EdgeError('bag.malformed', details);
}

class YamlReader {
  readonly #subject: string;
  readonly #lines: Line[] = [];
  #at = 0;

  constructor(text: string, subject: string) {
    this.#subject = subject;
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      const body = raw.trimStart();
      this.#lines.push({ indent: raw.length - body.length, text: body.trimEnd(), number: index + 1 });
    }
  }

  document(): YamlValue {
    this.#skip();
    if (this.#line()?.text === '---') this.#at += 1;
    this.#skip();
    const first = this.#line();
    if (!first) return null;
    const value = this.#block(first.indent, 0);
    this.#skip();
    const rest = this.#line();
    if (rest && rest.text !== '...')
      throw fault(this.#subject, rest.number, 'it does not continue the lines above');
    return value;
  }

  #line(): Line | undefined {
    return this.#lines[this.#at];
  }

  #skip(): void {
    for (
      let line = this.#line();
      line && (line.text === '' || line.text.startsWith('#'));
      line = this.#line()
    )
      this.#at += 1;
  }

  #block(indent: number, depth: number): YamlValue {
    const line = this.#line()!;
    if (depth > DEPTH_MAX) throw fault(this.#subject, line.number, 'nested too deeply');
    if (isItem(line.text)) return this.#sequence(indent, depth);
    if (keyOf(line.text)) return this.#mapping(indent, depth);
    this.#at += 1;
    return this.#value(line.text, line, depth);
  }

  #sequence(indent: number, depth: number): YamlValue[] {
    const items: YamlValue[] = [];
    for (let line = this.#line(); line && line.indent === indent && isItem(line.text); line = this.#line()) {
      const rest = line.text.slice(1).trimStart();
      if (rest === '') {
        this.#at += 1;
        items.push(this.#nested(indent, false, depth));
      } else {
        // What follows the dash is a block of its own, as if it stood on a line at that column.
        const column = indent + line.text.length - rest.length;
        this.#lines[this.#at] = { indent: column, text: rest, number: line.number };
        items.push(this.#block(column, depth + 1));
      }
      this.#skip();
    }
    return items;
  }

  #mapping(indent: number, depth: number): { [key: string]: YamlValue } {
    const map = new Map<string, YamlValue>();
    for (let line = this.#line(); line && line.indent === indent; line = this.#line()) {
      const found = keyOf(line.text);
      if (!found || isItem(line.text)) break;
      this.#at += 1;
      const value =
        found.rest === '' ? this.#nested(indent, true, depth) : this.#value(found.rest, line, depth);
      map.set(found.key, value);
      this.#skip();
    }
    return Object.fromEntries(map);
  }

  /** The block below a key or a dash; a list may stand at the column of its key. */
  #nested(indent: number, isKey: boolean, depth: number): YamlValue {
    this.#skip();
    const line = this.#line();
    const isDeeper = line !== undefined && line.indent > indent;
    const isList = line !== undefined && isKey && line.indent === indent && isItem(line.text);
    return isDeeper || isList ? this.#block(line.indent, depth + 1) : null;
  }

  #value(text: string, line: Line, depth: number): YamlValue {
    if (/^[|>][-+]?$/.test(text)) return this.#literal(line.indent, text[0] === '|' ? '\n' : ' ');
    const first = text[0];
    if (first !== '"' && first !== "'" && first !== '[' && first !== '{')
      return plain(text.replace(/\s+#.*$/, ''));
    let whole = text;
    let flow = new FlowReader(whole);
    let value = flow.read(depth);
    for (let tries = 0; value === undefined && flow.isOpen && this.#line() && tries < FLOW_TRIES_MAX; ) {
      const next = this.#lines[this.#at++]!.text;
      // A backslash at the end of a line continues a quoted text without a blank.
      whole = whole.endsWith('\\') ? whole.slice(0, -1) + next : `${whole} ${next}`;
      if (whole.length > FLOW_CHARS_MAX) break;
      if (!/["'\]}]/.test(next)) continue;
      tries += 1;
      flow = new FlowReader(whole);
      value = flow.read(depth);
    }
    if (value === undefined) throw fault(this.#subject, line.number, flow.fault);
    return value;
  }

  #literal(indent: number, glue: string): string {
    const parts: string[] = [];
    let base = -1;
    for (let line = this.#line(); line && (line.text === '' || line.indent > indent); line = this.#line()) {
      if (base < 0) base = line.indent;
      parts.push(' '.repeat(Math.max(0, line.indent - base)) + line.text);
      this.#at += 1;
    }
    return parts.join(glue).trimEnd();
  }
}

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

/** `key: rest` of a line; undefined where it is no entry of a mapping. */
function keyOf(text: string): { key: string; rest: string } | undefined {
  const quoted =
    /^"((?:[^"\\]|\\.)*)"\s*:(?:\s+|$)/.exec(text) ?? /^'((?:[^']|'')*)'\s*:(?:\s+|$)/.exec(text);
  if (quoted) return { key: quoted[1]!, rest: text.slice(quoted[0].length) };
  const at = text.search(/:(?:\s|$)/);
  if (at <= 0 || /^["'[{#]/.test(text)) return undefined;
  return { key: text.slice(0, at), rest: text.slice(at + 1).trimStart() };
}

function plain(text: string): string | null {
  return text === '' || text === '~' || text === 'null' ? null : text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  e: '\x1b',
  a: '\x07',
};

/** One flow value: quoted text, `[a, b]`, `{a: b}`. */
class FlowReader {
  readonly #text: string;
  #at = 0;
  /** The text ended before the value did. */
  isOpen = false;
  fault = 'not closed';

  constructor(text: string) {
    this.#text = text;
  }

  /** Undefined where the text is not a whole value; then `isOpen` and `fault` say why. */
  read(depth: number): YamlValue | undefined {
    const value = this.#value(depth);
    if (value === undefined) return undefined;
    const rest = this.#text.slice(this.#at).trim();
    if (rest === '' || rest.startsWith('#')) return value;
    this.fault = `unexpected "${rest.slice(0, 40)}"`;
    return undefined;
  }

  #value(depth: number): YamlValue | undefined {
    if (depth > DEPTH_MAX) return this.#wrong('nested too deeply');
    this.#blank();
    const first = this.#text[this.#at];
    if (first === '"') return this.#double();
    if (first === "'") return this.#single();
    if (first === '[') return this.#list(depth);
    if (first === '{') return this.#map(depth);
    const found = /^(?:[^,[\]{}:]|:(?!\s|$))*/.exec(this.#text.slice(this.#at, this.#at + 4096))![0];
    this.#at += found.length;
    return plain(found.trim());
  }

  #list(depth: number): YamlValue[] | undefined {
    const items: YamlValue[] = [];
    this.#at += 1;
    for (;;) {
      this.#blank();
      if (this.#text[this.#at] === ']') break;
      const item = this.#value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      if (!this.#separator(']')) return undefined;
    }
    this.#at += 1;
    return items;
  }

  #map(depth: number): { [key: string]: YamlValue } | undefined {
    const entries = new Map<string, YamlValue>();
    this.#at += 1;
    for (;;) {
      this.#blank();
      if (this.#text[this.#at] === '}') break;
      const key = this.#value(depth + 1);
      if (key === undefined) return undefined;
      this.#blank();
      if (typeof key !== 'string') return this.#wrong('a key is expected');
      if (this.#text[this.#at] !== ':') return this.#wrong(`no value for ${key.slice(0, 40)}`);
      this.#at += 1;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      entries.set(key, value);
      if (!this.#separator('}')) return undefined;
    }
    this.#at += 1;
    return Object.fromEntries(entries);
  }

  #separator(end: string): boolean {
    this.#blank();
    if (this.#text[this.#at] === ',') this.#at += 1;
    else if (this.#text[this.#at] !== end) return this.#wrong(`"${end}" or "," is expected`) !== undefined;
    return true;
  }

  #double(): string | undefined {
    let value = '';
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const char = this.#text[at]!;
      if (char === '"') {
        this.#at = at + 1;
        return value;
      }
      if (char !== '\\') {
        value += char;
        continue;
      }
      const code = this.#text[++at] ?? '';
      const length = { x: 2, u: 4, U: 8 }[code];
      if (length === undefined) {
        value += ESCAPES[code] ?? code;
        continue;
      }
      const digits = this.#text.slice(at + 1, at + 1 + length);
      const point = /^[0-9a-fA-F]+$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
      if (digits.length < length || !(point <= 0x10ffff)) return this.#wrong(`\\${code} without its digits`);
      value += String.fromCodePoint(point);
      at += length;
    }
    return this.#wrong('a quoted string is not closed');
  }

  #single(): string | undefined {
    const found = /^'((?:[^']|'')*)'/.exec(this.#text.slice(this.#at));
    if (!found) return this.#wrong('a quoted string is not closed');
    this.#at += found[0].length;
    return found[1]!.replaceAll("''", "'");
  }

  #blank(): void {
    while (this.#text[this.#at] === ' ') this.#at += 1;
  }

  #wrong(message: string): undefined {
    this.isOpen = this.#at >= this.#text.length || message.includes('closed');
    this.fault = message;
    return undefined;
  }
}
