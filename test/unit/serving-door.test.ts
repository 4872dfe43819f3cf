import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { PuppetPolicy, Remembering, see, who } from '../fakes/puppet-policy.ts';
import { deskOf, specOf } from '../support/desk.ts';

describe('the door for callers that never say goodbye', () => {
  it('keeps the memory of a caller while it comes again, by its session, and forgets it when it stays away', async () => {
    const clock = new ManualClock();
    const { door } = await deskOf(clock, [specOf('p', () => new Remembering())]);
    const ask = async (id: string, value: number, session?: string, reset = false) =>
      (
        await door.infer(who(id), {
          observation: see(value),
          ...{ deadlineMs: 1_000, policy: undefined, prefix: undefined, call: undefined, session, reset },
        })
      ).actions.data[0];
    expect(await ask('a', 1)).toBe(1);
    expect(await ask('a', 1)).toBe(2);
    expect(await ask('a', 1, 'other')).toBe(1);
    expect(await ask('b', 5)).toBe(5);
    expect(await ask('a', 1, undefined, true)).toBe(1);
    await clock.advance(LIMITS.POLICY_CALLER_IDLE_MS + 20_000);
    expect(await ask('a', 1)).toBe(1);
    door.close();
  });

  it('finds a place for a newcomer where the others are idle', async () => {
    const clock = new ManualClock();
    const policy = new PuppetPolicy();
    policy.auto = true;
    const { door, desk } = await deskOf(clock, [specOf('p', () => policy, { sessionsMax: 2 })]);
    const request = { observation: see(1), deadlineMs: 1_000, policy: undefined, prefix: undefined };
    for (let i = 0; i < 20; i++) {
      await door.infer(who(`caller-${i}`), { ...request, call: undefined, session: undefined, reset: false });
    }
    expect(desk.policies()[0]).toMatchObject({ calls: 20, sessions: 2 });
    door.close();
  });

  it('can end a question whose name was used before, also while the former one is ending', async () => {
    const clock = new ManualClock();
    const policy = new PuppetPolicy();
    const { door } = await deskOf(clock, [specOf('p', () => policy)]);
    const ask = () => {
      const asked = door.infer(who('a'), {
        observation: see(1),
        ...{ deadlineMs: 1_000, policy: undefined, prefix: undefined, call: 'mine' },
        ...{ session: undefined, reset: false },
      });
      asked.catch(() => {});
      return asked;
    };
    const first = ask();
    await clock.advance(0);
    expect(door.cancel('mine')).toBe(true);
    const second = ask();
    await expect(first).rejects.toMatchObject({ code: 'run.cancelled' });
    await clock.advance(0);
    expect(door.cancel('mine')).toBe(true);
    await expect(second).rejects.toMatchObject({ code: 'run.cancelled' });
    door.close();
  });

  it('answers by the deadline also where beginning anew takes for ever', async () => {
    const clock = new ManualClock();
    const policy = new Remembering();
    const { door } = await deskOf(clock, [specOf('p', () => policy)]);
    const ask = (reset: boolean) =>
      door.infer(who('a'), {
        observation: see(1),
        ...{
          deadlineMs: 100,
          policy: undefined,
          prefix: undefined,
          call: undefined,
          session: undefined,
          reset,
        },
      });
    await ask(false);
    policy.reset = () => new Promise(() => {});
    const asked = ask(true);
    asked.catch(() => {});
    await clock.advance(1);
    await clock.advance(100);
    await expect(asked).rejects.toMatchObject({ code: 'deadline.exceeded' });
    door.close();
  });
});
