import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Maneuver, MotionResult, NavigateGoal } from '../../contract/index.ts';
import type { Drive, MotionInput } from '../../daemon/execution/navigation/motion.ts';
import {
  MOTION_EVENTS,
  MOTION_STATES,
  MOTION_TABLE,
  type MotionEvent,
  type MotionState,
} from '../../daemon/execution/navigation/motion-table.ts';
import { Navigator } from '../../daemon/execution/navigation/navigator.ts';
import { PathPlanner } from '../../daemon/execution/navigation/path-planner.ts';
import { Slam } from '../../daemon/execution/navigation/slam.ts';

const STEP_NS = 50_000_000n;

/** A navigator with a robot that obeys at once or coasts, without a map. */
class Bench {
  readonly settled: { id: string; result: MotionResult; speed: number }[] = [];
  readonly stops: string[] = [];
  readonly navigator: Navigator;
  now = 1_000n;
  linear = 0;
  angular = 0;
  travelled = 0;
  turned = 0;
  /** Share of the speed lost per step when halted; 1 stops at once. */
  braking = 0.5;
  blocked = false;
  pose: MotionInput['pose'] = { x: 0, y: 0, yaw: 0 };
  starvedMs = 0;
  last: Drive = { kind: 'halt' };

  constructor() {
    const slam = new Slam();
    this.navigator = new Navigator(slam, new PathPlanner(slam.grid, slam.field), (id, result) =>
      this.settled.push({ id, result, speed: Math.abs(this.linear) + Math.abs(this.angular) }),
    );
  }

  step(): void {
    this.now += STEP_NS;
    this.last = this.navigator.step({
      now: this.now,
      pose: this.pose,
      odometry: { x: this.travelled, y: 0, yaw: Math.atan2(Math.sin(this.turned), Math.cos(this.turned)) },
      twist: { linear: this.linear, angular: this.angular },
      distance: Math.abs(this.travelled),
      bumped: false,
      starvedMs: this.starvedMs,
    });
    const wanted = this.last.kind === 'direct' ? this.last.twist : undefined;
    this.linear = wanted ? wanted.linear : this.linear * (1 - this.braking);
    this.angular = wanted ? wanted.angular : this.angular * (1 - this.braking);
    if (this.blocked) this.linear = 0;
    this.travelled += this.linear * 0.05;
    this.turned += this.angular * 0.05;
  }

  steps(count: number): void {
    for (let i = 0; i < count; i++) this.step();
  }

  maneuver(id: string, step: Maneuver): void {
    this.navigator.request({ id, kind: 'maneuver', step });
  }

  navigate(id: string, goal: Partial<NavigateGoal> = {}): void {
    const whole = { pose: { x: 5, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000, ...goal };
    this.navigator.request({ id, kind: 'navigate', goal: whole });
  }

  stop(name: string): void {
    this.navigator.stop(name, () => this.stops.push(name));
  }

  get outcomes(): string[] {
    return this.settled.map(({ id, result }) => `${id} ${result.outcome}`);
  }
}

describe('motion table', () => {
  it('has an entry for every state and event, and only known states follow', () => {
    expect(Object.keys(MOTION_TABLE).sort()).toEqual([...MOTION_STATES].sort());
    for (const state of MOTION_STATES) {
      expect(Object.keys(MOTION_TABLE[state]).sort()).toEqual([...MOTION_EVENTS].sort());
      for (const event of MOTION_EVENTS) expect(MOTION_STATES).toContain(MOTION_TABLE[state][event].next);
    }
  });

  it('leaves a motion only through stopping, and settles only when the robot stands', () => {
    for (const state of MOTION_STATES) {
      for (const event of MOTION_EVENTS) {
        const { next, effects } = MOTION_TABLE[state][event];
        if (effects.includes('end')) expect(next).toBe('stopping');
        if (state === 'moving' && next !== 'moving') expect(effects[0]).toBe('end');
        if (effects.includes('settle')) expect([state, event]).toEqual(['stopping', 'still']);
        if (effects.includes('begin')) expect(next).toBe('moving');
      }
    }
  });

  it('always gets back to idle once the robot stands, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<MotionEvent>(...MOTION_EVENTS)), (events) => {
        let state: MotionState = 'idle';
        for (const event of events) state = MOTION_TABLE[state][event].next;
        state = MOTION_TABLE[MOTION_TABLE[state].stop.next].still.next;
        expect(state).toBe('idle');
      }),
    );
  });
});

