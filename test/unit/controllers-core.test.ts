import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ControllerCore, type Step } from '../../daemon/execution/controllers/controller-core.ts';
import type { ControllerSpec } from '../../daemon/execution/controllers/controller-spec.ts';
import type { Gated, Measured, StepGate } from '../../daemon/execution/controllers/gate-port.ts';
import { SpeedGate } from '../../daemon/execution/controllers/speed-gate.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';

const PERIOD = 10;
const measured: Measured = { positions: new Float64Array(2), efforts: new Float64Array(2), known: true };

/** Lets everything finite through, and nothing else. */
class OpenGate implements StepGate {
  #last = new Float64Array(2);
  reset(): void {}
  apply(asked: Float64Array): Gated {
    if (!asked.every(Number.isFinite))
      return { applied: this.#last, verdict: 'refused', reason: 'not a number' };
    this.#last = Float64Array.from(asked);
    return { applied: this.#last, verdict: 'passed', reason: '' };
  }
}

type Done = {
  readonly ms: number;
  readonly verdict: Step['verdict'];
  readonly reason: string;
  readonly chunk: number;
  readonly values: number[];
};

/** A controller beside a policy that answers after a while, in virtual time. */
class Bench {
  readonly core: ControllerCore;
  readonly steps: Done[] = [];
  readonly asked: number[] = [];
  readonly prefixes: number[] = [];
  now = 0;
  delayMs = 0;
  alive = true;
  staleFrom = Infinity;
  staleUntil = Infinity;
  hash = 'h';
  stepMs = 20;
  horizon = 50;
  make: (anchorMs: number, i: number) => number = (anchorMs, i) => anchorMs + i * this.stepMs;
  readonly #open: { at: number; id: number; anchorMs: number; ok: boolean }[] = [];

  constructor(over: Partial<ControllerSpec> = {}, gate: StepGate = new OpenGate()) {
    this.core = new ControllerCore(controllerSpec(over), gate, (ms) =>
      ms >= this.staleFrom && ms < this.staleUntil ? 0 : -1,
    );
    this.core.begin();
  }

  run(ms: number): Done[] {
    const from = this.steps.length;
    for (const end = this.now + ms; this.now < end; this.now += PERIOD) {
      for (const one of this.#open.filter(({ at }) => at <= this.now)) {
        this.#open.splice(this.#open.indexOf(one), 1);
        if (one.ok && this.alive) this.#answer(one);
        else this.core.failed(one.id, this.now);
      }
      const step = this.core.step(this.now, measured);
      if (step.done) {
        const { verdict, reason, chunk } = step;
        this.steps.push({ ms: this.now, verdict, reason, chunk, values: [...step.applied] });
      }
      const question = this.core.question(this.now);
      if (!question) continue;
      this.asked.push(this.now);
      this.prefixes.push(question.prefix.length / 2);
      this.#open.push({ at: this.now + this.delayMs, ok: this.alive, ...question });
    }
    return this.steps.slice(from);
  }

  #answer({ id, anchorMs }: { id: number; anchorMs: number }): void {
    const actions = new Float32Array(this.horizon * 2);
    for (let i = 0; i < this.horizon; i++) actions.fill(this.make(anchorMs, i), 2 * i, 2 * i + 2);
    const { stepMs, horizon, hash } = this;
    this.core.answer({ id, stepMs, actions, horizon, dimension: 2, policyHash: hash }, this.now);
  }
}

const SPEEDS = { topic: '/cmd_vel', kind: 'twist', stamped: false, names: ['linear', 'angular'] } as const;
const starved = (steps: readonly Done[]) => steps.filter(({ verdict }) => verdict === 'starved').length;

describe('controller core', () => {
  it('sends nothing before the first chunk, then an action in every step', () => {
    const bench = new Bench();
    bench.delayMs = 40;
    expect(bench.run(40)).toEqual([]);
    const steps = bench.run(2_000);
    expect(steps.length).toBe(200);
    expect(starved(steps)).toBe(0);
    // The action of the slot in which the step is: never one of before.
    for (const { ms, values } of steps) expect(ms - values[0]!).toBeLessThan(20);
  });

  it.each([300, 450])('does not starve behind a path of %i ms once it has begun', (delayMs) => {
    const bench = new Bench();
    bench.delayMs = delayMs;
    const steps = bench.run(20_000);
    expect(starved(steps)).toBe(0);
    expect(steps.length).toBe(2_000 - delayMs / PERIOD);
  });

  it('asks for the next chunk at the threshold, one at a time', () => {
    const bench = new Bench({ horizon: 20, threshold: 0.5 });
    bench.run(1_000);
    // 20 actions of 20 ms; half of it is left after 200 ms.
    expect(bench.asked.slice(0, 4)).toEqual([0, 200, 400, 600]);
  });

  it('asks at every slot for a temporal ensemble', () => {
    const bench = new Bench({ aggregation: 'temporal_ensemble' });
    bench.run(100);
    expect(bench.asked).toEqual([0, 20, 40, 60, 80]);
  });

  it('tells a policy how many actions will be executed before it answers', () => {
    const bench = new Bench();
    bench.delayMs = 100;
    bench.run(3_000);
    expect(bench.prefixes[0]).toBe(0);
    expect(bench.prefixes.at(-1)).toBe(6);
  });

  it('starves as declared within one period when the policy dies, and recovers when it is back', () => {
    const bench = new Bench();
    bench.delayMs = 30;
    bench.run(1_000);
    bench.alive = false;
    const dying = bench.run(2_000);
    const first = dying.findIndex(({ verdict }) => verdict === 'starved');
    // What was queued is executed to its end, and not a step longer.
    expect(dying[first - 1]!.ms - dying[first - 1]!.values[0]!).toBeLessThan(20);
    expect(dying[first]!.ms - dying[first - 1]!.ms).toBe(PERIOD);
    expect(dying.slice(first).every(({ verdict }) => verdict === 'starved')).toBe(true);
    // Hold: exactly where it was.
    expect(new Set(dying.slice(first).map(({ values }) => values[0])).size).toBe(1);
    bench.alive = true;
    const back = bench.run(5_000);
    const again = back.findIndex(({ verdict }) => verdict === 'passed');
    expect(back[again]!.ms - back[0]!.ms).toBeLessThanOrEqual(5_000);
    expect(starved(back.slice(again))).toBe(0);
  });

  it('does not hammer a dead policy', () => {
    const bench = new Bench();
    bench.alive = false;
    bench.run(10_000);
    expect(bench.asked.length).toBeLessThan(20);
  });

  it('asks anew when an answer is lost for good', () => {
    const bench = new Bench({ inferTimeoutMs: 500 });
    bench.delayMs = Infinity;
    bench.run(4_000);
    expect(bench.asked.length).toBeGreaterThanOrEqual(2);
  });

  it('starves at once when an input is stale, names it, and takes no chunk made before', () => {
    const bench = new Bench();
    bench.run(1_000);
    bench.staleFrom = 1_000;
    bench.staleUntil = 1_500;
    const blind = bench.run(500);
    expect(blind.every(({ verdict }) => verdict === 'starved')).toBe(true);
    expect(blind[0]).toMatchObject({ ms: 1_000, reason: 'input observation.state is too old', chunk: 0 });
    expect(bench.asked.every((ms) => ms < 1_000)).toBe(true);
    const seeing = bench.run(500);
    expect(seeing.findIndex(({ verdict }) => verdict === 'passed')).toBeLessThanOrEqual(1);
  });

  it('decelerate: goes on ever slower and stands after the declared time', () => {
    const bench = new Bench({ starvation: 'decelerate', decelerateMs: 200, interpolate: true, horizon: 10 });
    bench.make = (anchorMs, i) => (anchorMs + i * 20) / 1_000;
    bench.run(1_000);
    bench.alive = false;
    const steps = bench.run(1_000).filter(({ verdict }) => verdict === 'starved');
    const rates = steps.slice(1).map(({ values }, i) => (values[0]! - steps[i]!.values[0]!) / 0.01);
    for (const [i, rate] of rates.entries()) expect(rate).toBeLessThanOrEqual((rates[i - 1] ?? 1.01) + 1e-9);
    expect(rates[0]).toBeGreaterThan(0.4);
    expect(rates.slice(22).every((rate) => Math.abs(rate) < 1e-9)).toBe(true);
  });

  it('retract: goes to the declared place at the declared speed, and stays', () => {
    const bench = new Bench({ starvation: 'retract', retract: [-1, 1], retractSpeed: 0.5, horizon: 10 });
    bench.make = () => 0;
    bench.run(1_000);
    bench.alive = false;
    const steps = bench.run(4_000).filter(({ verdict }) => verdict === 'starved');
    expect(steps[0]!.values).toEqual([-0.005, 0.005]);
    expect(steps.at(-1)!.values).toEqual([-1, 1]);
  });

  it('speeds: zero within the limits of the gate when there is nothing to do', () => {
    const gate = new SpeedGate({ most: [0.5, 1], changeMax: [2, 4] });
    const over = { output: { topic: '/cmd_vel', kind: 'twist', stamped: false, names: ['v', 'w'] } } as const;
    const bench = new Bench({ ...over, horizon: 10, state: '' }, gate);
    bench.make = () => 0.375;
    bench.run(1_000);
    expect(bench.steps.at(-1)!.values).toEqual([0.375, 0.375]);
    bench.alive = false;
    const steps = bench.run(1_000).filter(({ verdict }) => verdict === 'starved');
    expect(steps[0]!.values[0]).toBeCloseTo(0.355, 9);
    expect(steps[25]!.values).toEqual([0, 0]);
  });

  it.each([400, 1_500, 60_000])(
    'does not brake by the speed that it had before it was frozen for %i ms',
    (ms) => {
      const gate = new SpeedGate({ most: [1, 1], changeMax: [1, 1] });
      const bench = new Bench({ output: SPEEDS }, gate);
      bench.make = () => 0.8;
      bench.run(2_000);
      expect(bench.steps.at(-1)!.values[0]).toBeCloseTo(0.8, 5);
      bench.now += ms;
      bench.core.brake();
      const after = bench.run(1_000);
      expect(after.map(({ values }) => values)).toEqual([[0, 0]]);
      expect(bench.core.running).toBe(false);
    },
  );

  it('swaps its policy without missing a step', () => {
    const bench = new Bench({ aggregation: 'average' });
    bench.delayMs = 50;
    bench.run(1_000);
    bench.hash = 'new';
    bench.stepMs = 25;
    const steps = bench.run(2_000);
    expect(starved(steps)).toBe(0);
    expect(steps.length).toBe(200);
  });

  it('refuses a chunk of NaN as a whole, and starves when nothing better comes', () => {
    const bench = new Bench({ horizon: 10 });
    bench.run(500);
    bench.make = () => Number.NaN;
    const steps = bench.run(1_000);
    expect(starved(steps)).toBeGreaterThan(50);
    expect(steps.every(({ values }) => values.every(Number.isFinite))).toBe(true);
  });

  it.each([1e30, -1e30, 60])('refuses a chunk that asks for %d as a whole, and starves', (value) => {
    const limits = { most: [10, 10], changeMax: [100, 100] };
    const output = { topic: '/cmd', kind: 'velocities', stamped: false, names: ['a', 'b'] } as const;
    const bench = new Bench({ horizon: 10, output }, new SpeedGate(limits));
    bench.make = () => 5;
    bench.run(500);
    bench.make = () => value;
    const steps = bench.run(1_000);
    expect(starved(steps)).toBeGreaterThan(50);
    expect(Math.max(...steps.flatMap(({ values }) => values))).toBe(5);
    expect(steps.at(-1)!.values).toEqual([0, 0]);
  });

  it('clamps what is outside of its limits by less', () => {
    const limits = { most: [10, 10], changeMax: [100, 100] };
    const output = { topic: '/cmd', kind: 'velocities', stamped: false, names: ['a', 'b'] } as const;
    const bench = new Bench({ output }, new SpeedGate(limits));
    bench.make = () => 15;
    const steps = bench.run(1_000);
    expect(starved(steps)).toBe(0);
    expect(steps.at(-1)).toMatchObject({ verdict: 'limited', values: [10, 10] });
  });

  it.each([
    [300, 1_000],
    [450, 500],
  ])(
    'behind a path of %i ms a policy that dies acts for %i ms after its last observation',
    (delayMs, most) => {
      const bench = new Bench({ horizonMaxMs: most });
      bench.horizon = 200;
      bench.delayMs = delayMs;
      bench.run(5_000);
      bench.alive = false;
      const seen = bench.asked.at(-1)!;
      const acting = bench.run(5_000).filter(({ verdict }) => verdict !== 'starved');
      expect(acting.at(-1)?.ms ?? 0).toBeLessThanOrEqual(seen + most);
    },
  );

  it('a run does not begin with the delays of the one before', () => {
    const bench = new Bench();
    bench.horizon = 200;
    bench.delayMs = 450;
    bench.run(5_000);
    bench.core.end();
    bench.core.begin();
    bench.delayMs = 0;
    bench.run(40);
    bench.alive = false;
    const acting = bench.run(5_000).filter(({ verdict }) => verdict !== 'starved');
    // Twice a path of nothing, half a second, and the steps of rounding.
    expect(acting.length * PERIOD).toBeLessThan(600);
  });

  it('does nothing after its end, and begins anew without what was before', () => {
    const bench = new Bench();
    bench.run(500);
    bench.core.end();
    expect(bench.run(100)).toEqual([]);
    bench.core.begin();
    bench.delayMs = 50;
    expect(bench.run(50)).toEqual([]);
    expect(bench.run(50)[0]).toMatchObject({ chunk: 1 });
  });

  it('never applies an expired action or one that is not finite, however slow, dead or mad the policy is', () => {
    const event = fc.record({
      ms: fc.integer({ min: 1, max: 60 }).map((n) => n * PERIOD),
      delayMs: fc.integer({ min: 0, max: 700 }),
      alive: fc.boolean(),
      mad: fc.boolean(),
      blind: fc.boolean(),
      stepMs: fc.constantFrom(5, 20, 33),
    });
    const spec = fc.record({
      starvation: fc.constantFrom<'hold' | 'decelerate' | 'retract'>('hold', 'decelerate', 'retract'),
      aggregation: fc.constantFrom<'latest_only' | 'temporal_ensemble'>('latest_only', 'temporal_ensemble'),
      horizon: fc.constantFrom(0, 8),
      interpolate: fc.boolean(),
    });
    fc.assert(
      fc.property(spec, fc.array(event, { minLength: 1, maxLength: 12 }), (over, events) => {
        const bench = new Bench({ ...over, retract: [0, 0] });
        for (const { ms, delayMs, alive, mad, blind, stepMs } of events) {
          bench.delayMs = delayMs;
          bench.alive = alive;
          bench.stepMs = stepMs;
          bench.make = mad ? () => Number.NaN : (anchorMs, i) => anchorMs + i * stepMs;
          bench.staleFrom = blind ? bench.now : Infinity;
          bench.staleUntil = Infinity;
          for (const step of bench.run(ms)) {
            expect(step.values.every(Number.isFinite)).toBe(true);
            // The value is the time that it is for: of its own slot, never older.
            if (step.verdict === 'passed' && over.aggregation === 'latest_only')
              expect(step.ms - step.values[0]!).toBeLessThan(33 + 1e-3);
            if (blind) expect(step.verdict).toBe('starved');
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
