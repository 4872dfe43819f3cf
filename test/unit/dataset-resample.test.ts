import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOffsetNs, planFrames, type Track } from '../../adapters/lerobot-dataset/index.ts';

const MS = 1_000_000n;
const track = (times: readonly number[], maxAgeMs = 200, isAction = false): Track => ({
  times: times.map((t) => BigInt(Math.round(t * 1e6))),
  maxAgeMs,
  isAction,
});
const every = (ms: number, from: number, to: number) =>
  Array.from({ length: Math.floor((to - from) / ms) + 1 }, (_, i) => from + i * ms);

describe('asynchronous inputs on one grid', () => {
  it('gives each frame the newest measurement at or before it, and the command that answers it', () => {
    const { frames, dropped } = planFrames(
      {
        state: track(every(10, 0, 500)),
        camera: track(every(50, 20, 480)),
        action: track(every(50, 25, 480), 1_000, true),
      },
      { fps: 20, slopMs: 0 },
    );
    expect(dropped).toEqual([]);
    expect(frames[0]).toEqual({ time: 20n * MS, pick: { state: 2, camera: 0, action: 0 } });
    expect(frames[3]).toEqual({ time: 170n * MS, pick: { state: 17, camera: 3, action: 3 } });
    expect(frames).toHaveLength(10);
  });

  it('leaves out frames whose input is older than it may be, and tells how many and why', () => {
    const times = [...every(50, 0, 500), ...every(50, 900, 1_500)];
    const { frames, dropped } = planFrames(
      { state: track(every(10, 0, 1_500)), camera: track(times, 120) },
      { fps: 20, slopMs: 0 },
    );
    // 500 ms is the last picture: 550 and 600 may use it, 650 to 850 may not.
    expect(frames.some(({ time }) => time === 600n * MS)).toBe(true);
    expect(frames.some(({ time }) => time === 650n * MS)).toBe(false);
    expect(dropped).toEqual([{ from: 650n * MS, to: 850n * MS, frames: 5, track: 'camera', ageMs: 350 }]);
  });

  it('begins when all inputs are there and has no frame before the first command', () => {
    const { frames } = planFrames(
      { state: track(every(10, 0, 1_000)), action: track(every(50, 300, 1_000), 1_000, true) },
      { fps: 20, slopMs: 0 },
    );
    expect(frames[0]!.time).toBe(300n * MS);
  });

  it('takes a measurement that is late by less than the slop, and none that is later', () => {
    const late = (by: number) =>
      planFrames(
        {
          state: track(every(50, 0, 500)),
          camera: track(every(50, 0, 500).map((t, i) => (i === 4 ? t + by : t))),
        },
        { fps: 20, slopMs: 5 },
      ).frames[4]!.pick['camera'];
    expect(late(4)).toBe(4);
    expect(late(6)).toBe(3);
  });

  it('is empty where an input never came', () => {
    expect(planFrames({ state: track([]), camera: track([1]) }, { fps: 20, slopMs: 0 }).frames).toEqual([]);
  });

  it('refuses a span of more frames than an episode has, at once', () => {
    // The clock was set: from 1970 to now.
    const times = [...every(50, 0, 500), ...every(50, 1_790_000_000_000, 1_790_000_001_000)];
    const began = performance.now();
    expect(() => planFrames({ state: track(times) }, { fps: 20, slopMs: 0 }, 'run-3')).toThrow(
      'run-3: 1790000001 s at 20 fps exceed the limit of 180000 frames per episode',
    );
    expect(performance.now() - began).toBeLessThan(1_000);
    const long = track([0, 8_999_950], 9_000_000);
    expect(planFrames({ state: long }, { fps: 20, slopMs: 5 }).frames).toHaveLength(180_000);
  });

  it('never uses what was not measured yet nor what is too old, and accounts for every frame of the grid', () => {
    const rising = fc
      .array(fc.integer({ min: 1, max: 180 }), { minLength: 1, maxLength: 60 })
      .map((steps) => {
        let time = 0;
        return steps.map((step) => (time += step));
      });
    fc.assert(
      fc.property(rising, rising, rising, fc.integer({ min: 1, max: 50 }), (a, b, c, fps) => {
        const tracks = { a: track(a, 100), b: track(b, 150), act: track(c, 300, true) };
        const { frames, dropped } = planFrames(tracks, { fps, slopMs: 0 });
        const period = frameOffsetNs(1, fps) + 1n;
        for (const { time, pick } of frames)
          for (const [name, { times, maxAgeMs, isAction }] of Object.entries(tracks)) {
            const at = times[pick[name]!]!;
            expect(at).toBeLessThan(isAction ? time + period : time + 1n);
            expect(Number(time - at) / 1e6).toBeLessThanOrEqual(maxAgeMs);
            const next = times[pick[name]! + 1];
            if (!isAction && next !== undefined) expect(next).toBeGreaterThan(time);
          }
        const begin = BigInt(Math.max(a[0]!, b[0]!)) * MS;
        const end = BigInt(Math.min(a.at(-1)!, b.at(-1)!)) * MS;
        let grid = 0;
        let early = 0;
        for (let k = 0; begin + frameOffsetNs(k, fps) <= end; k++) {
          grid += 1;
          if (tracks.act.times[0]! >= begin + frameOffsetNs(k + 1, fps)) early += 1;
        }
        const left = dropped.reduce((sum, span) => sum + span.frames, 0);
        expect(frames.length + left).toBe(grid - early);
      }),
    );
  });
});
