/** Both ends are inclusive. */
export type ByteRange = { readonly first: number; readonly last: number };

const ONE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * The part of a file of `size` bytes that a Range header asks for (RFC 9110, 14.2). Undefined: all of it, which is also
 * right for several ranges and for other units; `outside`: the file has no such byte.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'outside' | undefined {
  const [, from, to] = ONE.exec(header?.trim() ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') {
    const tail = Math.min(Number(to), size);
    return tail === 0 ? 'outside' : { first: size - tail, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first < size ? { first, last } : 'outside';
}
