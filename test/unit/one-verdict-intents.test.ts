import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type IntentBorders, openIntentBorders } from '../support/verdicts/intent-borders.ts';
import { intentCalls } from '../support/verdicts/intent-calls.ts';

/** Generated intents have one verdict at every border at which they come in; `CALLS` and `SEED` try others. */
const SEED = Number(process.env['SEED'] ?? 1511);
const CALLS = Number(process.env['CALLS'] ?? 300);

let open: IntentBorders;
beforeAll(async () => {
  open = await openIntentBorders();
}, 60_000);
afterAll(() => open?.close());

it(`an intent has one verdict at every border: ${CALLS} calls, seed ${SEED}`, {
  timeout: 1_800_000,
}, async () => {
  const counts = { accepted: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(intentCalls, async (call) => {
      const law = await open.law(call);
      counts[law] += 1;
      for (const border of open.borders) expect(await open.through(border, call), border.name).toBe(law);
    }),
    { seed: SEED, numRuns: CALLS, endOnFailure: true },
  );
  // A generator that is refused always, or never, would prove nothing.
  expect(Math.min(counts.accepted, counts.refused)).toBeGreaterThan(CALLS / 10);
});
