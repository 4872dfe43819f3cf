/**
 * Edits TOML source and keeps its comments and its order. Works on lines, so the caller parses the result again and
 * compares: what a light scan cannot edit, such as inline lists of tables, is refused there. Pure.
 */
export type TomlValue = string | number | boolean | readonly string[];
export type TomlKeys = Readonly<Record<string, TomlValue>>;

/** Lines of one table: its comment, its header, its keys; the end is excluded. */
type Block = { readonly start: number; readonly header: number; readonly end: number };

/** Adds a row to a list of tables: the first of them, or the last. */
export function addRow(source: string, table: string, keys: TomlKeys, first: boolean): string {
  const lines = source.split('\n');
  const blocks = blocksOf(lines, table, true);
  const row = [`[[${table}]]`, ...linesOf(keys)];
  const at = first ? blocks[0]?.start : blocks.at(-1)?.end;
  if (at === undefined) return joined([source, row.join('\n')]);
  return joined([lines.slice(0, at).join('\n'), row.join('\n'), lines.slice(at).join('\n')]);
}

export function removeRow(source: string, table: string, row: number): string {
  const lines = source.split('\n');
  const block = blocksOf(lines, table, true)[row];
  return block ? without(lines, block) : source;
}

/** The row becomes the first of its list, with its comment. */
export function moveRowFirst(source: string, table: string, row: number): string {
  const lines = source.split('\n');
  const blocks = blocksOf(lines, table, true);
  const [first, block] = [blocks[0], blocks[row]];
  if (!first || !block || row === 0) return source;
  const part = (from: number, to?: number) => lines.slice(from, to).join('\n');
  const rest = joined([part(first.start, block.start), part(block.end)]);
  return joined([part(0, first.start), part(block.start, block.end), rest]);
}

/** Sets keys of one table and leaves its other keys; the table is made where it is missing. */
export function setKeys(source: string, table: string, keys: TomlKeys): string {
  return setTexts(
    source,
    table,
    Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, textOf(value)])),
  );
}

/** The same with values as they are written in TOML, each in one line. */
export function setTexts(source: string, table: string, texts: Readonly<Record<string, string>>): string {
  const lines = source.split('\n');
  const block = blocksOf(lines, table, false)[0];
  const written = Object.entries(texts).map(([key, text]) => `${key} = ${text}`);
  if (!block) return joined([source, [`[${table}]`, ...written].join('\n')]);
  const missing: string[] = [];
  for (const [key, text] of Object.entries(texts)) {
    const at = lineOf(lines, block, key);
    if (at < 0) missing.push(`${key} = ${text}`);
    else lines[at] = `${key} = ${text}${/\s+#[^"'\]]*$/.exec(lines[at]!)?.[0] ?? ''}`;
  }
  lines.splice(block.header + 1, 0, ...missing);
  return lines.join('\n');
}

/** Without a key that stands in a line of its own. */
export function removeKey(source: string, table: string, key: string): string {
  const lines = source.split('\n');
  const block = blocksOf(lines, table, false)[0];
  const at = block ? lineOf(lines, block, key) : -1;
  return at < 0 ? source : [...lines.slice(0, at), ...lines.slice(at + 1)].join('\n');
}

function lineOf(lines: readonly string[], { header, end }: Block, key: string): number {
  const own = new RegExp(`^\\s*${key}\\s*=`);
  return lines.findIndex((line, index) => index > header && index < end && own.test(line));
}

export function removeTable(source: string, table: string): string {
  const lines = source.split('\n');
  const block = blocksOf(lines, table, false)[0];
  return block ? without(lines, block) : source;
}

function blocksOf(lines: readonly string[], table: string, list: boolean): Block[] {
  const own = new RegExp(list ? `^\\s*\\[\\[\\s*${table}\\s*\\]\\]` : `^\\s*\\[\\s*${table}\\s*\\](?!\\])`);
  const headers = lines.flatMap((line, index) => (HEADER.test(line) ? [index] : []));
  return headers.flatMap((header, at) => {
    if (!own.test(lines[header]!)) return [];
    const next = headers[at + 1];
    const end = next === undefined ? lines.length : startOf(lines, next);
    return [{ start: startOf(lines, header), header, end }];
  });
}

const HEADER = /^\s*\[{1,2}\s*[A-Za-z0-9_"'.\s-]+\]{1,2}\s*(#.*)?$/;

/** A comment right above a header belongs to it. */
function startOf(lines: readonly string[], header: number): number {
  let start = header;
  while (start > 0 && /^\s*#/.test(lines[start - 1]!)) start -= 1;
  return start;
}

function without(lines: readonly string[], { start, end }: Block): string {
  return joined([lines.slice(0, start).join('\n'), lines.slice(end).join('\n')]);
}

/** Parts with one empty line between them, and a newline at the end. */
function joined(parts: readonly string[]): string {
  const full = parts.map((part) => part.replace(/^\n+|\s+$/g, '')).filter((part) => part !== '');
  return full.length === 0 ? '' : `${full.join('\n\n')}\n`;
}

function linesOf(keys: TomlKeys): string[] {
  return Object.entries(keys).map(([key, value]) => `${key} = ${textOf(value)}`);
}

function textOf(value: TomlValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one) => JSON.stringify(one)).join(', ')}]`;
  return String(value);
}
