import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { withoutFile } from '../../cli/commands/estop.ts';
import { type CellContext, type LeaseView, METHODS, type NewEvent } from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { ArmService } from '../../daemon/execution/arm-service.ts';
import { BagPlayer, busSink, type PlayableBag } from '../../daemon/execution/bag-player.ts';
import { Steering } from '../../daemon/execution/control/steering.ts';
import { LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import { ArmJog } from '../../daemon/execution/safety/arm-jog.ts';
import { StopFile } from '../../daemon/execution/safety/stop-file.ts';
import { encodeFloat64MultiArray, encodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

/** Actuation of a robot that something moves without a lease: a goal, a play of commands. */
function rig(stops: ((reason: string) => Promise<void>)[] = []) {
  const clock = new ManualClock();
  const events: NewEvent[] = [];
  const bus = new FakeBus(clock);
  const context = {
    ...{ name: 'execution', clock, bus, report: () => {} },
    emit: async (more: readonly NewEvent[]) => void events.push(...more),
  } as unknown as CellContext;
  const mover = {
    moves: true,
    stopped: [] as string[],
    isMoving: () => mover.moves,
    stop: async (reason: string) => {
      mover.stopped.push(reason);
      mover.moves = false;
    },
  };
  const stopped: string[] = [];
  const drive = async (reason: string) => void stopped.push(reason);
  return {
    clock,
    bus,
    context,
    mover,
    stopped,
    actuation: new Actuation(context, [...stops, drive], [mover]),
  };
}

describe('the lease in the field', () => {
  it('a goal that somebody sent without a lease is over before a person has the robot', async () => {
    const { actuation, mover } = rig();
    await actuation.lease.acquire('vera', LEASE_PRIORITIES.teleoperation, 1_000);
    expect(mover.stopped).toHaveLength(1);
    expect(mover.moves).toBe(false);
  });

  it.each(['stop', 'stopMovers'] as const)(
    'a %s is not undone by a command of a hand before the robot stands; the lease stays',
    async (what) => {
      const rig = new Rig();
      const stands = Promise.withResolvers<void>();
      rig.onStop = () => stands.promise;
      const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, {
        ...{ role: 'teleoperation', holder: 'vera', ttlMs: 5_000 },
      });
      const stopped = rig.actuation[what]('a child');
      const command = { leaseId, twist: { linear: 0.1, angular: 0 } };
      const steer = () => rig.ask(execution.teleopCommand, command);
      // Those before the stop of another caller are void.
      if (what === 'stop') await expect(steer()).rejects.toMatchObject({ code: 'robot.preempted' });
      expect(rig.steered).toEqual([]);
      stands.resolve();
      await stopped;
      await rig.clock.advance(1_000);
      await steer();
      expect(rig.steered).toEqual([[0.1, 0, leaseId]]);
    },
  );

  it('an agent moves beside such a goal as before', async () => {
    const { actuation, mover } = rig();
    await actuation.lease.acquire('agent', LEASE_PRIORITIES.agent, 1_000);
    expect(mover.stopped).toEqual([]);
  });

  it('a cell that ends while a person steers brings the robot to rest first, and hears no more of him', async () => {
    const { actuation, stopped, mover } = rig();
    mover.moves = false;
    const { id } = await actuation.lease.acquire('vera', LEASE_PRIORITIES.teleoperation, 1_000);
    await actuation.close();
    expect(stopped).toHaveLength(1);
    expect(actuation.lease.holds(id)).toBe(false);
  });

  it('what throws when it is stopped keeps nothing else from being stopped', async () => {
    const { actuation, stopped, mover } = rig([
      () => {
        throw new Error('broken');
      },
    ]);
    await expect(actuation.stop('stop')).rejects.toThrow('broken');
    expect(stopped).toEqual(['stop']);
    expect(mover.stopped).toEqual(['stop']);
  });

  it('is not given while the emergency stop is engaged: a release hands the robot to nobody', async () => {
    const rig = new Rig();
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    const body = { role: 'teleoperation', holder: 'vera', ttlMs: 1_000 };
    await expect(rig.ask(execution.leaseTake, body)).rejects.toMatchObject({ code: 'estop.engaged' });
    await rig.ask(execution.estopRelease, { source: 'api', by: 'max' });
    expect(await rig.ask<LeaseView>(execution.leaseState)).toMatchObject({ state: 'free' });
  });

  it('nor to whom waited for it when the stop came', async () => {
    const rig = new Rig();
    const stands = Promise.withResolvers<void>();
    const motion = rig.move();
    await turn();
    rig.onStop = () => stands.promise;
    const body = { role: 'teleoperation', holder: 'vera', ttlMs: 1_000 };
    const taken = rig.ask(execution.leaseTake, body).catch((error: unknown) => error);
    await turn();
    const engaged = rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    stands.resolve();
    await Promise.all([engaged, motion]);
    expect(await taken).toMatchObject({ code: 'estop.engaged' });
    expect(await rig.ask<LeaseView>(execution.leaseState)).toMatchObject({ state: 'free' });
  });

  it('of one is not renewed, returned or steered under by another', async () => {
    const rig = new Rig();
    const { lease_id: leaseId } = await rig.ask<LeaseView>(execution.leaseTake, {
      ...{ role: 'teleoperation', holder: 'vera/stick', ttlMs: 1_000 },
    });
    const twist = { linear: 0.1, angular: 0 };
    for (const by of ['max', 'ver', 'vera/sti']) {
      const denied = { code: 'policy.denied' };
      await expect(rig.ask(execution.leaseRenew, { leaseId, by })).rejects.toMatchObject(denied);
      await expect(rig.ask(execution.leaseReturn, { leaseId, by })).rejects.toMatchObject(denied);
      await expect(rig.ask(execution.teleopCommand, { leaseId, by, twist })).rejects.toMatchObject(denied);
    }
    expect(rig.steered).toEqual([]);
    await rig.ask(execution.teleopCommand, { leaseId, by: 'vera', twist });
    await rig.ask(execution.leaseRenew, { leaseId, by: 'vera' });
    expect(await rig.ask(execution.leaseReturn, { leaseId, by: 'vera' })).toMatchObject({ state: 'free' });
  });
});

describe('stops in the field', () => {
  it('who stops the arm stops the controllers and hands that move its joints too, also where it has no trajectories', async () => {
    for (const arm of [{ stop: async () => {} }, undefined]) {
      const { context, bus, actuation, mover, stopped } = rig();
      new ArmService(context, arm as never, actuation).register();
      await bus.request('execution', execution.armStop, { reason: 'pinched' });
      expect(mover.stopped).toEqual(['pinched']);
      // The base stays as it is.
      expect(stopped).toEqual([]);
    }
  });

  it('a stick that is pushed on while the arm is being stopped does not move it', async () => {
    const clock = new ManualClock();
    const sent: unknown[] = [];
    const joint = { name: 'j', lower: -2, upper: 2, velocity: 1, acceleration: 2, jerk: 20, effort: 100 };
    const jog = new ArmJog({
      ...{ clock, states: '/joint_states', commands: '/commands' },
      spec: { joints: [joint], frame: 'base_link', mode: 'clamp', rateMax: 1_000, gapSeconds: 0.5 },
      send: (sample) => sent.push(sample) > 0,
      mayMove: () => true,
      note: () => {},
    });
    const none = new Float64Array(0);
    const state = () => {
      const stamp = clock.now();
      const bytes = encodeJointState({
        header: { stamp, frame_id: '' },
        ...{ name: ['j'], position: Float64Array.of(0), velocity: none, effort: none },
      });
      jog.observe({ topic: '/joint_states', type: JOINT_STATE, stamp, received: stamp, bytes });
    };
    const push = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        state();
        try {
          jog.jog({ j: 1 }, 1, clock.monotonicMs());
        } catch {
          // Refused.
        }
        await clock.advance(20);
      }
    };
    await push(25);
    let stopped = false;
    void jog.stop().then(() => {
      stopped = true;
    });
    expect(() => jog.jog({ j: 1 }, 1, clock.monotonicMs())).toThrow(
      expect.objectContaining({ code: 'command.refused' }),
    );
    for (let i = 0; i < 100 && !stopped; i++) {
      state();
      await clock.advance(20);
    }
    expect(stopped).toBe(true);
    expect(jog.isMoving()).toBe(false);
    jog.close();
  });

  it('a button that is held while the robot does not answer is told as a fault once in a while, not fifty times a second', async () => {
    const rig = new Rig();
    rig.onStop = () => Promise.reject(new Error('deaf'));
    const bytes = Uint8Array.of(0, 1, 0, 0, 1);
    for (let i = 0; i < 1_000; i++) {
      const stamp = rig.clock.now();
      const type = 'std_msgs/msg/Bool';
      rig.desk.observe({ topic: '/emergency_stop', type, stamp, received: stamp, bytes });
      await rig.clock.advance(20);
    }
    expect(rig.desk.latch.engaged).toBe(true);
    // The disk takes its own time.
    await vi.waitFor(() => expect(rig.reports.length).toBeGreaterThanOrEqual(1), 20_000);
    await turn();
    expect(rig.reports.length).toBeLessThanOrEqual(3);
  });

  it('a release that is refused leaves the file that holds the robot', async () => {
    const dir = disk();
    const file = join(dir, 'estop');
    writeFileSync(file, 'the door is open');
    const seen: boolean[] = [];
    const refused = async () => {
      seen.push(existsSync(file));
      throw new Error('nobody answers');
    };
    await expect(withoutFile(file, refused)).rejects.toThrow('nobody answers');
    expect(seen).toEqual([false]);
    expect(readFileSync(file, 'utf8')).toBe('the door is open');
    expect(await withoutFile(file, async () => 'released')).toBe('released');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('joints that are driven by velocity are told to stand by the emergency stop too', async () => {
    const rig = new Rig(disk(), { commands: ['/speeds', '/places'], speeds: ['/speeds'] });
    await rig.ask(execution.estopEngage, { source: 'api', by: 'max' });
    const send = (topic: string, values: readonly number[]) => {
      const stamp = rig.clock.now();
      const bytes = encodeFloat64MultiArray(Float64Array.from(values));
      const type = 'std_msgs/msg/Float64MultiArray';
      rig.sink.offer({ topic, type, stamp, received: stamp, bytes });
    };
    send('/speeds', [0, 0.1]);
    send('/places', [0, 0]);
    expect(rig.sent).toEqual([]);
    send('/speeds', [0, 0]);
    expect(rig.sent).toHaveLength(1);
  });

  it('a recording of a topic that this robot obeys is one of commands, whatever it is called', async () => {
    const rig = new Rig(disk(), { commands: ['/arm/reference'] });
    const type = 'std_msgs/msg/Float64MultiArray';
    const qos = { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 1 } as const;
    const names = ['/arm/reference', '/joint_states'];
    const bag = {
      ...{ prepare: async () => {}, begin: () => {}, close: async () => {}, finished: new Promise(() => {}) },
      topics: () => names.map((topic) => ({ topic, type, qos })),
      choose: () => new Set(names),
      ...{ startNs: 0n, endNs: 0n, positionNs: 0n },
    } as unknown as PlayableBag;
    const sink = busSink(
      () => {},
      () => {},
    );
    const player = new BagPlayer({
      open: async () => bag,
      target: async () => ({ sink: () => sink, reaches: 'bus', settleMs: 0 }),
      pause: async () => {},
      every: () => ({ cancel: () => {} }),
      topics: rig.desk.door.topics,
    });
    const play = await player.start({ path: 'a', rate: 1, loop: false, startS: 0, topics: [] });
    expect(play.withheld).toEqual(['/arm/reference']);
    await player.close();
  });

  it('a command of a hand is over when the clock of the robot is set back', () => {
    const steering = new Steering();
    const now = 1_000_000_000_000n;
    steering.put({ linear: 0.5, angular: 0 }, 1, now, 0);
    expect(steering.at(now + 100_000_000n, () => true)).toBeDefined();
    expect(steering.at(now - 60_000_000_000n, () => true)).toBeUndefined();
  });

  it('a file that is there engages, however quickly it was taken away and put back', async () => {
    const clock = new ManualClock();
    const dir = disk();
    const file = new StopFile(dir, clock);
    let engaged = false;
    file.start(
      () => {
        engaged = true;
      },
      () => engaged,
    );
    writeFileSync(file.path, 'first');
    await clock.advance(300);
    expect(engaged).toBe(true);
    rmSync(file.path);
    engaged = false;
    writeFileSync(join(dir, 'estop'), 'again');
    await clock.advance(300);
    file.close();
    expect(engaged).toBe(true);
  });

  it('a file is read when its words are in it; an empty one engages all the same', async () => {
    const clock = new ManualClock();
    const said: string[] = [];
    const file = new StopFile(disk(), clock);
    file.start((words) => said.push(words));
    // As a shell writes it: made first, filled then.
    writeFileSync(file.path, '');
    await clock.advance(250);
    writeFileSync(file.path, 'the red button\n');
    await clock.advance(10);
    expect(said).toEqual(['the red button']);
    rmSync(file.path);
    await clock.advance(250);
    writeFileSync(file.path, '');
    await clock.advance(260);
    expect(said).toEqual(['the red button', '']);
    file.close();
    // At the start of a daemon nothing waits for words.
    const next = new StopFile(join(file.path, '..'), clock);
    next.start((words) => said.push(words));
    expect(said).toEqual(['the red button', '', '']);
    next.close();
  });
});
