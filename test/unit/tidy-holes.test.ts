import { describe, expect, it } from 'vitest';
import { HOLES_OF_CALLS } from '../support/tidy/holes-of-calls.ts';
import { HOLES_OF_LOADS, type RuleName } from '../support/tidy/holes-of-loads.ts';
import { inspectFiles } from '../support/tidy/inspect-files.ts';
import { againstTheArrow } from '../support/tidy/rooms.ts';

/** Each hole that a rule of the house once had is closed, and what only looks like it is accepted. */
const HOLES = { ...HOLES_OF_LOADS, ...HOLES_OF_CALLS };

/** Every case in a file of its own: `a.ts` is `a-cb.ts`. A configuration keeps its name. */
const letters = (count: number) => String(count).replaceAll(/\d/g, (digit) => 'abcdefghij'[Number(digit)]!);
const texts = new Map<string, string>();
const placed = Object.entries(HOLES).flatMap(([hole, { rule, refused, accepted }]) =>
  [...refused.map((one) => [true, ...one] as const), ...accepted.map((one) => [false, ...one] as const)].map(
    ([isRefused, place, source]) => {
      const name = place.replace(/\/([a-z-]+?)((?:-main)?\.[^/]*)$/, `/$1-${letters(texts.size)}$2`);
      texts.set(name, source);
      return { hole, rule, isRefused, place, source, name };
    },
  ),
);
const { imports, found } = inspectFiles([...texts.keys()], texts);
const broken = new Set(againstTheArrow(imports).map((one) => one.split(':')[0]));

function isFound(rule: RuleName, name: string): boolean {
  return rule === 'arrow' ? broken.has(name) : found[rule].some(({ file }) => file === name);
}

describe.each(Object.keys(HOLES))('%s', (hole) => {
  const titled = (refused: boolean) =>
    placed
      .filter((one) => one.hole === hole && one.isRefused === refused)
      .map((one) => [`${one.place}: ${one.source.split('\n').slice(-2).join(' ')}`, one] as const);
  it.each(titled(true))('is seen in %s', (_title, { rule, name }) => {
    expect(isFound(rule, name)).toBe(true);
  });
  it.each(titled(false))('is not seen in %s', (_title, { rule, name }) => {
    expect(isFound(rule, name)).toBe(false);
  });
});
