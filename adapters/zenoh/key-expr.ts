/**
 * Key expressions as Zenoh defines them, in pure TypeScript: for fakes, routes and checks of configuration.
 * `*` is one chunk, `**` any number of chunks, `$*` any characters within a chunk.
 */

/** `undefined` when valid (canonical form included), else what is wrong with it. */
export function keyExprFault(expr: string): string | undefined {
  if (expr === '') return 'is empty';
  const chunks = expr.split('/');
  for (const [i, chunk] of chunks.entries()) {
    if (chunk === '') return 'has an empty chunk, or a slash at its start or end';
    if (/[#?]/.test(chunk)) return `has a forbidden character in '${chunk}'`;
    if (chunk === '*' || chunk === '**') {
      if (chunks[i - 1] === '**') return `is not canonical: '**/${chunk}'`;
      continue;
    }
    if (chunk.includes('$') && /\$(?!\*)/.test(chunk)) return `has a '$' without '*' in '${chunk}'`;
    if (chunk.includes('$*$*')) return "is not canonical: '$*$*'";
    if (chunk === '$*') return "is not canonical: '$*' as a whole chunk, write '*'";
    if (chunk.replaceAll('$*', '').includes('*')) return `has a '*' inside the chunk '${chunk}', write '$*'`;
  }
  return undefined;
}

/** True for a key: no wildcard in it. */
export function isKey(expr: string): boolean {
  return !expr.includes('*');
}

/** True when at least one key matches both. Both must be valid. */
export function intersects(a: string, b: string): boolean {
  return a === b || chunksMeet(a.split('/'), 0, b.split('/'), 0);
}

function chunksMeet(a: readonly string[], i: number, b: readonly string[], j: number): boolean {
  const x = a[i];
  const y = b[j];
  if (x === undefined && y === undefined) return true;
  if (x === '**') {
    // It takes no chunk here, or one more of the other side.
    return chunksMeet(a, i + 1, b, j) || (y !== undefined && !verbatim(y) && chunksMeet(a, i, b, j + 1));
  }
  if (y === '**')
    return chunksMeet(a, i, b, j + 1) || (x !== undefined && !verbatim(x) && chunksMeet(a, i + 1, b, j));
  if (x === undefined || y === undefined) return false;
  return chunkMeets(x, y) && chunksMeet(a, i + 1, b, j + 1);
}

/** Chunks that start with `@` are met by no wildcard: so Zenoh hides its administration space. */
function verbatim(chunk: string): boolean {
  return chunk.startsWith('@');
}

function chunkMeets(x: string, y: string): boolean {
  if (x === y) return true;
  if (verbatim(x) || verbatim(y)) return false;
  if (x === '*' || y === '*') return true;
  return x.includes('$*') || y.includes('$*') ? charsMeet(tokens(x), 0, tokens(y), 0) : false;
}

/** Characters of a chunk, `$*` as one token. */
function tokens(chunk: string): readonly string[] {
  return chunk.match(/\$\*|[\s\S]/g) ?? [];
}

function charsMeet(a: readonly string[], i: number, b: readonly string[], j: number): boolean {
  const x = a[i];
  const y = b[j];
  if (x === undefined && y === undefined) return true;
  if (x === '$*') return charsMeet(a, i + 1, b, j) || (y !== undefined && charsMeet(a, i, b, j + 1));
  if (y === '$*') return charsMeet(a, i, b, j + 1) || (x !== undefined && charsMeet(a, i + 1, b, j));
  return x !== undefined && x === y && charsMeet(a, i + 1, b, j + 1);
}
