import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Aggregation } from '../../contract/core.ts';
import { ActionQueue, type QueuedChunk } from '../../daemon/execution/controllers/action-queue.ts';
import { aggregate } from '../../daemon/execution/controllers/aggregation.ts';
import { DelayWindow } from '../../daemon/execution/controllers/delay-window.ts';
import { paceOf } from '../../daemon/execution/controllers/pacing.ts';

const options = {
  dimension: 1,
  aggregation: 'latest_only' as Aggregation,
  ensembleCoefficient: 0.01,
  blend: false,
  interpolate: false,
};

function chunk(over: Partial<QueuedChunk> & { values?: readonly number[] } = {}): QueuedChunk {
  const { values = [0, 1, 2, 3], ...rest } = over;
  return {
    ...{ id: 1, anchorMs: 1_000, stepMs: 20, rows: values.length, policyHash: 'h', delayMs: 0 },
    actions: Float32Array.from(values),
    ...rest,
  };
}

function at(queue: ActionQueue, ms: number): { id: number; value: number } {
  const out = new Float64Array([Number.NaN]);
  const id = queue.at(ms, out);
  return { id, value: out[0]! };
}

describe('action queue', () => {
  it('gives each action in its own slot and never after it', () => {
    const queue = new ActionQueue(options);
    expect(queue.put(chunk(), 1_000)).toBe('taken');
    expect([1_000, 1_019.9, 1_020, 1_045, 1_079.9].map((ms) => at(queue, ms).value)).toEqual([0, 0, 1, 2, 3]);
    expect(at(queue, 1_080).id).toBe(0);
    expect(at(queue, 999).id).toBe(0);
    expect(queue.leftMs(1_030)).toBe(50);
  });

  it('leaves out what is over when a chunk comes late, and refuses one that is over as a whole', () => {
    const queue = new ActionQueue(options);
    expect(queue.put(chunk(), 1_050)).toBe('taken');
    expect(at(queue, 1_050).value).toBe(2);
    expect(new ActionQueue(options).put(chunk(), 1_080)).toBe('late');
  });

  it('keeps the action under way and takes the newer ones after it', () => {
    const queue = new ActionQueue(options);
    queue.put(chunk(), 1_000);
    expect(queue.put(chunk({ id: 2, anchorMs: 1_020, values: [10, 11, 12, 13] }), 1_045)).toBe('taken');
    expect([1_045, 1_060, 1_080, 1_099].map((ms) => at(queue, ms))).toEqual([
      { id: 1, value: 2 },
      { id: 2, value: 12 },
      { id: 2, value: 13 },
      { id: 2, value: 13 },
    ]);
  });

  it('drops a chunk made from an older observation than the queued one', () => {
    const queue = new ActionQueue(options);
    queue.put(chunk({ anchorMs: 1_020 }), 1_020);
    expect(queue.put(chunk({ anchorMs: 1_000 }), 1_030)).toBe('late');
    expect(at(queue, 1_040).value).toBe(1);
  });

  it.each([
    ['latest_only', 10],
    ['weighted_average', 0.3 * 2 + 0.7 * 10],
    ['average', 6],
    ['conservative', 0.7 * 2 + 0.3 * 10],
  ] as const)('%s as LeRobot computes it', (aggregation, expected) => {
    const queue = new ActionQueue({ ...options, aggregation });
    queue.put(chunk({ values: [2, 2, 2] }), 1_000);
    queue.put(chunk({ id: 2, values: [10, 10, 10, 10] }), 1_000);
    expect(at(queue, 1_020).value).toBeCloseTo(expected, 12);
    // No older action for this slot: the newer one as it is.
    expect(at(queue, 1_060).value).toBe(10);
  });

  it('temporal_ensemble is the weighted mean of all predictions for a slot, the oldest first', () => {
    const coefficient = 0.1;
    const queue = new ActionQueue({
      ...options,
      aggregation: 'temporal_ensemble',
      ensembleCoefficient: coefficient,
    });
    const predictions = [1, 5, -2, 8];
    for (const [i, value] of predictions.entries())
      queue.put(chunk({ id: i + 1, values: [0, 0, 0, 0, value], anchorMs: 1_000 }), 1_000);
    const weights = predictions.map((_, i) => Math.exp(-coefficient * i));
    const sum = weights.reduce((a, b) => a + b);
    const mean = predictions.reduce((total, value, i) => total + (value * weights[i]!) / sum, 0);
    expect(at(queue, 1_080).value).toBeCloseTo(mean, 9);
    expect(aggregate('temporal_ensemble', 4, 8, 1, 0)).toBe(6);
  });

  it('fades a late chunk in over as many steps as it was late', () => {
    const queue = new ActionQueue({ ...options, blend: true });
    queue.put(chunk({ values: [0, 0, 0, 0, 0, 0, 0, 0] }), 1_000);
    const values = Array(8).fill(12) as number[];
    queue.put(chunk({ id: 2, values, delayMs: 60 }), 1_000);
    const got = [1_000, 1_020, 1_040, 1_060, 1_080].map((ms) => at(queue, ms).value);
    expect(got).toEqual([0, 3, 6, 9, 12]);
  });

  it('does not average two policies: the newer one takes over, also with other steps', () => {
    const queue = new ActionQueue({ ...options, aggregation: 'average' });
    queue.put(chunk({ values: [2, 2, 2, 2] }), 1_000);
    queue.put(chunk({ id: 2, values: [10, 10, 10, 10], policyHash: 'other' }), 1_000);
    expect(at(queue, 1_020).value).toBe(10);
    queue.put(chunk({ id: 3, anchorMs: 1_020, stepMs: 50, values: [7, 8], policyHash: 'third' }), 1_030);
    expect(at(queue, 1_030)).toEqual({ id: 3, value: 7 });
    expect(at(queue, 1_075)).toEqual({ id: 3, value: 8 });
  });

  it('goes on a line between two positions where the controller is faster than the policy', () => {
    const queue = new ActionQueue({ ...options, interpolate: true });
    queue.put(chunk({ values: [0, 1] }), 1_000);
    expect(at(queue, 1_005).value).toBeCloseTo(0.25, 9);
    expect(at(queue, 1_035).value).toBe(1);
  });

  it('tells what will be executed next, for policies that take it as a prefix', () => {
    const queue = new ActionQueue(options);
    queue.put(chunk(), 1_000);
    expect([...queue.ahead(1_025, 2)]).toEqual([1, 2]);
    expect([...queue.ahead(1_025, 9)]).toEqual([1, 2, 3]);
    expect([...queue.ahead(2_000, 9)]).toEqual([]);
  });

  it.each([
    ['a value that is no number', { values: [0, Number.NaN] }, 'not_finite'],
    ['an infinite one', { values: [0, Infinity] }, 'not_finite'],
    ['fewer numbers than it says', { rows: 9 }, 'misshapen'],
    ['no rows', { rows: 0 }, 'misshapen'],
    ['steps of no length', { stepMs: 0 }, 'misshapen'],
    ['an observation of the future', { anchorMs: 1_500 }, 'early'],
  ] as const)('refuses %s', (_, over, expected) => {
    const queue = new ActionQueue(options);
    expect(queue.put(chunk(over), 1_000)).toBe(expected);
    expect(at(queue, 1_000).id).toBe(0);
  });

  it('never gives out an expired action or one that is not finite, whatever comes when', () => {
    const put = fc.record({
      wait: fc.integer({ min: 0, max: 300 }),
      behind: fc.integer({ min: 0, max: 400 }),
      stepMs: fc.constantFrom(5, 20, 33, 50),
      values: fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.double({ min: -9, max: 9, noNaN: true }) },
          { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity) },
        ),
        { minLength: 1, maxLength: 12 },
      ),
      hash: fc.constantFrom('a', 'b'),
    });
    const how = fc.constantFrom<Aggregation>(
      'weighted_average',
      'latest_only',
      'average',
      'conservative',
      'temporal_ensemble',
    );
    fc.assert(
      fc.property(
        how,
        fc.boolean(),
        fc.boolean(),
        fc.array(put, { maxLength: 20 }),
        (aggregation, blend, interpolate, puts) => {
          const queue = new ActionQueue({ ...options, aggregation, blend, interpolate });
          let now = 1_000;
          const ends = new Map<number, number>();
          for (const [i, { wait, behind, stepMs, values, hash }] of puts.entries()) {
            now += wait;
            const anchorMs = now - behind;
            const taken = queue.put(
              chunk({ id: i + 1, anchorMs, stepMs, values, policyHash: hash, delayMs: behind }),
              now,
            );
            if (taken === 'taken') ends.set(i + 1, anchorMs + values.length * stepMs + stepMs);
            for (const ms of [now, now + 7, now + 111]) {
              const { id, value } = at(queue, ms);
              if (id === 0) continue;
              expect(Number.isFinite(value)).toBe(true);
              expect(Math.abs(value)).toBeLessThanOrEqual(9.001);
              // Within a step: observations of one slot share its begin.
              expect(ms).toBeLessThan(ends.get(id)!);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('delay window', () => {
  it('is not ruled by one outlier, and by two of them it is', () => {
    const window = new DelayWindow();
    for (let i = 0; i < 50; i++) window.add(30 + (i % 5), i * 100);
    const calm = window.quantile(0.99, 5_000)!;
    window.add(4_000, 5_000);
    expect(window.quantile(0.99, 5_000)).toBe(calm);
    window.add(4_000, 5_100);
    expect(window.quantile(0.99, 5_100)).toBe(4_000);
  });

  it('forgets: what was slow for a while does not count for ever', () => {
    const window = new DelayWindow();
    for (let i = 0; i < 20; i++) window.add(900, i * 100);
    for (let i = 0; i < 100; i++) window.add(20, 2_000 + i * 1_500);
    expect(window.quantile(0.99, 152_000)).toBe(20);
  });

  it('takes no nonsense, and knows nothing before the first', () => {
    const window = new DelayWindow();
    window.add(Number.NaN, 0);
    window.add(-5, 0);
    expect(window.quantile(0.99, 0)).toBeUndefined();
    window.add(7, 0);
    expect(window.quantile(0.99, 1e12)).toBe(7);
  });
});

describe('pace', () => {
  const path = { periodMs: 10, stepMs: 20, horizon: 100, p99Ms: 30 };

  it('asks when the share of LeRobot is left, and earlier where the path is longer than that', () => {
    const quick = paceOf(path, { threshold: 0.5, horizon: 20, horizonMaxMs: 2_000 });
    expect(quick).toMatchObject({ horizon: 20, refillMs: 200 });
    const slow = paceOf({ ...path, p99Ms: 300 }, { threshold: 0.5, horizon: 20, horizonMaxMs: 2_000 });
    expect(slow.refillMs).toBe(400);
    const longer = paceOf({ ...path, p99Ms: 300 }, { threshold: 0.1, horizon: 50, horizonMaxMs: 2_000 });
    expect(longer.refillMs).toBeCloseTo(1.25 * 300 + 40, 6);
  });

  it('takes as much of a chunk as the measured path needs, all of it before anything is measured', () => {
    expect(
      paceOf({ ...path, p99Ms: undefined }, { threshold: 0.5, horizon: 0, horizonMaxMs: 2_000 }).horizon,
    ).toBe(100);
    expect(paceOf(path, { threshold: 0.5, horizon: 0, horizonMaxMs: 2_000 }).horizon).toBe(30);
    expect(paceOf({ ...path, p99Ms: 300 }, { threshold: 0.5, horizon: 0, horizonMaxMs: 2_000 }).horizon).toBe(
      57,
    );
    expect(
      paceOf({ ...path, p99Ms: 5_000 }, { threshold: 0.5, horizon: 0, horizonMaxMs: 2_000 }).horizon,
    ).toBe(100);
  });

  it('takes no more than may be used after an observation, however long the path and whatever is asked for', () => {
    for (const horizon of [0, 100])
      for (const p99Ms of [undefined, 30, 5_000])
        expect(
          paceOf({ ...path, p99Ms }, { threshold: 0.5, horizon, horizonMaxMs: 500 }).horizon,
        ).toBeLessThanOrEqual(25);
  });

  it('holds what will be executed before the answer is there', () => {
    expect(paceOf({ ...path, p99Ms: 300 }, { threshold: 0.5, horizon: 0, horizonMaxMs: 2_000 }).prefix).toBe(
      16,
    );
  });
});
