import { expect, it } from 'vitest';
import { PerMinute } from '../../contract/index.ts';

it('each name has its own last minute, and hears how long it waits for a place in it', () => {
  let now = 0;
  const asks = new PerMinute({ monotonicMs: () => now });
  const take = (name: string, max = 2) => asks.take(name, max);
  expect(take('acme')).toBe(0);
  now = 20_500;
  expect([take('acme'), take('acme'), take('other')]).toEqual([0, 40, 0]);
  now = 59_900;
  expect(take('acme')).toBe(1);
  // What was refused does not count; the one of 20.5 s still does.
  now = 60_000;
  expect([take('acme'), take('acme')]).toEqual([0, 21]);
  // Fewer are allowed now.
  expect(take('acme', 1)).toBe(60);
});
