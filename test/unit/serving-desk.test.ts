import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError, LIMITS } from '../../contract/index.ts';
import { Turns } from '../../daemon/execution/serving/turns.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { deafAtFirst, PuppetPolicy, Remembering, see, who } from '../fakes/puppet-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';

async function puppetDesk(more: Parameters<typeof specOf>[2] = {}) {
  const clock = new ManualClock();
  const policy = new PuppetPolicy();
  const rig = await deskOf(clock, [specOf('p', () => policy, more)]);
  /** One turn of everything that waits for promises. */
  const turn = () => clock.advance(0);
  return { ...rig, clock, policy, turn };
}

describe('turns at a policy', () => {
  it('are fair whatever is asked in which order: nobody waits for two of another that came later', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ caller: fc.constantFrom('a', 'b', 'c', 'd'), first: fc.boolean() }), {
          minLength: 1,
          maxLength: 60,
        }),
        (asked) => {
          const turns = new Turns<{ caller: string; first: boolean; at: number }>();
          for (const [at, one] of asked.entries()) turns.push({ ...one, at });
          const order = Array.from({ length: asked.length }, () => turns.shift()!);
          expect(turns.shift()).toBeUndefined();
          expect(new Set(order.map(({ at }) => at)).size).toBe(asked.length);
          // Who is first comes first.
          expect(order.map(({ first }) => first)).toEqual(
            [...order.map(({ first }) => first)].sort((a, b) => +b - +a),
          );
          for (const side of [true, false]) {
            const mine = order.filter(({ first }) => first === side);
            for (const caller of ['a', 'b', 'c', 'd']) {
              const own = mine.filter((one) => one.caller === caller);
              expect(own.map(({ at }) => at)).toEqual([...own.map(({ at }) => at)].sort((x, y) => x - y));
              // Between two turns of one caller nobody else, who waits too, has more than one.
              for (let i = 1; i < own.length; i++) {
                const between = mine.slice(mine.indexOf(own[i - 1]!) + 1, mine.indexOf(own[i]!));
                expect(new Set(between.map((one) => one.caller)).size).toBe(between.length);
              }
            }
          }
        },
      ),
    );
  });
});

describe('who may not have a turn yet', () => {
  it('keeps the place in the line, and the order within it', () => {
    const turns = new Turns<{ caller: string; first: boolean; at: number }>();
    const callers = ['loop', 'a', 'b', 'a', 'b'];
    for (const [at, caller] of callers.entries()) turns.push({ caller, first: caller === 'loop', at });
    const next = (...not: string[]) => turns.shift(({ caller }) => !not.includes(caller))?.at;
    expect([next('loop', 'a'), next('loop', 'a', 'b'), next('a'), next(), next(), next('b'), next()]).toEqual(
      [...[2, undefined, 0, 1, 4, 3, undefined]],
    );
    expect(turns.size).toBe(0);
  });
});

