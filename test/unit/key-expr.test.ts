import fc from 'fast-check';
import { expect, it } from 'vitest';
import { intersects, isKey, keyExprFault } from '../../adapters/zenoh/key-expr.ts';

const chunk = fc.constantFrom('a', 'b', 'ab', 'abc', '*', '**', 'a$*', '$*b', 'a$*c', '@x');
const expr = fc
  .array(chunk, { minLength: 1, maxLength: 5 })
  .map((chunks) => chunks.join('/'))
  .filter((text) => keyExprFault(text) === undefined);
const key = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'abc', '@x'), { minLength: 1, maxLength: 5 })
  .map((c) => c.join('/'));

it('intersection is symmetric, reflexive, and `**` meets everything without @', () => {
  fc.assert(
    fc.property(expr, expr, (a, b) => {
      expect(intersects(a, b)).toBe(intersects(b, a));
      expect(intersects(a, a)).toBe(true);
      if (!a.includes('@')) expect(intersects(a, '**')).toBe(true);
    }),
  );
});

it('agrees with a regular expression for keys', () => {
  const toRegExp = (text: string) =>
    new RegExp(
      `^${`/${text}`
        .replaceAll('/**', '(?:/_)DOUBLE')
        .replaceAll('$*', '[^/]STAR')
        .replaceAll('/*', '/[^/@][^/]STAR')
        .replaceAll('(?:/_)DOUBLE', '(?:/[^/@][^/]*)*')
        .replaceAll('STAR', '*')}$`,
    );
  fc.assert(
    fc.property(expr, key, (a, k) => {
      expect(isKey(k)).toBe(true);
      expect(intersects(a, k)).toBe(toRegExp(a).test(`/${k}`));
    }),
    { numRuns: 2_000 },
  );
});

it('names the fault of what is no key expression', () => {
  for (const bad of [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'a?b',
    'a#',
    'a*',
    '$*',
    '**/**',
    '**/*',
    'a/$*$*b',
    '$a',
  ]) {
    expect(keyExprFault(bad), bad).toBeTypeOf('string');
  }
  for (const good of ['a', 'a/*', 'a/**/b', 'a$*b/c', '*/**', '@ros2_lv/0/%', 'ä/ö']) {
    expect(keyExprFault(good), good).toBeUndefined();
  }
});
