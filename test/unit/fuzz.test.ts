import { describe, expect, it } from 'vitest';
import { caseOf, findingOf, prepare, TARGETS } from '../../bench/fuzz/cases.ts';
import { Random } from '../../bench/fuzz/random.ts';
import type { Target } from '../../bench/fuzz/target.ts';

/** A share of `npm run fuzz`: a new seed each time, printed by a failure. A million is run by hand. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const SHARE_MS = 1_000;
const CASE_MS_MAX = 10_000;

describe(`mutated input, seed ${SEED}`, () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))(
    '%s: taken, or refused with a typed error',
    { timeout: 60_000 },
    async (_name, target) => {
      await prepare();
      const begun = performance.now();
      for (let index = 0; performance.now() - begun < SHARE_MS; index++) {
        const started = performance.now();
        const finding = await findingOf(caseOf(SEED, index, [target]));
        const again = `npm run fuzz -- --only ${target.name} --seed ${SEED} --cases ${index + 1}`;
        expect(finding, again).toBeUndefined();
        expect(performance.now() - started, again).toBeLessThan(CASE_MS_MAX);
      }
    },
  );
});

describe('the harness', () => {
  it('makes the same case of the same number', () => {
    for (const index of [0, 17, 4242]) expect(caseOf(7, index)).toEqual(caseOf(7, index));
    expect(new Random(1, 2).next()).not.toBe(new Random(1, 3).next());
  });

  it('finds what throws anything else', async () => {
    const broken: Target = {
      name: 'broken',
      weight: 1,
      make: (random) => random.bytes(4),
      run: (input) => new DataView(input.buffer).getUint8(4),
    };
    expect(await findingOf(caseOf(1, 0, [broken]))).toContain('RangeError');
  });
});