describe('motions', () => {
  it('drives, spins and waits as far as asked, and stands when it says so', () => {
    const bench = new Bench();
    bench.maneuver('drive', { kind: 'drive', distance: -0.3 });
    bench.steps(120);
    expect(bench.travelled).toBeGreaterThan(-0.33);
    expect(bench.travelled).toBeLessThan(-0.28);
    bench.maneuver('spin', { kind: 'spin', angle: 7 });
    bench.steps(250);
    expect(bench.turned).toBeGreaterThan(6.9);
    expect(bench.turned).toBeLessThan(7.2);
    bench.maneuver('wait', { kind: 'wait', durationMs: 1_000 });
    bench.steps(40);
    expect(bench.outcomes).toEqual(['drive reached', 'spin reached', 'wait reached']);
    expect(bench.settled.every(({ speed }) => speed < 0.05)).toBe(true);
    expect(bench.settled[2]!.result.durationMs).toBeGreaterThanOrEqual(1_000);
  });

  it('settles only after the robot came to rest', () => {
    const bench = new Bench();
    bench.braking = 0.1;
    bench.maneuver('slow', { kind: 'drive', distance: 0.5 });
    bench.steps(30);
    bench.stop('now');
    let coasting = 0;
    while (bench.settled.length === 0) {
      expect(bench.stops).toEqual([]);
      bench.step();
      expect(bench.last.kind).toBe('halt');
      coasting++;
    }
    expect(coasting).toBeGreaterThan(5);
    expect(bench.settled[0]).toMatchObject({ id: 'slow', result: { outcome: 'stopped', message: 'now' } });
    expect(bench.settled[0]!.speed).toBeLessThan(0.011);
    expect(bench.stops).toEqual(['now']);
  });

  it('lets a new motion pre-empt the old one, which settles first; one that waits may be displaced', () => {
    const bench = new Bench();
    bench.maneuver('first', { kind: 'drive', distance: 2 });
    bench.steps(20);
    bench.maneuver('second', { kind: 'drive', distance: 1 });
    bench.maneuver('third', { kind: 'spin', angle: 0.2 });
    expect(bench.outcomes).toEqual(['second preempted']);
    bench.steps(60);
    expect(bench.outcomes).toEqual(['second preempted', 'first preempted', 'third reached']);
  });

  it('cancels by id: the running one, the waiting one, and nothing else', () => {
    const bench = new Bench();
    bench.maneuver('first', { kind: 'drive', distance: 2 });
    bench.steps(10);
    bench.navigator.cancel('unknown', 'no such motion');
    bench.step();
    expect(bench.last.kind).toBe('direct');
    bench.maneuver('second', { kind: 'spin', angle: 1 });
    bench.navigator.cancel('second', 'changed my mind');
    expect(bench.outcomes).toEqual(['second stopped']);
    bench.steps(30);
    expect(bench.outcomes).toEqual(['second stopped', 'first preempted']);
    bench.maneuver('third', { kind: 'drive', distance: 2 });
    bench.steps(10);
    bench.navigator.cancel('third', 'enough');
    bench.steps(30);
    expect(bench.settled.at(-1)).toMatchObject({
      id: 'third',
      result: { outcome: 'stopped', message: 'enough' },
    });
  });

  it('answers every stop once the robot stands, also when it stood already', () => {
    const bench = new Bench();
    bench.stop('idle');
    bench.steps(3);
    expect(bench.stops).toEqual(['idle']);
    bench.maneuver('drive', { kind: 'drive', distance: 2 });
    bench.steps(10);
    bench.stop('one');
    bench.stop('two');
    bench.steps(30);
    expect(bench.stops).toEqual(['idle', 'one', 'two']);
    expect(bench.outcomes).toEqual(['drive stopped']);
    expect(bench.navigator.state).toBe('idle');
  });

  it('a stop also takes what waits', () => {
    const bench = new Bench();
    bench.maneuver('first', { kind: 'drive', distance: 2 });
    bench.steps(10);
    bench.maneuver('second', { kind: 'drive', distance: 2 });
    bench.stop('all');
    bench.steps(30);
    expect(bench.outcomes.sort()).toEqual(['first preempted', 'second stopped']);
    expect(bench.navigator.state).toBe('idle');
  });

  it('answers in the end even when standing still cannot be seen, and says so', () => {
    const bench = new Bench();
    bench.braking = 0;
    bench.maneuver('drive', { kind: 'drive', distance: 5 });
    bench.steps(20);
    bench.stop('now');
    bench.steps(80);
    expect(bench.settled[0]!.result.message).toContain('not confirmed');
  });

  it('calls a blocked maneuver stuck', () => {
    const bench = new Bench();
    bench.maneuver('drive', { kind: 'drive', distance: 1 });
    bench.steps(10);
    bench.blocked = true;
    bench.steps(100);
    expect(bench.outcomes).toEqual(['drive stuck']);
  });

  it('ends a navigation by timeout, starvation or without a path, each standing', () => {
    const bench = new Bench();
    bench.pose = undefined;
    bench.navigate('timeout', { timeoutMs: 2_000 });
    bench.steps(60);
    bench.navigate('starved');
    bench.steps(2);
    bench.starvedMs = 2_000;
    bench.steps(10);
    bench.starvedMs = 0;
    bench.pose = { x: 500, y: 0, yaw: 0 };
    bench.navigate('nowhere');
    bench.steps(10);
    expect(bench.outcomes).toEqual(['timeout timeout', 'starved starved', 'nowhere no_path']);
    expect(bench.settled[0]!.result.durationMs).toBeGreaterThanOrEqual(2_000);
  });

  it('answers each motion exactly once, in whatever order requests, cancels, stops and time come', () => {
    const action = fc.constantFrom('drive', 'spin', 'stop', 'cancel', 'steps');
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const bench = new Bench();
        const ids: string[] = [];
        for (const what of actions) {
          if (what === 'steps') bench.steps(5);
          else if (what === 'stop') bench.stop(`s${ids.length}`);
          else if (what === 'cancel') bench.navigator.cancel(ids.at(-1) ?? 'none', 'cancel');
          else {
            ids.push(`m${ids.length}`);
            bench.maneuver(
              ids.at(-1)!,
              what === 'drive' ? { kind: 'drive', distance: 0.1 } : { kind: 'spin', angle: -0.5 },
            );
          }
        }
        bench.steps(400);
        expect(bench.settled.map(({ id }) => id).sort()).toEqual([...ids].sort());
        expect(bench.navigator.state).toBe('idle');
      }),
      { numRuns: 60 },
    );
  });
});
