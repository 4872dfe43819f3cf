/** Values as JSON has them: lists instead of typed arrays, 64-bit integers as decimal text. */
export function plainValue<T>(value: T): T {
  const walk = (one: unknown): unknown => {
    if (typeof one === 'bigint') return one.toString();
    if (ArrayBuffer.isView(one)) return Array.from(one as unknown as Iterable<unknown>, walk);
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(value) as T;
}
