import { afterEach, describe, expect, it } from 'vitest';
import { type LeaseView, METHODS } from '../../contract/index.ts';
import { endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
afterEach(endRigs);

const FORWARD = { linear: 0.2, angular: 0 };
const ZERO = { linear: 0, angular: 0 };

/** A robot that `vera` steers: each command comes 100 ms after the one before. */
async function driven(holder = 'vera') {
  const rig = new Rig();
  const take = async () =>
    (await rig.ask<LeaseView>(execution.leaseTake, { role: 'teleoperation', holder, ttlMs: 60_000 }))
      .lease_id;
  let leaseId = await take();
  const command = (twist: object, by = holder) => rig.ask(execution.teleopCommand, { leaseId, by, twist });
  /** How often the robot moved in so many commands of a key that stays down. */
  const hold = async (times: number) => {
    const before = rig.steered.length;
    const codes: string[] = [];
    for (let i = 0; i < times; i++) {
      await command(FORWARD).catch(({ code }: { code: string }) => codes.push(code));
      await rig.clock.advance(100);
    }
    return { moved: rig.steered.length - before, codes: [...new Set(codes)] };
  };
  return {
    ...{ rig, command, hold },
    async retake() {
      leaseId = await take();
    },
  };
}

const STOPS: Readonly<Record<string, (rig: Rig) => Promise<unknown>>> = {
  'robot.stop of an agent': (rig) => rig.actuation.stop('enough', 'policy', 'agent-7'),
  'POST /v1/robot/stop of another person': (rig) => rig.actuation.stop('enough', 'teleoperation', 'max'),
  'POST /v1/arm/stop': (rig) => rig.actuation.stopMovers('enough', 'teleoperation'),
};

describe('a person who holds a key while somebody else stops the robot', () => {
  it.each(Object.entries(STOPS))('does not move it after %s, however long it is held', async (_, stop) => {
    const { rig, hold } = await driven();
    expect(await hold(3)).toEqual({ moved: 3, codes: [] });
    await stop(rig);
    expect(await hold(100)).toEqual({ moved: 0, codes: ['robot.preempted'] });
  });

  it('moves it again by a new press: a zero, or a second without a command', async () => {
    const { rig, hold, command } = await driven();
    await hold(3);
    await rig.actuation.stop('enough');
    await hold(3);
    await command(ZERO);
    expect(await hold(3)).toEqual({ moved: 3, codes: [] });
    await rig.actuation.stop('enough');
    await hold(3);
    await rig.clock.advance(950);
    expect(await hold(3)).toEqual({ moved: 3, codes: [] });
  });

  it('is not let go by a zero of before the stop, or of somebody else', async () => {
    const { rig, hold, command } = await driven();
    await hold(3);
    // The pause that a terminal makes before a key repeats.
    await command(ZERO);
    await rig.actuation.stop('enough');
    await command(ZERO, 'eve').catch(() => {});
    expect(await hold(20)).toMatchObject({ moved: 0 });
  });

  it('is not let go by a zero that comes while the robot is being stopped and was made before', async () => {
    const { rig, hold, command } = await driven();
    await hold(3);
    const stands = Promise.withResolvers<void>();
    rig.onStop = () => stands.promise;
    const stopped = rig.actuation.stop('enough');
    await hold(2);
    await command(ZERO).catch(() => {});
    stands.resolve();
    await stopped;
    // It was let go while the robot was being stopped: what is pressed now is new.
    expect(await hold(2)).toEqual({ moved: 2, codes: [] });
  });

  it('does not move it after the release of the emergency stop, by a lease that is taken again', async () => {
    const { rig, hold, retake, command } = await driven();
    await hold(3);
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    expect(await hold(5)).toEqual({ moved: 0, codes: ['estop.engaged'] });
    await rig.ask(execution.estopRelease, { source: 'api', by: 'max' });
    await retake();
    expect(await hold(30)).toEqual({ moved: 0, codes: ['robot.preempted'] });
    await command(ZERO);
    expect(await hold(1)).toMatchObject({ moved: 1 });
  });

  it('does not keep another person from steering', async () => {
    const { rig, hold } = await driven();
    await hold(3);
    await rig.actuation.stop('enough', 'teleoperation', 'max');
    await hold(3);
    await rig.clock.advance(1_000);
    // Vera still holds her key, without the lease.
    const view = await rig.ask<LeaseView>(execution.leaseReturn, {
      leaseId: rig.actuation.lease.current!.id,
      by: 'vera',
    });
    expect(view.state).toBe('free');
    const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, {
      ...{ role: 'teleoperation', holder: 'max', ttlMs: 60_000 },
    });
    await hold(1);
    await rig.ask(execution.teleopCommand, { leaseId, by: 'max', twist: FORWARD });
    expect(rig.steered.at(-1)).toEqual([0.2, 0, leaseId]);
  });
});
