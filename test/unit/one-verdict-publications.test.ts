import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPublicationBorders, type PublicationBorders } from '../support/verdicts/publication-borders.ts';
import { publications } from '../support/verdicts/publications.ts';

/** Generated commands have one verdict wherever a client publishes them; `CALLS` and `SEED` try others. */
const SEED = Number(process.env['SEED'] ?? 1512);
const CALLS = Number(process.env['CALLS'] ?? 300);

let open: PublicationBorders;
beforeAll(async () => {
  open = await openPublicationBorders();
}, 60_000);
afterAll(() => open?.close());

it(`a command has one verdict at every border: ${CALLS} calls, seed ${SEED}`, {
  timeout: 1_800_000,
}, async () => {
  const counts: Record<string, { passed: number; refused: number }> = {};
  await fc.assert(
    fc.asyncProperty(publications, async (call) => {
      for (const { name, by, send } of open.borders) {
        const found = await send(call);
        if (found === undefined) continue;
        expect(found, `${name}: ${JSON.stringify(call)}`).toBe(await open.law(call, by));
        counts[name] ??= { passed: 0, refused: 0 };
        counts[name][found] += 1;
      }
    }),
    { seed: SEED, numRuns: CALLS, endOnFailure: true },
  );
  if (process.env['CALLS'] !== undefined) process.stdout.write(`${JSON.stringify(counts)}\n`);
  // A generator that is refused always, or never, would prove nothing.
  for (const { passed, refused } of Object.values(counts)) {
    expect(passed).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  }
  expect(Object.keys(counts)).toHaveLength(open.borders.length);
});
