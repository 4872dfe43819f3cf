import fc from 'fast-check';
import type { IntentCall } from './intent-borders.ts';

/** Values at the edges of every range, beyond them, and of other types. */
const odd = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(0, -0, 0.3, 0.300001, 0.5, 0.500001, 50, 50.001, 100, 100.001, -50, -100),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e30, -1e308, 2 ** 53, 5e-324),
  },
  { weight: 2, arbitrary: fc.constantFrom('1', '', null, true, [], {}, [1], 'map') },
);
const number = (min: number, max: number) =>
  fc.oneof({ weight: 14, arbitrary: fc.double({ min, max, noNaN: true }) }, { weight: 2, arbitrary: odd });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const mostly = (values: readonly unknown[]) =>
  fc.oneof({ weight: 19, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: odd });
const place = fc.record({ x: number(-9, 9), y: number(-9, 9) });

/** Without keys that are absent. */
const present = (made: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));

const fields = fc
  .record({
    x: number(-60, 60),
    y: maybe(number(-60, 60)),
    speed: maybe(number(0.01, 0.4)),
    frame: mostly(['map', 'map', 'map', 'map', 'map', 'map', 'odom', 'base_link', 'moon']),
    part: maybe(mostly(['base', 'base', 'arm', 'arm', 'gripper', 'tail'])),
    legs: maybe(
      fc.oneof({ weight: 6, arbitrary: fc.array(place, { maxLength: 3 }) }, { weight: 1, arbitrary: odd }),
    ),
    // A key that the application does not know.
    haste: fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: odd }),
  })
  .map(present);

/** Calls: valid, at the edge, not numbers, too far, too fast, in the wrong frame, of the wrong type, of an unknown part. */
export const intentCalls: fc.Arbitrary<IntentCall> = fc.record({
  type: fc.oneof(
    { weight: 30, arbitrary: fc.constant<unknown>('drive/to') },
    { weight: 1, arbitrary: fc.constantFrom<unknown>('drive/away', '', 'drive', 'x'.repeat(200), 7, null) },
  ),
  params: fc.oneof(
    { weight: 20, arbitrary: fields as fc.Arbitrary<unknown> },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(undefined, null, 'x', 3, [], {}) },
  ),
});
