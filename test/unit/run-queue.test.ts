import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knotted } from '../../daemon/runtime/queue/run-knots.ts';
import {
  type Conditions,
  type QueueRules,
  RunQueue,
  type Share,
  type Waiting,
} from '../../daemon/runtime/queue/run-queue.ts';

const free = (nowMs: number, more: Partial<Conditions> = {}): Conditions => ({
  nowMs,
  held: () => undefined,
  pressure: undefined,
  ...more,
});

function rules(shares: Record<string, Partial<Share>>, more: Partial<QueueRules> = {}): QueueRules {
  return {
    share: (app) => ({ runsMax: 1, queueMax: 8, ...shares[app] }),
    runsMax: 100,
    agingMs: 1_000,
    pressureWaitMs: 5_000,
    ...more,
  };
}

let counter = 0;
function run(app: string, more: Partial<Waiting> = {}): Waiting {
  counter++;
  return {
    runId: `r${String(counter).padStart(6, '0')}`,
    app,
    key: undefined,
    agent: false,
    ancestors: [],
    branch: false,
    priority: 5,
    sinceMs: 0,
    expires: undefined,
    ...more,
  };
}

/** What begins now, one after the other, until nothing may. */
function all(queue: RunQueue, conditions: Conditions): string[] {
  const begun: string[] = [];
  for (let next = queue.take(conditions); next; next = queue.take(conditions)) begun.push(next.runId);
  return begun;
}

describe('which run begins next', () => {
  it('by priority within an application, by age among equals', () => {
    const queue = new RunQueue(rules({}));
    const [old, young, urgent] = [run('a'), run('a', { sinceMs: 5 }), run('a', { priority: 6, sinceMs: 9 })];
    for (const one of [young, urgent, old]) queue.add(one);
    const order: string[] = [];
    for (let i = 0; i < 3; i++) {
      const [next] = all(queue, free(10));
      order.push(next!);
      queue.leave(next!);
    }
    expect(order).toEqual([urgent.runId, old.runId, young.runId]);
  });

  it('by turns among applications: one that floods the queue does not hold up another', () => {
    const queue = new RunQueue(rules({ a: { runsMax: 9 } }, { runsMax: 1 }));
    for (let i = 0; i < 8; i++) queue.add(run('a', { sinceMs: i }));
    const late = run('b', { sinceMs: 100 });
    queue.add(late);
    const [first] = all(queue, free(100));
    queue.leave(first!);
    expect(all(queue, free(100))).toEqual([late.runId]);
  });

  it('an urgent application cannot starve a patient one', () => {
    const queue = new RunQueue(rules({}, { runsMax: 1 }));
    const patient = run('b', { priority: 0 });
    queue.add(patient);
    let waited = 0;
    for (let now = 0; ; now += 100) {
      queue.add(run('a', { priority: 9, sinceMs: now }));
      const [next] = all(queue, free(now));
      queue.leave(next!);
      if (next === patient.runId) break;
      waited = now;
      expect(now).toBeLessThan(20_000);
    }
    // Nine levels of a second each: it was passed over, but not for longer.
    expect(waited).toBeGreaterThan(5_000);
    expect(waited).toBeLessThan(11_000);
  });

  it('refuses what an application may not have waiting, and only that', () => {
    const queue = new RunQueue(rules({ a: { queueMax: 2 } }));
    queue.add(run('a'));
    queue.reserve('a', 0);
    expect(() => queue.reserve('a', 1)).toThrow(/2 runs of a are waiting, at most 2 may/);
    queue.reserve('b', 0);
  });

  it('says what a run waits for', () => {
    const queue = new RunQueue(rules({ c: { runsMax: 2, throttle: { starts: 1, withinMs: 10_000 } } }));
    const holder = run('a', { key: 'arm' });
    queue.add(holder);
    all(queue, free(0));
    const why = (one: Waiting, more: Partial<Conditions> = {}) => {
      queue.add(one);
      return queue.why(one.runId, free(0, more));
    };
    expect(why(run('a'))).toBe('waits: 1 of at most 1 runs of a are running');
    expect(why(run('b', { key: 'arm' }))).toBe(`waits: run ${holder.runId} holds the key arm`);
    expect(why(run('d'), { held: () => 'for a person to resume it' })).toMatch(/resume it/);
    expect(why(run('e', { agent: true }), { pressure: 'load is 9, at most 8' })).toBe(
      'waits: load is 9, at most 8',
    );
    const fresh = run('f');
    expect(why(fresh)).toBe('starts now');
    queue.add(run('c'));
    all(queue, free(0));
    expect(why(run('c'))).toBe('waits: c starts at most 1 runs in 10 s; the next in 10 s');
    const full = new RunQueue(rules({}, { runsMax: 1 }));
    full.enter(run('a'));
    const late = run('g');
    full.add(late);
    expect(full.why(late.runId, free(0))).toBe('waits: 1 runs are running, at most 1 may');
    expect(queue.why('nobody', free(0))).toBeUndefined();
  });

  it('keeps a throttle over a restart, as the log tells of it', () => {
    const queue = new RunQueue(rules({ a: { runsMax: 9, throttle: { starts: 2, withinMs: 1_000 } } }));
    // Starts of a life before this one, in no order.
    queue.began('a', -100, 0);
    queue.began('a', -900, 0);
    queue.began('a', -5_000, 0);
    queue.add(run('a'));
    expect(all(queue, free(0))).toEqual([]);
    expect(all(queue, free(99))).toEqual([]);
    expect(all(queue, free(101))).toHaveLength(1);
  });

  it('holds agents back while models or host are busy, flows never, and the only agent not for ever', () => {
    const queue = new RunQueue(rules({}));
    const [flow, agent, second] = [run('a'), run('b', { agent: true }), run('c', { agent: true })];
    for (const one of [flow, agent, second]) queue.add(one);
    const busy = { pressure: 'too much' };
    expect(all(queue, free(0, busy))).toEqual([flow.runId]);
    expect(all(queue, free(4_999, busy))).toEqual([]);
    expect(all(queue, free(5_000, busy))).toEqual([agent.runId]);
    expect(all(queue, free(50_000, busy))).toEqual([]);
    expect(all(queue, free(50_000))).toEqual([second.runId]);
  });

  it('keeps a key that comes free for the one that waited longest for it', () => {
    const queue = new RunQueue(rules({ b: { runsMax: 9 } }));
    queue.enter(run('a'));
    const starving = run('a', { key: 'arm', priority: 0 });
    const young = run('b', { key: 'arm', priority: 9, sinceMs: 9_500 });
    queue.add(starving);
    queue.add(young);
    expect(queue.why(young.runId, free(10_000))).toMatch(/kept for run/);
    expect(all(queue, free(10_000))).toEqual([]);
    // A run that its people hold keeps nothing from others.
    const held = (runId: string) => (runId === starving.runId ? 'paused' : undefined);
    expect(all(queue, free(10_000, { held }))).toEqual([young.runId]);
  });
});

