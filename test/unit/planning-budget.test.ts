import { describe, expect, it } from 'vitest';
import type { RunContext } from '../../contract/index.ts';
import { checkedAsk } from '../../daemon/runtime/planning/plan-ask.ts';
import { type MakerParts, PlanMaker } from '../../daemon/runtime/planning/plan-maker.ts';
import { VisitCounter } from '../support/visit-counter.ts';

const fork = (to: number) => ({ anyOf: [{ $ref: `#/$defs/d${to}` }, { $ref: `#/$defs/d${to}` }] });
const $defs = Object.fromEntries(
  Array.from({ length: 10 }, (_, i) => [`d${i}`, i === 9 ? { type: 'null' } : fork(i + 1)]),
);
const askOf = (params: unknown, count: number) => ({
  ...{ goal: 'light', dry_run: true },
  subgoals: Array.from({ length: count }, (_, i) => ({ name: `lamp.s${i}`, description: '', params })),
});

/** Counted by visits of parts, not by time. */
describe('the work that subgoals of a stranger may ask for', () => {
  it('is one budget for all of them, near the size that is taken', () => {
    const visits = new VisitCounter();
    const ask = askOf({ ...fork(0), $defs }, 32);
    const checked = () => checkedAsk({ ...ask, subgoals: visits.of(ask.subgoals) });
    expect(checked).toThrow('the plan unfolds to more than 1024 parts');
    expect(visits.count).toBeLessThan(4_000);
  });

  it('is not done where the ask is refused anyway', () => {
    const ask = { ...askOf({ $ref: '#/nowhere' }, 1), dry_run: false };
    expect(() => checkedAsk(ask)).toThrow('only of a plan that is not carried out');
  });

  it('is done once for a run, however often its plans and steps ask', () => {
    const visits = new VisitCounter();
    const point = { type: 'object', properties: { x: { type: 'number' } } };
    const params = visits.of(askOf({ properties: { a: { $ref: '#/$defs/p' } }, $defs: { p: point } }, 2));
    const maker = new PlanMaker({} as MakerParts);
    const context = { intent: { params } } as unknown as RunContext;
    const offered = maker.offered(context, {});
    expect(offered.map((one) => one.params)).toEqual([
      ...[{ properties: { a: point } }, { properties: { a: point } }],
    ]);
    const { count } = visits;
    expect(count).toBeGreaterThan(0);
    expect(maker.offered(context, {})).toEqual(offered);
    expect(visits.count).toBe(count);
  });
});
