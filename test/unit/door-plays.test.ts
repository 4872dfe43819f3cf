import { afterEach, describe, expect, it } from 'vitest';
import type { PlayOptions } from '../../contract/bag-messages.ts';
import { METHODS, type Sample } from '../../contract/core.ts';
import { BagPlayer, type PlayableBag } from '../../daemon/execution/bag-player.ts';
import { holdLease, RobotSink } from '../../daemon/execution/door/index.ts';
import type { JointGateSpec } from '../../daemon/execution/safety/index.ts';
import { encodeTwist, JOINT_TRAJECTORY, TWIST } from '../../formats/cdr/index.ts';
import { NotingSink } from '../support/route-rig.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';
import { encodeTrajectory } from '../support/trajectory.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

const joint = (name: string) => ({
  ...{ name, lower: -2, upper: 2, velocity: 1, acceleration: 10, jerk: 100, effort: Infinity },
});
const SPEC: JointGateSpec = {
  joints: [joint('joint_1'), joint('joint_2')],
  ...{ frame: 'base_link', mode: 'clamp', rateMax: 500, gapSeconds: 1 },
};
const twist = (x: number): Uint8Array => {
  const zero = { x: 0, y: 0, z: 0 };
  return encodeTwist({ linear: { ...zero, x }, angular: zero });
};
/** Within the limits: what keeps it from the robot is that nobody could stop it. */
const NEAR = encodeTrajectory(['joint_1'], [{ positions: [0.1], seconds: 1 }]);

describe('a play into a robot', () => {
  const QOS = { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 1 } as const;
  const OPTIONS: PlayOptions = { path: 'a', rate: 1, loop: false, startS: 0, topics: [], to: 'ros' };

  function desk(specs: readonly (readonly [topic: string, type: string])[]) {
    const rig = new Rig(disk(), {
      commands: ['/cmd_vel'],
      speedsMax: { linearMax: 0.5, angularMax: 1 },
      spec: SPEC,
    });
    const sink = new NotingSink();
    const ended = Promise.withResolvers<{ fault: undefined }>();
    let give: (sample: Sample) => void = () => {};
    const bag = {
      ...{ prepare: async () => {}, close: async () => {}, startNs: 0n, endNs: 0n, positionNs: 0n },
      begin: (_: unknown, onSample: typeof give) => {
        give = onSample;
      },
      topics: () => specs.map(([topic, type]) => ({ topic, type, qos: QOS })),
      choose: () => new Set(specs.map(([topic]) => topic)),
      finished: ended.promise,
    } as unknown as PlayableBag;
    const { door } = rig.desk;
    const player = new BagPlayer({
      open: async () => bag,
      target: async () => ({
        sink: (lease) => door.path(new RobotSink(sink), { kind: 'play', name: '' }, { lease }),
        ...{ reaches: 'robot', settleMs: 0 },
      }),
      pause: (ms) => new Promise((resolve) => void rig.clock.after(ms, () => resolve())),
      every: (ms, fire) => rig.clock.every(ms, fire),
      nowMs: () => rig.clock.monotonicMs(),
      hold: (from) => holdLease(rig.actuation, 'play', from, 'bag-play'),
      ...{ topics: door.topics, gate: door.gate },
    });
    const start = async (more: Partial<PlayOptions> = {}) => {
      const started = player.start({ ...OPTIONS, ...more });
      started.catch(() => {});
      for (let i = 0; i < 10; i++) await turn();
      await rig.clock.advance(1);
      return started;
    };
    const say = (topic: string, bytes: Uint8Array, type = TWIST) =>
      give({ topic, type, stamp: 1n, received: 1n, bytes });
    return { rig, sink, player, start, say, end: () => ended.resolve({ fault: undefined }) };
  }

  const BAG = [
    ['/cmd_vel', TWIST],
    ['/jtc/joint_trajectory', JOINT_TRAJECTORY],
    ['/joy', 'sensor_msgs/msg/Joy'],
    ['/chatter', 'std_msgs/msg/String'],
    ['/scan', 'sensor_msgs/msg/LaserScan'],
  ] as const;

  it('withholds commands and what nobody calls harmless, and takes no lease', async () => {
    const { rig, sink, start, say } = desk(BAG);
    const play = await start();
    expect(play.withheld).toEqual(['/cmd_vel', '/jtc/joint_trajectory', '/joy', '/chatter']);
    expect(sink.advertised.map(({ topic }) => topic)).toEqual(['/scan']);
    expect(rig.actuation.lease.state).toBe('free');
    // A bag that gives more than it was asked for moves nothing either.
    say('/cmd_vel', twist(0.3));
    expect(sink.samples).toEqual([]);
  });

  it('of commands holds the lease to its end, passes the gate, and leaves out what no gate can judge', async () => {
    const { rig, sink, player, start, say, end } = desk(BAG);
    const { play_id, withheld } = await start({ allowCommands: true });
    expect(withheld).toEqual(['/jtc/joint_trajectory', '/joy', '/chatter']);
    expect(rig.actuation.lease.view()).toMatchObject({ state: 'held', holder: 'bag-play', role: 'agent' });
    say('/cmd_vel', twist(0.3));
    say('/cmd_vel', twist(7));
    say('/cmd_vel', twist(Number.NaN));
    say('/jtc/joint_trajectory', NEAR, JOINT_TRAJECTORY);
    expect(sink.samples.map(({ bytes }) => bytes)).toEqual([twist(0.3), twist(0.5)]);
    expect(player.state(play_id)).toMatchObject({
      published: 2,
      reason: expect.stringContaining('2 commands were refused'),
    });
    end();
    for (let i = 0; i < 10; i++) await turn();
    expect(rig.actuation.lease.state).toBe('free');
  });

  it('of commands does not begin while a person has the lease, and ends when a person takes it', async () => {
    const { rig, sink, player, start, say } = desk(BAG);
    const person = { role: 'teleoperation', holder: 'vera' };
    const { lease_id } = await rig.ask<{ lease_id: number }>(execution.leaseTake, person);
    await expect(start({ allowCommands: true })).rejects.toMatchObject({ code: 'lease.held' });
    await rig.ask(execution.leaseReturn, { leaseId: lease_id });
    const { play_id } = await start({ allowCommands: true });
    say('/cmd_vel', twist(0.3));
    await rig.ask(execution.leaseTake, person);
    say('/cmd_vel', twist(0.4));
    expect(sink.samples).toHaveLength(1);
    expect(player.state(play_id).state).toBe('stopped');
    expect(rig.actuation.lease.view()).toMatchObject({ holder: 'vera' });
  });

  it('drops a command that waited too long for a busy robot', async () => {
    const { rig, sink, player, start, say } = desk(BAG);
    const { play_id } = await start({ allowCommands: true });
    sink.accepts = false;
    say('/cmd_vel', twist(0.3));
    await rig.clock.advance(400);
    sink.accepts = true;
    await rig.clock.advance(10);
    say('/cmd_vel', twist(0.2));
    expect(sink.samples.map(({ bytes }) => bytes)).toEqual([twist(0.2)]);
    expect(player.state(play_id).reason).toContain('expired');
  });
});