describe('a run that another one asked for', () => {
  it('runs in the slot and under the key of its ancestors, one at a time', () => {
    const queue = new RunQueue(rules({}, { runsMax: 1 }));
    const parent = run('a', { key: 'arm' });
    queue.add(parent);
    all(queue, free(0));
    const child = run('a', { key: 'arm', ancestors: [parent.runId] });
    const sibling = run('a', { key: 'arm', ancestors: [parent.runId] });
    const stranger = run('b', { key: 'arm' });
    for (const one of [child, sibling, stranger]) queue.add(one);
    expect(all(queue, free(0))).toEqual([child.runId]);
    expect(queue.why(sibling.runId, free(0))).toMatch(/1 of at most 1 runs of a/);
    const grandchild = run('a', { key: 'arm', ancestors: [child.runId, parent.runId] });
    queue.add(grandchild);
    expect(all(queue, free(0))).toEqual([grandchild.runId]);
    queue.leave(grandchild.runId);
    queue.leave(child.runId);
    expect(all(queue, free(0))).toEqual([sibling.runId]);
    queue.leave(sibling.runId);
    queue.leave(parent.runId);
    expect(all(queue, free(0))).toEqual([stranger.runId]);
  });

  it('of another application waits for a slot there', () => {
    const queue = new RunQueue(rules({}));
    const [parent, busy] = [run('a'), run('b')];
    queue.enter(parent);
    queue.enter(busy);
    const child = run('b', { ancestors: [parent.runId] });
    queue.add(child);
    expect(all(queue, free(0))).toEqual([]);
    queue.leave(busy.runId);
    expect(all(queue, free(0))).toEqual([child.runId]);
  });

  it('that waits for itself by way of another tree is found', () => {
    const queue = new RunQueue(rules({}));
    const [first, second] = [run('a'), run('b')];
    queue.enter(first);
    queue.enter(second);
    const toB = run('b', { ancestors: [first.runId] });
    queue.add(toB);
    const parents = new Map<string, string | undefined>([
      [first.runId, undefined],
      [second.runId, undefined],
    ]);
    expect(queue.knot(free(0), parents)).toBeUndefined();
    const toA = run('a', { ancestors: [second.runId] });
    queue.add(toA);
    expect(queue.knot(free(0), parents)).toBe(toA.runId);
    queue.remove(toA.runId);
    expect(queue.knot(free(0), parents)).toBeUndefined();
  });

  it('that waits for a tree which is tied up is not itself the knot', () => {
    const blocked = [
      { runId: 'c1', parent: 'p1', holders: ['p2'], needs: 'one' as const },
      { runId: 'c2', parent: 'p2', holders: ['p1'], needs: 'one' as const },
      { runId: 'c3', parent: 'p3', holders: ['p1'], needs: 'one' as const },
    ];
    const parents = new Map(['p1', 'p2', 'p3'].map((id) => [id, undefined]));
    expect([...knotted(blocked, parents)].sort()).toEqual(['c1', 'c2']);
    // Another holder of the slot that goes on by itself unties it.
    const eased = [{ ...blocked[0]!, holders: ['p2', 'p4'] }, ...blocked.slice(1)];
    expect(knotted(eased, new Map([...parents, ['p4', undefined]]))).toEqual([]);
  });
});