describe('the policy desk', () => {
  it('serves the control loop first and others in turns, whoever asks much', async () => {
    const { desk, policy, turn } = await puppetDesk();
    const [greedy, modest, control] = [
      desk.open(who('greedy')),
      desk.open(who('modest')),
      desk.open(who('loop', 'control')),
    ];
    const asked = [1, 2, 3, 4].map((value) => greedy.infer(see(value), 1_000));
    asked.push(modest.infer(see(50), 1_000), modest.infer(see(51), 1_000), control.infer(see(99), 1_000));
    for (let i = 0; i < asked.length; i++) {
      await turn();
      policy.answer();
    }
    await Promise.all(asked);
    expect(policy.seen).toEqual(['1', '99', '2', '50', '3', '51', '4']);
  });

  it('refuses the ninth question of one caller, and never because of what others ask', async () => {
    const { desk, policy, turn } = await puppetDesk();
    const [greedy, modest] = [desk.open(who('greedy')), desk.open(who('modest'))];
    const asked = Array.from({ length: 8 }, (_, i) => greedy.infer(see(i), 1_000));
    await expect(greedy.infer(see(9), 1_000)).rejects.toMatchObject({
      code: 'cell.overloaded',
      retryable: true,
    });
    const one = modest.infer(see(100), 1_000);
    for (let i = 0; i < 9; i++) {
      await turn();
      policy.answer();
    }
    await Promise.all([...asked, one]);
    expect(policy.seen.indexOf('100')).toBe(2);
  });

  it('lets the greediest give way when all places are taken', async () => {
    const { desk } = await puppetDesk({ queueMax: LIMITS.POLICY_QUEUE_MAX });
    const [greedy, modest] = [desk.open(who('greedy')), desk.open(who('modest'))];
    const asked = Array.from({ length: LIMITS.POLICY_QUEUE_MAX }, (_, i) => greedy.infer(see(i), 1_000));
    const others = Array.from({ length: 3 }, (_, i) => desk.open(who(`o${i}`)).infer(see(i), 1_000));
    for (const work of [...asked, ...others]) work.catch(() => {});
    const one = modest.infer(see(7), 1_000);
    one.catch(() => {});
    await expect(asked.at(-1)).rejects.toMatchObject({ code: 'cell.overloaded' });
    expect(desk.policies()[0]).toMatchObject({ waiting: LIMITS.POLICY_QUEUE_MAX });
    await desk.close();
    await expect(one).rejects.toMatchObject({ code: 'model.unavailable' });
  });

  it('never computes a question whose deadline was over before its turn, and gives the rest of the time', async () => {
    const { desk, policy, clock, turn } = await puppetDesk();
    const session = desk.open(who('a'));
    const first = session.infer(see(1), 1_000);
    const late = session.infer(see(2), 100);
    late.catch(() => {});
    const third = session.infer(see(3), 500);
    await clock.advance(101);
    await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
    policy.answer();
    await first;
    await turn();
    expect(policy.seen).toEqual(['1', '3']);
    expect(policy.open[0]!.deadlineMs).toBeCloseTo(399, 5);
    policy.answer();
    await third;
  });

  it('answers for a deaf policy at the deadline, gives it up and asks a new one', async () => {
    const clock = new ManualClock();
    const made: PuppetPolicy[] = [];
    const { desk } = await deskOf(clock, [
      specOf('p', () => {
        made.push(new PuppetPolicy());
        return made.at(-1)!;
      }),
    ]);
    const session = desk.open(who('a'));
    const deaf = session.infer(see(1), 100);
    deaf.catch(() => {});
    const patient = session.infer(see(2), 10_000);
    await clock.advance(100);
    await expect(deaf).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(300);
    expect(made).toHaveLength(2);
    expect(made[0]!.closed).toBe(1);
    made[1]!.answer();
    expect((await patient).actions.data[0]).toBe(2);
  });

  it('cancels a question that waits and one that is being answered; the next one works', async () => {
    const { desk, policy, turn } = await puppetDesk();
    const session = desk.open(who('a'));
    const [running, waiting] = [new AbortController(), new AbortController()];
    const one = session.infer(see(1), 1_000, { signal: running.signal });
    const two = session.infer(see(2), 1_000, { signal: waiting.signal });
    const three = session.infer(see(3), 1_000);
    waiting.abort();
    running.abort();
    await expect(one).rejects.toMatchObject({ code: 'run.cancelled' });
    await expect(two).rejects.toMatchObject({ code: 'run.cancelled' });
    policy.answer();
    await turn();
    policy.answer();
    await three;
    expect(policy.seen).toEqual(['1', '3']);
  });

  it('gives each session an own memory; a reset of one, or its end, is not noticed by another', async () => {
    const clock = new ManualClock();
    const { desk } = await deskOf(clock, [specOf('p', () => new Remembering())]);
    expect(desk.policies()[0]).toMatchObject({ remembers: true, state: 'ready' });
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    const ask = async (session: typeof a, value: number) =>
      (await session.infer(see(value), 1_000)).actions.data[0];
    expect(await ask(a, 1)).toBe(1);
    expect(await ask(b, 10)).toBe(10);
    expect(await ask(a, 1)).toBe(2);
    await b.reset();
    expect(await ask(a, 1)).toBe(3);
    expect(await ask(b, 10)).toBe(10);
    await b.close();
    expect(await ask(a, 1)).toBe(4);
    // Who comes next finds nothing of who was there.
    expect(await ask(desk.open(who('c')), 5)).toBe(5);
    await a.close();
    expect(await ask(desk.open(who('d')), 6)).toBe(6);
  });

  it('resets a policy that is shared whenever another session has its turn', async () => {
    const policy = new Remembering();
    const { desk } = await deskOf(new ManualClock(), [specOf('p', () => policy, { memory: 'serial' })]);
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    for (const session of [a, a, b, b, a]) await session.infer(see(1), 1_000);
    expect(policy.seen).toEqual(['reset', '1', '1', 'reset', '1', '1', 'reset', '1']);
  });

  it('gives one that is shared up where it does not begin an episode', async () => {
    const clock = new ManualClock();
    const { made, make } = deafAtFirst();
    const { desk } = await deskOf(clock, [specOf('p', make, { memory: 'serial' })]);
    const late = desk.open(who('a')).infer(see(1), 30_000);
    late.catch(() => {});
    const patient = desk.open(who('b')).infer(see(2), 20_000);
    await clock.advance(5_250);
    expect(made).toHaveLength(2);
    await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect((await patient).actions.data[0]).toBe(2);
    expect(made.map(({ closed }) => closed)).toEqual([1, 0]);
  });

  it('takes no memory for that of a session whose episode began too late', async () => {
    const clock = new ManualClock();
    let begin = () => {};
    let slow = false;
    class Slow extends Remembering {
      override async reset(): Promise<void> {
        if (slow)
          await new Promise<void>((resolve) => {
            begin = resolve;
          });
        await super.reset();
      }
    }
    const { desk } = await deskOf(clock, [specOf('p', () => new Slow(), { memory: 'serial' })]);
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    await a.infer(see(1), 1_000);
    slow = true;
    const late = a.reset();
    late.catch(() => {});
    await clock.advance(5_250);
    await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
    slow = false;
    expect((await b.infer(see(10), 1_000)).actions.data[0]).toBe(10);
    begin();
    await clock.advance(0);
    expect((await a.infer(see(1), 1_000)).actions.data[0]).toBe(1);
  });

  it('refuses another network than the pinned one, and takes the pinned one', async () => {
    const clock = new ManualClock();
    const policy = new PuppetPolicy();
    const spec = specOf('p', () => policy, { sha256: 'b'.repeat(64) });
    const { desk, told } = await deskOf(clock, [spec]);
    expect(desk.policies()[0]).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('pins bbb'),
    });
    expect(told.join()).toContain('is not available');
    const session = desk.open(who('a'));
    await expect(session.infer(see(1), 1_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    expect(policy.seen).toEqual([]);
    policy.hash = 'b'.repeat(64);
    policy.auto = true;
    await clock.advance(1_001);
    expect((await session.infer(see(4), 1_000)).policyHash).toBe('b'.repeat(64));
    // It changes its mind in the middle: what it says is not passed on.
    policy.hash = 'c'.repeat(64);
    await expect(session.infer(see(5), 1_000)).rejects.toMatchObject({ code: 'model.failed' });
  });

  it('swaps a policy without failing a question: what runs ends on the old one, what waits gets the new one', async () => {
    const clock = new ManualClock();
    const [old, fresh] = [new PuppetPolicy(), new PuppetPolicy()];
    fresh.hash = 'd'.repeat(64);
    const { desk } = await deskOf(clock, [specOf('p', () => old)]);
    const session = desk.open(who('a'));
    const running = session.infer(see(1), 1_000);
    const waiting = session.infer(see(2), 1_000);
    await clock.advance(0);
    await desk.apply([specOf('p', () => fresh)]);
    expect(old.closed).toBe(0);
    old.answer();
    expect((await running).policyHash).toBe('a'.repeat(64));
    await clock.advance(0);
    fresh.answer();
    expect((await waiting).policyHash).toBe('d'.repeat(64));
    expect(old.closed).toBe(1);
    expect(session.describe().hash).toBe('d'.repeat(64));
  });

  it('keeps the former policy where the new one cannot be had', async () => {
    const clock = new ManualClock();
    const old = new PuppetPolicy();
    old.auto = true;
    const { desk, told } = await deskOf(clock, [specOf('p', () => old)]);
    const session = desk.open(who('a'));
    await desk.apply([specOf('p', () => Promise.reject(new Error('no such file')))]);
    expect(told.join()).toContain('was not replaced: no such file');
    expect((await session.infer(see(1), 1_000)).actions.data[0]).toBe(1);
  });

  it('leaves a policy alone that is configured as before, and tries again what could not be had', async () => {
    const clock = new ManualClock();
    let made = 0;
    let there = false;
    const spec = specOf('p', () => {
      made += 1;
      if (there) return new PuppetPolicy();
      throw new Error('the server is not up');
    });
    const { desk, told } = await deskOf(clock, [spec]);
    expect(desk.policies()[0]).toMatchObject({ state: 'failed', hash: '' });
    there = true;
    await clock.advance(3_100);
    expect(desk.policies()[0]).toMatchObject({ state: 'ready', hash: 'a'.repeat(64) });
    await clock.advance(10_000);
    await desk.apply([spec]);
    expect(made).toBe(2);
    expect(told.filter((line) => line.includes('is not available'))).toHaveLength(1);
    await desk.close();
  });

  it('names the policies there are, and ends sessions of one that is gone', async () => {
    const { desk } = await deskOf(new ManualClock(), [specOf('p', () => new PuppetPolicy())]);
    expect(() => desk.open(who('a'), 'other')).toThrow(
      expect.objectContaining({ code: 'model.not_found', message: expect.stringContaining('configured: p') }),
    );
    const session = desk.open(who('a'));
    const asked = session.infer(see(1), 1_000);
    asked.catch(() => {});
    expect(session.describe()).toMatchObject({ hash: 'a'.repeat(64) });
    await desk.apply([]);
    await expect(asked).rejects.toMatchObject({ code: 'model.unavailable' });
    expect(() => session.describe()).toThrow(expect.objectContaining({ code: 'model.unavailable' }));
    await expect(session.infer(see(1), 1_000)).rejects.toMatchObject({ code: 'model.unavailable' });
  });

  it('has no place for a crowd, but always one for the control loop', async () => {
    const { desk } = await puppetDesk({ sessionsMax: 2 });
    const one = desk.open(who('a'));
    desk.open(who('b'));
    expect(() => desk.open(who('c'))).toThrow(expect.objectContaining({ code: 'cell.overloaded' }));
    desk.open(who('loop', 'control'));
    await one.close();
    await one.close();
    await desk.open(who('d'), 'p').close();
  });

  it('tells how long answers take, and counts failures but no bad observations', async () => {
    const { desk, policy, clock } = await puppetDesk();
    const session = desk.open(who('a'));
    for (const error of [
      new EdgeError('model.bad_observation', { operation: 'o', subject: 's' }),
      new Error('boom'),
    ]) {
      const asked = session.infer(see(1), 1_000);
      asked.catch(() => {});
      await clock.advance(7);
      policy.open.shift()!.reject(error);
      await expect(asked).rejects.toThrow(error.message);
    }
    const good = session.infer(see(1), 1_000);
    await clock.advance(12);
    policy.answer();
    await good;
    expect(desk.policies()[0]).toMatchObject({ calls: 3, failures: 1, p50Ms: 12, p99Ms: 12 });
  });
});
