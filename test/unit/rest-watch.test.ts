import { describe, expect, it } from 'vitest';
import { RestWatch } from '../../contract/index.ts';

/** When what moves at `speed` is called standing, milliseconds; -1: never in 3 s. */
function restsAfter(hz: number, speed: number, speeds: (at: number) => readonly number[] = () => []): number {
  const watch = new RestWatch();
  for (let ms = 0; ms < 3_000; ms += 1_000 / hz) {
    watch.observe([(speed * ms) / 1_000], ms, speeds(ms));
    if (watch.rests) return ms;
  }
  return -1;
}

describe('standing still', () => {
  it.each([
    [0.039, 50],
    [0.03, 50],
    [0.019, 10],
    [0.036, 100],
    [0.011, 100],
  ])('is not what creeps at %d m/s, measured at %d Hz', (speed, hz) => {
    expect(restsAfter(hz, speed)).toBe(-1);
    expect(restsAfter(hz, speed, () => [speed])).toBe(-1);
    expect(restsAfter(hz, speed, () => [Number.NaN])).toBe(-1);
  });

  it('is seen by places alone after 400 ms, and after 100 ms where speeds say so too', () => {
    expect(restsAfter(50, 0)).toBe(400);
    expect(restsAfter(50, 0, () => [0])).toBe(100);
    expect(restsAfter(50, 0, (ms) => [ms < 200 ? 0.02 : 0])).toBe(300);
    // The noise of a measured speed keeps nothing from being seen to stand.
    expect(restsAfter(50, 0, () => [0.02])).toBe(400);
  });
});
