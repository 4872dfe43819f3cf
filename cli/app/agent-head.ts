/** The head of a markdown file as other agents have it: texts and lists of texts. */
export type Head = Readonly<Record<string, string | readonly string[]>>;
export type Split = { readonly head: Head; readonly body: string };

const KEY = /^([A-Za-z][A-Za-z0-9_-]{0,63}):(?:\s+(.*)|\s*)$/;

/** Whether a markdown file starts with a head: others beside agents (a README) do not. */
export function hasHead(text: string): boolean {
  return /^\uFEFF?---[ \t]*\r?\n/.test(text);
}

/**
 * Head and body of such a file. Written by hand, many heads are no YAML (a description with colons and quotes on one
 * line), so a line that starts with a key is that key, and all below it belongs to it until the next. Never throws.
 */
export function splitHead(text: string): Split {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines[0]?.trim() !== '---') return { head: {}, body: text.trim() };
  const end = lines.findIndex((line, index) => index > 0 && line.trim() === '---');
  if (end < 0) return { head: {}, body: lines.slice(1).join('\n').trim() };
  const found: [string, string[]][] = [];
  for (const line of lines.slice(1, end)) {
    const [, key, first = ''] = KEY.exec(line) ?? [];
    if (key !== undefined) found.push([key, [first]]);
    else found.at(-1)?.[1].push(line);
  }
  const head = Object.fromEntries(found.map(([key, rows]) => [key, headValue(rows)]));
  return {
    head,
    body: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
  };
}

function headValue([first = '', ...below]: readonly string[]): string | readonly string[] {
  const start = first.trim();
  if (/^[|>][+-]?$/.test(start)) return folded(below, start.startsWith('>'));
  const items = below.map((row) => row.trim()).filter((row) => row !== '');
  if (start === '' && items.length > 0 && items.every((row) => row.startsWith('- ')))
    return items.map((row) => unquoted(row.slice(2).trim()));
  // Tools as a map of switches: those that are on.
  const switches = items.map((row) => /^(\S+):\s*(true|false)$/.exec(row));
  if (start === '' && items.length > 0 && switches.every((one) => one !== null))
    return switches.flatMap(([, name = '', on]) => (on === 'true' ? unquoted(name) : []));
  if (start.startsWith('[') && start.endsWith(']'))
    return start
      .slice(1, -1)
      .split(',')
      .map((one) => unquoted(one.trim()))
      .filter((one) => one !== '');
  return unquoted([start, ...items].join(' ').trim());
}

function folded(rows: readonly string[], isFolded: boolean): string {
  const indent = Math.min(
    ...rows.filter((row) => row.trim() !== '').map((row) => row.length - row.trimStart().length),
  );
  return rows
    .map((row) => row.slice(Number.isFinite(indent) ? indent : 0))
    .join(isFolded ? ' ' : '\n')
    .trim();
}

function unquoted(text: string): string {
  const quote = text[0];
  const inner =
    (quote === '"' || quote === "'") && text.length > 1 && text.endsWith(quote) ? text.slice(1, -1) : text;
  return inner.replaceAll('\\n', '\n').replaceAll('\\"', '"');
}

/** A list however it is written: `a, b`, `[a, b]` or one a line. */
export function listOf(value: Head[string] | undefined): readonly string[] {
  if (value === undefined) return [];
  if (typeof value !== 'string') return value;
  // `Bash(git *, npm *)` is one entry.
  return (value.match(/[^,\s(]+(?:\([^)]*\))?/g) ?? []).map((one) => one.trim());
}
