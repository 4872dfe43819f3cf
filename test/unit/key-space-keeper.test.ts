import { describe, expect, it } from 'vitest';
import { EdgeError, type KeySpace } from '../../contract/core.ts';
import { KeySpaceKeeper, type KeySpaceUser } from '../../daemon/execution/key-space-keeper.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';

type Opens = (made: MemoryKeySpace) => Promise<KeySpace>;

function rig(users: readonly KeySpaceUser[] = [], open: Opens = async (made) => made, isAsked = true) {
  const clock = new ManualClock();
  const fabric = new MemoryFabric();
  const faults: string[] = [];
  const opened: MemoryKeySpace[] = [];
  const keeper = new KeySpaceKeeper({
    clock,
    driver: () => 'fake',
    isAsked: () => isAsked,
    users,
    open: () => {
      const made = new MemoryKeySpace(clock, fabric);
      opened.push(made);
      return open(made);
    },
    onFault: ({ code, message }) => void faults.push(`${code} ${message}`),
  });
  return { clock, keeper, faults, opened };
}

const failure = (code: 'zenoh.failed' | 'zenoh.closed' | 'zenoh.unavailable', message = 'no') =>
  new EdgeError(code, { operation: 'open', subject: 'zenoh', message });

describe('the keeper of the key space', () => {
  it('opens a lost session again, and declares everybody in the new one', async () => {
    const attached: KeySpace[] = [];
    let detached = 0;
    const user = {
      name: 'user',
      attach: async (keySpace: KeySpace) => void attached.push(keySpace),
      detach: () => void detached++,
    };
    const { clock, keeper, faults, opened } = rig([user]);
    await keeper.start();
    expect(keeper.status()).toEqual({ driver: 'fake', connected: true, reason: '' });
    await clock.advance(60_000);
    const [first] = opened;
    await keeper.reopen(first!, 'deaf');
    // Told twice by two routes: one new session.
    await keeper.reopen(first!, 'deaf');
    await clock.advance(1);
    expect(attached).toEqual(opened);
    expect([opened.length, detached]).toEqual([2, 1]);
    expect(keeper.keySpace()).toBe(opened[1]);
    expect(faults).toEqual(['zenoh.closed deaf']);
    await expect(first!.put('a', new Uint8Array(1))).rejects.toMatchObject({ code: 'zenoh.closed' });
  });

  it('a host without a driver lacks nothing where nothing asks for Zenoh', async () => {
    const fails = () => Promise.reject(failure('zenoh.failed', 'no driver here'));
    const unasked = rig([], fails, false);
    await unasked.keeper.start();
    expect(unasked.keeper.fault()).toBeUndefined();
    expect(unasked.keeper.status()).toMatchObject({
      connected: false,
      reason: expect.stringContaining('nothing asks for it'),
    });
    expect(unasked.faults).toEqual([]);
    const asked = rig([], fails);
    await asked.keeper.start();
    expect(asked.keeper.fault()).toBe('no driver here');
    expect(asked.faults).toEqual(['zenoh.failed no driver here']);
    // One that was open is missed.
    const lost = rig([], async (made) => made, false);
    await lost.keeper.start();
    await lost.keeper.reopen(lost.opened[0]!, 'deaf');
    expect(lost.keeper.fault()).toBe('deaf');
  });

  it('replaces a session that closes while it is used for the first time', async () => {
    let isBroken = true;
    const user = {
      name: 'user',
      async attach(keySpace: KeySpace) {
        if (isBroken) await keySpace.close();
        isBroken = false;
        return keySpace.subscribe('a', () => {});
      },
    };
    const { clock, keeper, opened } = rig([user]);
    await keeper.start();
    await clock.advance(10_000);
    expect(opened).toHaveLength(2);
    expect(keeper.status()).toMatchObject({ connected: true });
  });

  it('does not open as fast as the host can when each session is lost at once', async () => {
    const user = { name: 'user', attach: async () => Promise.reject(failure('zenoh.closed', 'gone')) };
    const { clock, keeper, faults, opened } = rig([user]);
    await keeper.start();
    await clock.advance(60_000);
    expect(opened.length).toBeGreaterThan(5);
    expect(opened.length).toBeLessThan(20);
    expect(faults.length).toBeLessThan(20);

    const shut = rig([], () => Promise.reject(failure('zenoh.closed')));
    await shut.keeper.start();
    await shut.clock.advance(60_000);
    expect(shut.opened.length).toBeGreaterThan(5);
    expect(shut.opened.length).toBeLessThan(20);
    expect(shut.faults).toEqual(['zenoh.closed no']);
  });

  it('goes on when the lost session cannot be closed', async () => {
    const { clock, keeper, opened } = rig([], async (made) => {
      made.close = () => new Promise<void>(() => {});
      return made;
    });
    await keeper.start();
    await clock.advance(60_000);
    void keeper.reopen(opened[0]!, 'stuck');
    await clock.advance(10_000);
    expect(opened).toHaveLength(2);
    expect(keeper.keySpace()).toBe(opened[1]);
  });

  it('tries a failed opening again, tells it once, and leaves a missing driver alone', async () => {
    let isThere = false;
    const { clock, keeper, faults, opened } = rig([], async (made) => {
      if (!isThere) throw failure('zenoh.failed', 'no bridge');
      return made;
    });
    await keeper.start();
    await clock.advance(30_000);
    expect(faults).toEqual(['zenoh.failed no bridge']);
    expect(keeper.status()).toMatchObject({ connected: false, reason: 'no bridge' });
    isThere = true;
    await clock.advance(6_000);
    expect(keeper.keySpace()).toBe(opened.at(-1));

    const none = rig([], () => Promise.reject(failure('zenoh.unavailable')));
    await none.keeper.start();
    await none.clock.advance(60_000);
    expect(none.opened).toHaveLength(1);
  });

  it('declares a user again that failed, the others keep what they have', async () => {
    let tries = 0;
    let others = 0;
    const users = [
      {
        name: 'late',
        attach: async () => (++tries < 3 ? Promise.reject(failure('zenoh.failed')) : undefined),
      },
      { name: 'other', attach: async () => void others++ },
    ];
    const { clock, keeper, faults } = rig(users);
    await keeper.start();
    expect(keeper.status()).toMatchObject({ connected: false, reason: 'no' });
    await clock.advance(20_000);
    expect([tries, others, faults.length]).toEqual([3, 1, 1]);
    expect(keeper.status()).toMatchObject({ connected: true, reason: '' });
  });

  it('leaves nothing open when it is closed while it opens', async () => {
    const gate = Promise.withResolvers<void>();
    const { clock, keeper, faults, opened } = rig([], async (made) => {
      await gate.promise;
      return made;
    });
    const starting = keeper.start();
    const again = keeper.start();
    await keeper.close();
    gate.resolve();
    await Promise.all([starting, again]);
    await clock.advance(60_000);
    expect(opened).toHaveLength(1);
    await expect(opened[0]!.put('a', new Uint8Array(1))).rejects.toMatchObject({ code: 'zenoh.closed' });
    expect(keeper.keySpace()).toBeUndefined();
    expect(faults).toEqual([]);
  });
});
