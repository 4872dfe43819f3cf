/** Names that servers of models accept. */
const NAME_CHARS_MAX = 64;

/**
 * Names as models see them: `_` for everything but letters, digits, `_` and `-`, cut, and made distinct. Pure; the
 * order of the names decides which of two equal ones gets the number.
 */
export function modelNames(names: readonly string[]): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  for (const name of names) {
    const plain = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, NAME_CHARS_MAX) || 'tool';
    let free = plain;
    for (let n = 2; shown.has(free); n++) {
      const end = `_${n}`;
      free = plain.slice(0, NAME_CHARS_MAX - end.length) + end;
    }
    shown.set(free, name);
  }
  return shown;
}
