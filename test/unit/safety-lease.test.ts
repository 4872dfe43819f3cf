import { afterEach, describe, expect, it } from 'vitest';
import { type LeaseView, METHODS } from '../../contract/index.ts';
import type { Mandate } from '../../daemon/execution/actuation.ts';
import { endRigs, Rig, untilAborted } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

describe('the lease by method', () => {
  const take = (rig: Rig, holder: string, role = 'teleoperation', ttlMs = 1_000) =>
    rig.ask<LeaseView>(execution.leaseTake, { role, holder, ttlMs });

  it('is taken from an agent after its robot stands, and an agent that fights on gets nothing', async () => {
    const rig = new Rig();
    const motion = rig.move();
    await turn();
    const view = await take(rig, 'vera');
    expect(await motion).toMatchObject({
      outcome: 'preempted',
      message: 'taken over by vera (teleoperation)',
    });
    expect(view).toMatchObject({ state: 'held', holder: 'vera', role: 'teleoperation', priority: 50 });
    for (let i = 0; i < 50; i++)
      await expect(rig.move(`f${i}`)).rejects.toMatchObject({ code: 'lease.held' });
    expect(() => rig.desk.admit('send a goal', '/spin')).toThrow(
      expect.objectContaining({ code: 'lease.held' }),
    );
    await rig.ask(execution.teleopCommand, { leaseId: view.lease_id, twist: { linear: 0.1, angular: 0 } });
    expect(rig.steered).toEqual([[0.1, 0, view.lease_id]]);
    expect(
      rig.events
        .filter(({ kind }) => kind.startsWith('lease.'))
        .map(({ kind, payload }) => [kind, (payload as { holder: string }).holder]),
    ).toEqual([
      ['lease.granted', 'agent'],
      ['lease.released', 'agent'],
      ['lease.granted', 'vera'],
    ]);
  });

  it('is lost without renewal, and with it the word of the threads', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    for (let i = 0; i < 5; i++) {
      await rig.clock.advance(800);
      expect(await rig.ask<LeaseView>(execution.leaseRenew, { leaseId: id })).toMatchObject({
        remaining_ms: 1_000,
      });
      expect(rig.watch.mayMove(id!)).toBe(true);
    }
    await rig.clock.advance(1_001);
    expect(rig.watch.why(id!)).toBe('the lease was lost');
    expect(rig.stops).toHaveLength(1);
    const late = { leaseId: id, twist: { linear: 0.1, angular: 0 } };
    await expect(rig.ask(execution.teleopCommand, late)).rejects.toMatchObject({ code: 'lease.lost' });
    await expect(rig.ask(execution.leaseRenew, { leaseId: id })).rejects.toMatchObject({
      code: 'lease.lost',
    });
  });

  it('is over for control threads too when the main thread hangs and renews nothing', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    expect(rig.watch.mayMove(id!)).toBe(true);
    // Time passes and no timer of the main thread fires.
    rig.clock.skip(900);
    expect(rig.watch.mayMove(id!)).toBe(true);
    rig.clock.skip(200);
    expect(rig.desk.word.lease).toBe(id);
    expect(rig.watch.why(id!)).toBe('the lease was not renewed');
  });

  it('ends with the emergency stop, so that a release hands the robot to nobody', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    const steer = () => rig.ask(execution.teleopCommand, { leaseId: id, twist: { linear: 0.1, angular: 0 } });
    await expect(steer()).rejects.toMatchObject({ code: 'estop.engaged' });
    await rig.ask(execution.estopRelease, { source: 'api', by: 'max' });
    await expect(steer()).rejects.toMatchObject({ code: 'lease.lost' });
    expect(rig.steered).toEqual([]);
  });

  it('stops what moves when it is given back, and steers for no agent', async () => {
    const rig = new Rig();
    const { lease_id: id } = await take(rig, 'vera');
    expect(await rig.ask<LeaseView>(execution.leaseReturn, { leaseId: id })).toMatchObject({ state: 'free' });
    expect(rig.stops).toHaveLength(1);
    expect(await rig.ask<LeaseView>(execution.leaseReturn, { leaseId: id })).toMatchObject({ state: 'free' });
    const { lease_id: agents } = await take(rig, 'runs', 'agent');
    const command = { leaseId: agents, twist: { linear: 0.1, angular: 0 } };
    await expect(rig.ask(execution.teleopCommand, command)).rejects.toMatchObject({ code: 'policy.denied' });
  });

  it.each([
    [{ role: 'king', holder: 'a', ttlMs: 1_000 }],
    [{ role: 'agent', holder: '', ttlMs: 1_000 }],
    [{ role: 'agent', holder: 'a', ttlMs: 1e9 }],
    [{ role: 'agent', holder: 'a', ttlMs: Number.NaN }],
    [null],
  ])('refuses %j', async (body) => {
    await expect(new Rig().ask(execution.leaseTake, body)).rejects.toMatchObject({ code: 'schema.invalid' });
  });

  it.each([
    [{ twist: { linear: Number.NaN, angular: 0 } }],
    [{ twist: { linear: Number.POSITIVE_INFINITY, angular: 0 } }],
    [{ twist: { linear: '1', angular: 0 } }],
    [{ twist: { linear: 1, angular: 0 }, joints: {} }],
    [{ joints: {} }],
    [{ joints: { joint_1: 1e9 } }],
    [{}],
  ])('steers by no nonsense: %j', async (body) => {
    const rig = new Rig();
    const { lease_id: leaseId } = await take(rig, 'vera');
    await expect(rig.ask(execution.teleopCommand, { leaseId, ...body })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    expect(rig.steered).toEqual([]);
  });
});

describe('motions', () => {
  const started = (rig: Rig, id: string, mandate?: Mandate) => {
    const leases: number[] = [];
    const motion = rig.actuation.move(
      id,
      'runtime',
      (signal, lease) => {
        leases.push(lease);
        return untilAborted(signal);
      },
      undefined,
      mandate,
    );
    motion.catch(() => {});
    return { motion, leases };
  };
  const POLICY: Mandate = { role: 'policy', holder: 'policy' };

  it('of one holder share one lease, also when they begin at once, and give it back with the last', async () => {
    const rig = new Rig();
    const first = started(rig, 'a');
    const second = started(rig, 'b');
    await turn();
    expect([first.leases, second.leases]).toEqual([[1], [1]]);
    rig.actuation.cancel('a', 'enough');
    await first.motion;
    expect(rig.desk.word.lease).toBe(1);
    rig.actuation.cancel('b', 'enough');
    await second.motion;
    expect(rig.desk.word.lease).toBe(0);
  });

  it('of a policy give way to an agent, and get nothing while that moves', async () => {
    const rig = new Rig();
    const policy = started(rig, 'p', POLICY);
    await turn();
    const agent = started(rig, 'a');
    expect((await policy.motion).outcome).toBe('stopped');
    await turn();
    expect(agent.leases).toEqual([2]);
    await expect(started(rig, 'q', POLICY).motion).rejects.toMatchObject({ code: 'lease.held' });
    expect(rig.watch.mayMove(1)).toBe(false);
    expect(rig.watch.mayMove(2)).toBe(true);
  });
});
