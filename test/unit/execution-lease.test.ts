import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ActuationLease, type Lease } from '../../daemon/execution/lease.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function bench(stop: (reason: string) => Promise<void> = async () => {}) {
  const clock = new ManualClock();
  const log: string[] = [];
  const lease = new ActuationLease({
    clock,
    safeStop: async (reason) => {
      log.push(`stopping: ${reason}`);
      await stop(reason);
      log.push('stopped');
    },
    onGranted: ({ holder }) => log.push(`granted ${holder}`),
    onEnded: ({ holder }, how) => log.push(`${how} ${holder}`),
  });
  return { clock, lease, log };
}

describe('actuation lease', () => {
  it('has one holder; equal or lower priority is refused, naming who has it', async () => {
    const { lease } = bench();
    await lease.acquire('agent', 20, 1_000);
    for (const priority of [10, 20]) {
      await expect(lease.acquire('policy', priority, 1_000)).rejects.toMatchObject({
        code: 'lease.held',
        message: 'agent has it',
      });
    }
    expect(lease.current?.holder).toBe('agent');
  });

  it('lets a higher priority take it, after the robot stands', async () => {
    const { lease, log } = bench();
    const old = await lease.acquire('agent', 20, 1_000);
    const taken = await lease.acquire('teleoperation', 50, 1_000);
    expect(log).toEqual([
      'granted agent',
      'taken agent',
      'stopping: taken over by teleoperation (teleoperation)',
      'stopped',
      'granted teleoperation',
    ]);
    expect(lease.holds(old.id)).toBe(false);
    expect(lease.holds(taken.id)).toBe(true);
    expect(() => lease.renew(old.id)).toThrow('actuation lease');
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'goes to one of two who come in the same moment (%i turns apart)',
    async (turns) => {
      let stopped = () => {};
      const standing = new Promise<void>((resolve) => (stopped = resolve));
      const { lease, log } = bench(() => standing);
      await lease.acquire('agent', 20, 1_000);
      const first = lease.acquire('teleoperation', 50, 1_000).catch(() => undefined);
      const second = (async () => {
        await standing;
        for (let i = 0; i < turns; i++) await Promise.resolve();
        return await lease.acquire('central', 40, 1_000).catch(() => undefined);
      })();
      stopped();
      const granted = (await Promise.all([first, second])).filter((one) => one !== undefined);
      expect(granted).toHaveLength(1);
      expect(lease.current?.id).toBe(granted[0]!.id);
      expect(log.filter((line) => line.startsWith('granted'))).toHaveLength(2);
    },
  );

  it('refuses everybody while the robot is being stopped', async () => {
    let stopped = () => {};
    const { lease, clock } = bench(() => new Promise((resolve) => (stopped = resolve)));
    await lease.acquire('agent', 20, 1_000);
    await clock.advance(1_001);
    expect(lease.state).toBe('stopping');
    await expect(lease.acquire('teleoperation', 50, 1_000)).rejects.toMatchObject({ code: 'lease.held' });
    stopped();
    await clock.advance(1);
    expect(lease.state).toBe('free');
    await lease.acquire('teleoperation', 50, 1_000);
  });

  it('expires without renewal and stops the robot; renewal keeps it', async () => {
    const { lease, clock, log } = bench();
    const held = await lease.acquire('agent', 20, 1_000);
    for (let i = 0; i < 10; i++) {
      await clock.advance(900);
      lease.renew(held.id);
    }
    expect(lease.holds(held.id)).toBe(true);
    await clock.advance(1_001);
    expect(log).toEqual([
      'granted agent',
      'expired agent',
      'stopping: the lease of agent expired',
      'stopped',
    ]);
    expect(lease.state).toBe('free');
  });

  it('is free after a stop that failed: the base has its own watchdog', async () => {
    const { lease, clock } = bench(() => Promise.reject(new Error('deaf')));
    await lease.acquire('agent', 20, 100);
    await clock.advance(200);
    expect(lease.state).toBe('free');
  });

  it('given back, it ends without a stop, and giving back twice or late changes nothing', async () => {
    const { lease, log } = bench();
    const first = await lease.acquire('agent', 20, 1_000);
    lease.release(first.id);
    lease.release(first.id);
    const second = await lease.acquire('central', 40, 1_000);
    lease.release(first.id);
    expect(lease.holds(second.id)).toBe(true);
    expect(log).toEqual(['granted agent', 'returned agent', 'granted central']);
  });

  it('never has two holders, and never grants before the stop of a lost lease is over', async () => {
    const action = fc.record({
      what: fc.constantFrom('acquire', 'renew', 'release', 'time'),
      holder: fc.constantFrom('a', 'b', 'c'),
      priority: fc.integer({ min: 1, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const { lease, clock, log } = bench();
        const held: Lease[] = [];
        for (const { what, holder, priority } of actions) {
          if (what === 'acquire')
            await lease.acquire(holder, priority, 500).then(
              (l) => held.push(l),
              () => {},
            );
          else if (what === 'time') await clock.advance(200);
          else if (what === 'release' && held.length > 0) lease.release(held.at(-1)!.id);
          else if (what === 'renew' && held.length > 0 && lease.holds(held.at(-1)!.id))
            lease.renew(held.at(-1)!.id);
          expect(held.filter(({ id }) => lease.holds(id)).length).toBeLessThanOrEqual(1);
        }
        let holder: string | undefined;
        let mustStop = false;
        for (const line of log) {
          const [what, who] = line.split(' ');
          if (what === 'granted') {
            expect(holder).toBeUndefined();
            expect(mustStop).toBe(false);
            holder = who;
          } else if (what === 'returned' || what === 'taken' || what === 'expired') {
            expect(holder).toBe(who);
            holder = undefined;
            mustStop = what !== 'returned';
          } else if (what === 'stopped') mustStop = false;
        }
      }),
    );
  });
});
