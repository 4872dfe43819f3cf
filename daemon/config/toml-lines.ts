/**
 * Finds the line of a key in TOML source, for error messages. A light scan that knows tables, dotted keys and
 * comments; it never decides what the value is (the parser does), only where a person has to look.
 */
export function lineOfKey(source: string, path: readonly string[]): number | undefined {
  let table: string[] = [];
  let best: { line: number; depth: number } | undefined;
  const lines = source.split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[{1,2}([^\]]+)\]/.exec(line);
    if (header) {
      table = splitKey(header[1]!);
      best = closer(best, table, path, index + 1);
      continue;
    }
    const key =
      /^((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=/.exec(line);
    if (key) best = closer(best, [...table, ...splitKey(key[1]!)], path, index + 1);
  }
  return best?.line;
}

function splitKey(text: string): string[] {
  return (text.match(/"[^"]*"|'[^']*'|[^.\s]+/g) ?? []).map((part) => part.replace(/^["']|["']$/g, ''));
}

/** The longest matching prefix of the wanted path wins; on a tie the first line does. */
function closer(
  best: { line: number; depth: number } | undefined,
  found: readonly string[],
  path: readonly string[],
  line: number,
) {
  if (found.length > path.length || !found.every((part, i) => part === path[i])) return best;
  return best && best.depth >= found.length ? best : { line, depth: found.length };
}

/** The line of a key in the `row`-th `[[table]]`, or of that header when the key is not there. */
export function lineOfRowKey(source: string, table: string, row: number, key: string): number | undefined {
  const lines = source.split('\n');
  const starts = lines.flatMap((line, index) =>
    new RegExp(`^\\s*\\[\\[\\s*${table}\\s*\\]\\]`).test(line) ? [index] : [],
  );
  const start = starts[row];
  // An inline list of tables has no headers: the line of the list.
  if (start === undefined) return lineOfKey(source, [table]);
  for (let i = start + 1; i < lines.length && !/^\s*\[/.test(lines[i]!); i++) {
    const name = /^\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=/.exec(lines[i]!);
    if (name && key !== '' && (name[1] ?? name[2] ?? name[3]) === key) return i + 1;
  }
  return start + 1;
}
