import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinStats, PictureStats, vectorStats } from '../../adapters/lerobot-dataset/index.ts';

describe('statistics of features', () => {
  it('are those of the numbers, the deviation that of the population', () => {
    const stats = vectorStats([
      [1, 10],
      [2, 10],
      [3, 10],
      [4, 10],
    ]);
    expect(stats).toMatchObject({ min: [1, 10], max: [4, 10], mean: [2.5, 10], count: 4 });
    expect(stats.std[0]).toBeCloseTo(Math.sqrt(1.25), 12);
    expect(stats.std[1]).toBe(0);
    expect(stats.quantiles).toMatchObject({ q01: [1, 10], q50: [2, 10], q99: [4, 10] });
  });

  it('joined are exact: as of all the numbers at once', () => {
    const rows = fc.array(
      fc.tuple(fc.double({ min: -50, max: 50, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(rows, rows, rows, (a, b, c) => {
        const joined = joinStats([joinStats([vectorStats(a), vectorStats(b)]), vectorStats(c)]);
        const whole = vectorStats([...a, ...b, ...c]);
        expect(joined.count).toBe(whole.count);
        expect(joined.min).toEqual(whole.min);
        expect(joined.max).toEqual(whole.max);
        for (const key of ['mean', 'std'] as const)
          for (const [i, value] of whole[key].entries()) expect(joined[key][i]).toBeCloseTo(value, 6);
      }),
    );
  });

  it('of pictures are by channel in 0..1, and do not wrap around at 255', () => {
    const stats = new PictureStats();
    const picture = new Uint8Array(4 * 4 * 3);
    for (let i = 0; i < 16; i++) picture.set([i < 8 ? 0 : 255, 200, 51], i * 3);
    stats.add(picture, 4, 4);
    stats.add(picture, 4, 4);
    const { min, max, mean, std, count, quantiles } = stats.stats();
    expect([min, max, count]).toEqual([[0, 200 / 255, 0.2], [1, 200 / 255, 0.2], 2]);
    expect(mean[0]).toBeCloseTo(0.5, 12);
    expect(std[0]).toBeCloseTo(0.5, 12);
    expect(std[1]).toBeCloseTo(0, 9);
    expect(quantiles['q10']![0]).toBe(0);
    expect(quantiles['q90']![0]).toBe(1);
  });
});
