import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Beats, gridOf } from '../../adapters/clock/beats.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Times at which each timer fired, milliseconds since the start. */
function rig(startMs = 12_345.6) {
  let blockedMs = 0;
  const nowMs = () => startMs + blockedMs + performance.now() - began;
  const began = performance.now();
  const beats = new Beats(nowMs);
  const fired: Record<string, number[]> = {};
  const every = (name: string, ms: number, act = () => {}) => {
    const times: number[] = [];
    fired[name] = times;
    return beats.add(ms, gridOf(ms)!, () => {
      times.push(Math.round(nowMs()));
      act();
    });
  };
  const block = (ms: number) => {
    blockedMs += ms;
  };
  return { every, block, fired };
}

describe('periodic timers of a thread', () => {
  it('wake it together, whenever each was started', async () => {
    const { every, fired } = rig();
    every('a', 100);
    await vi.advanceTimersByTimeAsync(37);
    every('b', 100);
    await vi.advanceTimersByTimeAsync(21);
    every('c', 250);
    every('d', 1_000);
    await vi.advanceTimersByTimeAsync(4_000);
    const wakes = new Set(Object.values(fired).flat());
    // Of 4 s: ten a second, and two of the four a second beside them.
    expect(wakes.size).toBeLessThanOrEqual(50);
    expect(fired['b']!.every((at) => fired['a']!.includes(at))).toBe(true);
    expect(fired['d']!.every((at) => fired['c']!.includes(at) && fired['a']!.includes(at))).toBe(true);
  });

  it('keep their rate, and the first comes between half a period and one and a half', async () => {
    for (const startMs of [0, 12_301, 12_349.9, 12_350.1, 12_399]) {
      const { every, fired } = rig(startMs);
      const timer = every('a', 100);
      await vi.advanceTimersByTimeAsync(10_000);
      timer.cancel();
      expect(fired['a']!.length).toBeGreaterThanOrEqual(99);
      expect(fired['a']!.length).toBeLessThanOrEqual(100);
      expect(fired['a']![0]! - startMs).toBeGreaterThanOrEqual(48);
      expect(fired['a']![0]! - startMs).toBeLessThanOrEqual(152);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are not made up for after a block, and the one that ends another in this turn keeps it from firing', async () => {
    const { every, block, fired } = rig();
    const [, second] = [every('a', 100, () => second.cancel()), every('b', 100)];
    every('c', 100);
    block(5_000);
    await vi.advanceTimersByTimeAsync(200);
    expect(fired['b']).toEqual([]);
    expect(fired['c']!.length).toBeLessThanOrEqual(2);
  });

  it('that throws fails as a timer does, and the others go on', async () => {
    const { every, fired } = rig();
    const thrown: unknown[] = [];
    // Others of this process use it too, with words of their own.
    vi.spyOn(process, 'nextTick').mockImplementation((act, ...words) => {
      try {
        act(...words);
      } catch (error) {
        thrown.push(error);
      }
    });
    every('a', 100, () => {
      throw new Error('of a');
    });
    every('b', 100);
    await vi.advanceTimersByTimeAsync(1_000);
    vi.restoreAllMocks();
    expect(fired['b']!.length).toBeGreaterThanOrEqual(9);
    expect(thrown.length).toBe(fired['a']!.length);
  });

  it('of a motion, and of a period that no second holds, keep a phase of their own', () => {
    expect([1, 20, 33.3, 50, 99].map(gridOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect([100, 200, 250, 500, 1_000, 2_000, 60_000].map(gridOf)).toEqual([
      100, 200, 250, 500, 1_000, 1_000, 1_000,
    ]);
    expect([150, 8_250].map(gridOf)).toEqual([50, 250]);
    expect(gridOf(437)).toBeUndefined();
  });
});
