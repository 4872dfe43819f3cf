import { describe, expect, it } from 'vitest';
import { BEHAVIOUR } from '../support/tidy/behaviour.ts';
import { filesOf, isSource, readMaybe } from '../support/tidy/files.ts';
import { Parsed } from '../support/tidy/parsed.ts';
import { inspect } from '../support/tidy/rule.ts';

/** The composition root makes parts of each other and does nothing itself: what does something lives in a room. */
const texts = new Map(
  filesOf('daemon/compose')
    .filter(isSource)
    .flatMap((name) => readMaybe(name)),
);

/** By a word: sources that have it, and sources that do not. */
const EXAMPLES: Readonly<
  Record<string, { readonly has: readonly string[]; readonly hasNot: readonly string[] }>
> = {
  class: {
    has: ['class A {}', 'export default class {}', 'const a = class{};'],
    hasNot: ['// class A {}', "const text = 'class A {}';", 'new A();'],
  },
  timer: {
    has: [
      'setTimeout(() => {}, 5);',
      'globalThis.setInterval(() => {}, 5);',
      'const later = setImmediate;',
      "globalThis['setTimeout'](() => {}, 5);",
      "import { setTimeout as later } from 'node:timers/promises';",
    ],
    hasNot: ['clock.after(5);', '// setTimeout(() => {})', "const text = 'setTimeout()';"],
  },
  loop: {
    has: [
      'while (more()) run();',
      'do run(); while (more());',
      'for (;;) run();',
      'for (const i = start(); more(i); ) run();',
      'for (let one of all) run(one);',
      'for (one of all) run(one);',
    ],
    hasNot: ['for (const one of all) run(one);', 'for (const key in all) run(key);', "'while (true)';"],
  },
  generator: {
    has: ['function* a() {}', 'const a = { *b() {} };', 'const a = async function* () {};'],
    hasNot: ['const a = 2 * b;', '/** yield */'],
  },
};
const examples = Object.entries(EXAMPLES).flatMap(([word, { has, hasNot }], i) => [
  ...has.map((source, n) => ({ word, source, seen: true, name: `daemon/compose/has-${i}-${n}.ts` })),
  ...hasNot.map((source, n) => ({ word, source, seen: false, name: `daemon/compose/not-${i}-${n}.ts` })),
]);

const names = [...texts.keys(), ...examples.map(({ name }) => name)];
const parsed = new Parsed(names, new Map(examples.map(({ name, source }) => [name, source])), {
  alone: true,
});
const { behaviour } = inspect(parsed, names, { behaviour: BEHAVIOUR });
parsed.close();

/** Places of the composition that have what the word says. */
const found = (word: string) => behaviour.filter(({ file, what }) => what === word && texts.has(file));

it('has no class', () => {
  expect(found('class')).toEqual([]);
});

it('starts no timer', () => {
  expect(found('timer')).toEqual([]);
});

it('has no loop but one over things that are there', () => {
  expect(found('loop')).toEqual([]);
  expect(found('generator')).toEqual([]);
});

it('stays small', () => {
  const count = [...texts.values()].reduce((sum, text) => sum + text.trimEnd().split('\n').length, 0);
  expect(count).toBeGreaterThan(1_000);
  expect(count).toBeLessThan(6_900);
});

describe.each(Object.keys(EXAMPLES))('a %s', (kind) => {
  it.each(examples.filter(({ word }) => word === kind).map((one) => [one.source, one] as const))(
    'is seen or not in %s',
    (_source, { word, name, seen }) => {
      expect(behaviour.some(({ file, what }) => file === name && what === word)).toBe(seen);
    },
  );
});