type Step = {
  readonly app: number;
  readonly key: number;
  readonly priority: number;
  readonly gap: number;
  readonly lasts: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  app: fc.nat(2),
  key: fc.nat(3),
  priority: fc.nat(9),
  gap: fc.nat(900),
  lasts: fc.integer({ min: 1, max: 2_000 }),
});
const THROTTLE = { starts: 3, withinMs: 2_000 };
const shares: Record<string, Share> = {
  a0: { runsMax: 1, queueMax: 1_000 },
  a1: { runsMax: 2, queueMax: 1_000 },
  a2: { runsMax: 3, queueMax: 1_000, throttle: THROTTLE },
};

describe('for random arrivals, lengths and restarts', () => {
  it('limits, keys and throttles are kept and every run begins', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.nat(20_000), { maxLength: 4 }),
        (steps, cuts) => {
          const policy = rules(shares, { runsMax: 3, share: (app) => shares[app]! });
          let queue = new RunQueue(policy);
          let now = 0;
          const arrivals = steps.map(({ app, key, priority, gap, lasts }) => {
            now += gap;
            const one = run(`a${app}`, { priority, sinceMs: now, key: key === 0 ? undefined : `k${key}` });
            return { one, at: now, lasts };
          });
          const lasts = new Map(arrivals.map((arrival) => [arrival.one.runId, arrival.lasts]));
          const active = new Map<string, { one: Waiting; until: number }>();
          const waiting = new Map<string, Waiting>();
          const starts: { app: string; at: number }[] = [];
          const pending = [...arrivals];
          const deaths = [...cuts].sort((a, b) => a - b);
          for (now = 0; pending.length > 0 || waiting.size > 0 || active.size > 0; now += 50) {
            expect(now, 'some run never began').toBeLessThan(500_000);
            for (const [id, { until }] of active) {
              if (until > now) continue;
              active.delete(id);
              queue.leave(id);
            }
            if (deaths[0] !== undefined && deaths[0] <= now) {
              deaths.shift();
              queue = new RunQueue(policy);
              for (const { app, at } of starts) queue.began(app, at, now);
              for (const { one } of active.values()) queue.enter(one);
              for (const one of waiting.values()) queue.add(one);
            }
            for (let next = pending[0]; next && next.at <= now; next = pending[0]) {
              pending.shift();
              waiting.set(next.one.runId, next.one);
              queue.add(next.one);
            }
            for (let next = queue.take(free(now)); next; next = queue.take(free(now))) {
              expect(waiting.delete(next.runId)).toBe(true);
              active.set(next.runId, { one: next, until: now + lasts.get(next.runId)! });
              starts.push({ app: next.app, at: now });
            }
            const running = [...active.values()].map(({ one }) => one);
            expect(running.length).toBeLessThanOrEqual(3);
            for (const [app, { runsMax }] of Object.entries(shares))
              expect(running.filter((one) => one.app === app).length).toBeLessThanOrEqual(runsMax);
            const keys = running.flatMap(({ key }) => (key === undefined ? [] : [key]));
            expect(new Set(keys).size).toBe(keys.length);
            const recent = starts.filter(({ app, at }) => app === 'a2' && at > now - THROTTLE.withinMs);
            expect(recent.length).toBeLessThanOrEqual(THROTTLE.starts);
            // Work conserving: nothing waits that could begin.
            expect(queue.startable(free(now))).toBe(0);
          }
          expect(starts).toHaveLength(steps.length);
        },
      ),
      { numRuns: 60, verbose: 1 },
    );
  });

  it('nobody waits for ever, however many more urgent ones come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ app: fc.nat(2), key: fc.nat(2), priority: fc.nat(9), lasts: fc.nat(400) }), {
          minLength: 3,
          maxLength: 20,
        }),
        fc.record({ app: fc.nat(2), key: fc.nat(2) }),
        (flood, victim) => {
          const queue = new RunQueue(rules({ a1: { runsMax: 2 } }, { runsMax: 2 }));
          const keyOf = (key: number) => (key === 0 ? undefined : `k${key}`);
          const poor = run(`a${victim.app}`, { priority: 0, key: keyOf(victim.key) });
          queue.add(poor);
          const active = new Map<string, number>();
          for (let now = 0, i = 0; ; now += 50, i++) {
            expect(now, 'the patient run starved').toBeLessThan(120_000);
            for (const [id, until] of active) {
              if (until > now) continue;
              active.delete(id);
              queue.leave(id);
            }
            // More comes than can ever be served.
            const { app, key, priority } = flood[i % flood.length]!;
            if (queue.size < 200) queue.add(run(`a${app}`, { priority, key: keyOf(key), sinceMs: now }));
            let served = false;
            for (let next = queue.take(free(now)); next; next = queue.take(free(now))) {
              served ||= next.runId === poor.runId;
              active.set(next.runId, now + 50 + flood[i % flood.length]!.lasts);
            }
            if (served) break;
          }
        },
      ),
      { numRuns: 40, verbose: 1 },
    );
  });
});
