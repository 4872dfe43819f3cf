import { describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.ts';
import { deafAtFirst, PuppetPolicy, Remembering, see, who } from '../fakes/puppet-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';

function puppet(letter: string): PuppetPolicy {
  const policy = new PuppetPolicy();
  policy.hash = letter.repeat(64);
  policy.auto = true;
  return policy;
}

/** A promise, and how it is fulfilled. */
function later<T>() {
  let give: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

describe('a policy in the place of another', () => {
  it('leaves the question that runs to the network that was pinned when it began', async () => {
    const clock = new ManualClock();
    const [a, b] = [puppet('a'), puppet('b')];
    a.auto = false;
    const { desk } = await deskOf(clock, [specOf('p', () => a, { sha256: a.hash })]);
    const running = desk.open(who('x')).infer(see(1), 1_000);
    await clock.advance(0);
    await desk.apply([specOf('p', () => b, { sha256: b.hash })]);
    a.answer();
    expect((await running).policyHash).toBe(a.hash);
  });

  it('is the one that was configured last, however long another takes to come', async () => {
    const clock = new ManualClock();
    const slow = later<PuppetPolicy>();
    const [b, c] = [puppet('b'), puppet('c')];
    const { desk } = await deskOf(clock, [specOf('p', () => puppet('a'))]);
    const first = desk.apply([specOf('p', () => slow.promise)]);
    await desk.apply([specOf('p', () => c)]);
    slow.give(b);
    await first;
    expect(desk.policies()[0]!.hash).toBe(c.hash);
    expect([b.closed, c.closed]).toEqual([1, 0]);
  });

  it('is made as a whole before, with the time that its kind takes; the first one need not be', async () => {
    const clock = new ManualClock();
    const made: (boolean | undefined)[] = [];
    const slow = later<PuppetPolicy>();
    const [a, b] = [puppet('a'), puppet('b')];
    const make = (policy: PuppetPolicy | Promise<PuppetPolicy>) => async (whole?: boolean) => {
      made.push(whole);
      return policy;
    };
    const { desk } = await deskOf(clock, [specOf('p', () => a, { make: make(a) })]);
    const swapped = desk.apply([specOf('p', () => b, { make: make(slow.promise), loadMs: 300_000 })]);
    await clock.advance(200_000);
    slow.give(b);
    await swapped;
    expect(desk.policies()[0]!.hash).toBe(b.hash);
    expect(made).toEqual([false, true]);
  });

  it('does not come after all when its row was taken back meanwhile', async () => {
    const clock = new ManualClock();
    const slow = later<PuppetPolicy>();
    const b = puppet('b');
    const a = specOf('p', () => puppet('a'));
    const { desk } = await deskOf(clock, [a]);
    const bad = desk.apply([specOf('p', () => slow.promise)]);
    await desk.apply([a]);
    slow.give(b);
    await bad;
    expect(desk.policies()[0]!.hash).toBe('a'.repeat(64));
    expect(b.closed).toBe(1);
  });

  it('that is another than the pinned one ends no question of the one that goes', async () => {
    const clock = new ManualClock();
    const a = puppet('a');
    a.auto = false;
    const { desk } = await deskOf(clock, [specOf('p', () => a)]);
    const running = desk.open(who('x')).infer(see(1), 1_000);
    await clock.advance(0);
    await desk.apply([specOf('p', () => puppet('b'))]);
    await desk.apply([specOf('p', () => puppet('c'), { sha256: 'd'.repeat(64) })]);
    expect(a.closed).toBe(0);
    a.answer();
    await running;
    await clock.advance(0);
    expect(a.closed).toBe(1);
  });
});

describe('sessions of a policy that is slow to come', () => {
  it('make it once, however often they ask meanwhile, and leave none behind', async () => {
    const clock = new ManualClock();
    const made: Remembering[] = [];
    const gate = later<void>();
    const make = async () => {
      made.push(new Remembering());
      const mine = made.at(-1)!;
      if (made.length > 1) await gate.promise;
      return mine;
    };
    const { desk } = await deskOf(clock, [specOf('p', make)]);
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    await a.infer(see(1), 1_000);
    for (let i = 0; i < 3; i++) {
      const late = b.infer(see(1), 100);
      late.catch(() => {});
      await clock.advance(100);
      await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
    }
    gate.give();
    await clock.advance(0);
    expect((await b.infer(see(1), 1_000)).actions.data[0]).toBe(1);
    expect(made).toHaveLength(2);
    await desk.close();
    expect(made.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  it('never share one, not even while it is being reset for the first', async () => {
    const clock = new ManualClock();
    const gate = later<void>();
    let resets = 0;
    class Slow extends Remembering {
      override async reset(): Promise<void> {
        if (resets++ === 0) await gate.promise;
        await super.reset();
      }
    }
    const { desk } = await deskOf(clock, [specOf('p', () => new Slow())]);
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    const late = a.infer(see(1), 100);
    late.catch(() => {});
    await clock.advance(100);
    await b.infer(see(10), 1_000);
    gate.give();
    await clock.advance(0);
    const sums = [a, b, a, b].map(async (session) => (await session.infer(see(1), 1_000)).actions.data[0]);
    expect(await Promise.all(sums)).toEqual([1, 11, 2, 12]);
  });

  it('hold nobody up while theirs is made, and have their answers in order', async () => {
    const clock = new ManualClock();
    const gate = later<void>();
    let made = 0;
    const make = async () => {
      made += 1;
      if (made > 1) await gate.promise;
      return new Remembering();
    };
    const { desk } = await deskOf(clock, [specOf('p', make)]);
    const [loop, stranger] = [desk.open(who('loop', 'control')), desk.open(who('s'))];
    await loop.infer(see(1), 50);
    const slow = [1, 2, 3].map((value) => stranger.infer(see(value), 30_000));
    await clock.advance(0);
    const quick = loop.infer(see(1), 50);
    quick.catch(() => {});
    await clock.advance(0);
    await clock.advance(50);
    expect((await quick).actions.data[0]).toBe(2);
    gate.give();
    const sums = (await Promise.all(slow)).map(({ actions }) => actions.data[0]);
    expect(sums).toEqual([1, 3, 6]);
    expect(made).toBe(2);
  });

  it('go on with what they have of their own while that of another is made anew', async () => {
    const clock = new ManualClock();
    let made = 0;
    class Odd extends Remembering {
      override infer(...args: Parameters<Remembering['infer']>) {
        return args[0].stamp === 99n ? new Promise<never>(() => {}) : super.infer(...args);
      }
    }
    const make = async () => {
      made += 1;
      return made > 2 ? new Promise<never>(() => {}) : new Odd();
    };
    const { desk } = await deskOf(clock, [specOf('p', make)]);
    const [stranger, loop] = [desk.open(who('s')), desk.open(who('loop', 'control'))];
    await stranger.infer(see(1), 50);
    await loop.infer(see(1), 50);
    const deaf = stranger.infer(see(99), 50);
    deaf.catch(() => {});
    await clock.advance(300);
    const lost = stranger.infer(see(1), 20_000);
    lost.catch(() => {});
    await clock.advance(0);
    const quick = loop.infer(see(1), 50);
    quick.catch(() => {});
    await clock.advance(0);
    await clock.advance(50);
    expect((await quick).actions.data[0]).toBe(2);
    await desk.close();
  });

  it('begin anew when they ask for it, also while the first instance is gone', async () => {
    const clock = new ManualClock();
    let deaf = false;
    class Odd extends Remembering {
      override infer(...args: Parameters<Remembering['infer']>) {
        return deaf ? new Promise<never>(() => {}) : super.infer(...args);
      }
    }
    const { desk } = await deskOf(clock, [specOf('p', () => new Odd())]);
    const [a, b] = [desk.open(who('a')), desk.open(who('b'))];
    await a.infer(see(1), 1_000);
    await b.infer(see(1), 1_000);
    deaf = true;
    const late = a.infer(see(1), 100);
    late.catch(() => {});
    await clock.advance(400);
    deaf = false;
    await b.reset();
    expect((await b.infer(see(5), 1_000)).actions.data[0]).toBe(5);
  });

  it('are served by a new one where it never begins an episode', async () => {
    const clock = new ManualClock();
    const { made, make } = deafAtFirst();
    const { desk } = await deskOf(clock, [specOf('p', make)]);
    const session = desk.open(who('a'));
    const late = session.infer(see(1), 100);
    late.catch(() => {});
    await clock.advance(100);
    await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(60_000);
    expect((await session.infer(see(1), 1_000)).actions.data[0]).toBe(1);
    await clock.advance(0);
    expect(made[0]!.closed).toBe(1);
  });
});
