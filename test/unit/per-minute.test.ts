import { expect, it } from 'vitest';
import { PerMinute } from '../../daemon/http/per-minute.ts';

it('each tenant has its own minute, and is told how long the rest of it is', () => {
  let now = 0;
  const asks = new PerMinute({ monotonicMs: () => now }, 2);
  expect([asks.take('acme'), asks.take('acme')]).toEqual([0, 0]);
  now = 20_500;
  expect(asks.take('acme')).toBe(40);
  expect(asks.take('other')).toBe(0);
  now = 60_000;
  expect(asks.take('acme')).toBe(0);
});
