import { describe, expect, it } from 'vitest';
import { NavRobot } from '../../adapters/ros/nav2/nav-robot.ts';
import { DEFAULT_QOS } from '../../contract/index.ts';
import { quaternionOfYaw, TWIST } from '../../formats/cdr/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { robotConformance } from '../conformance/robot.ts';
import { FakeNav2 } from '../fakes/fake-nav2.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryRos } from '../fakes/memory-ros.ts';

const OPTIONS = {
  namespace: '/robot7',
  topics: { odometry: '/odom', tf: '/tf', map: '/map', pose: '/amcl_pose' },
  mapFrame: 'map',
  velocity: { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS },
};

/** A robot with the Nav2 of `actions`, localised, with its map; `live` drives its time. */
async function made(actions?: readonly string[]) {
  const clock = new ManualClock();
  const ros = new MemoryRos(clock);
  const nav2 = new FakeNav2(ros, clock, '/robot7', actions);
  const robot = new NavRobot({ clock, sink: nav2, ...ros }, OPTIONS);
  nav2.emit = (sample) => robot.observe(sample);
  nav2.tellMap();
  // What a former life left is ended first; the servers that are not there are waited for.
  await nav2.run(3_000);
  return { clock, ros, nav2, robot };
}

const FAR = { x: 7, y: 2, yaw: 0 };
const GOAL = { tolerance: 0.25, timeoutMs: 60_000 };
const STOPPED = { linear: 0, angular: 0 };

for (const [name, actions] of [
  ['with Nav2', undefined],
  ['with Nav2, without its behaviours', ['navigate_to_pose', 'navigate_through_poses']],
] as const) {
  robotConformance(`NavRobot ${name}`, async () => {
    const { nav2, robot } = await made(actions);
    void nav2.live();
    return {
      robot,
      near: { x: 2.8, y: 2.4, yaw: 0 },
      far: FAR,
      blocked: { x: 5.5, y: 5.5, yaw: 0 },
      turn: () => new Promise((resolve) => setImmediate(resolve)),
      close: async () => {
        await robot.close();
        await nav2.close();
      },
    };
  });
}

describe('a robot with Nav2', () => {
  it('ends at start what a former life of the daemon asked for', async () => {
    const { ros, nav2 } = await made();
    expect(ros.cancelledAll.sort()).toEqual(
      ['backup', 'drive_on_heading', 'navigate_through_poses', 'navigate_to_pose', 'spin'].map(
        (action) => `/robot7/${action}`,
      ),
    );
    expect(nav2.commands[0]).toEqual(STOPPED);
  });

  it.each([
    [206, 'no_path'],
    [208, 'no_path'],
    [308, 'no_path'],
    [103, 'no_path'],
    [105, 'stuck'],
    [104, 'stuck'],
    [9003, 'timeout'],
    [0, 'stuck'],
    [4242, 'stuck'],
  ])('tells the error %i of Nav2 as %s, standing', async (code, outcome) => {
    const { nav2, robot } = await made();
    nav2.fails = code;
    const motion = robot.navigate({ ...GOAL, pose: FAR });
    await nav2.run(1_000);
    const result = await motion;
    expect(result).toMatchObject({ outcome, message: expect.stringContaining(`(${code})`) });
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
  });

  it('refuses a motion when Nav2 is not there, or inactive, and stops the base all the same', async () => {
    const { nav2, robot } = await made([]);
    const missing = robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => error);
    await nav2.run(7_000);
    expect(await missing).toMatchObject({ code: 'robot.unreachable', subject: '/robot7/navigate_to_pose' });
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
    const other = await made();
    other.nav2.refuses = true;
    const refused = other.robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => error);
    await other.nav2.run(1_000);
    expect(await refused).toMatchObject({
      code: 'robot.unreachable',
      hint: expect.stringContaining('active'),
    });
    expect((await other.robot.state()).motion).toBe('stopped');
  });

  it('stops the base when the server dies in the middle of a goal, before it says so', async () => {
    const { ros, nav2, robot } = await made();
    let commandsWhenTold = -1;
    const motion = robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => {
      commandsWhenTold = nav2.commands.length;
      return error;
    });
    await nav2.run(2_000);
    expect((await robot.state()).twist.linear).toBeGreaterThan(0);
    const before = nav2.commands.length;
    // The base keeps to its last command, as bases without a watchdog do.
    ros.vanish('/robot7/navigate_to_pose');
    await nav2.run(5_000);
    expect(await motion).toMatchObject({ code: 'robot.unreachable' });
    expect(commandsWhenTold).toBeGreaterThan(before);
    expect((await robot.state()).motion).toBe('stopped');
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
  });

  it('does not wait for discovery to tell that the server is dead: its feedback is missed', async () => {
    const { ros, nav2, robot } = await made();
    const motion = robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => error);
    await nav2.run(1_000);
    const name = '/robot7/navigate_to_pose';
    ros.dead.add(name);
    ros.deaf.add(name);
    await nav2.run(6_000);
    expect(await motion).toMatchObject({
      code: 'robot.unreachable',
      message: expect.stringContaining('feedback'),
    });
    expect(nav2.commands.length).toBeGreaterThan(0);
    expect((await robot.state()).motion).toBe('stopped');
  });

  it('tells a server that did not hear a cancellation again, until it hears', async () => {
    const { ros, nav2, robot } = await made();
    const abort = new AbortController();
    const motion = robot.navigate({ ...GOAL, pose: FAR }, abort.signal);
    await nav2.run(1_000);
    ros.deaf.add('/robot7/navigate_to_pose');
    abort.abort('enough');
    await nav2.run(4_000);
    expect(await motion).toMatchObject({ outcome: 'stopped', message: expect.stringContaining('enough') });
    // A goal that somebody else sends meanwhile is not the one that is owed.
    const heard = ros.cancelledOne.length;
    ros.deaf.clear();
    const theirs = await ros.actions.send(
      '/robot7/navigate_to_pose',
      'nav2_msgs/action/NavigateToPose',
      { pose: { pose: { position: { x: 3, y: 2 }, orientation: { x: 0, y: 0, z: 0, w: 1 } } } },
      { timeoutMs: 1_000 },
    );
    await nav2.run(12_000);
    expect(ros.cancelledOne.length).toBeGreaterThan(heard);
    expect(await theirs.result).toMatchObject({ status: 'succeeded' });
    expect(nav2.twist).toEqual(STOPPED);
    const settled = ros.cancelledOne.length;
    await nav2.run(5_000);
    expect(ros.cancelledOne.length).toBe(settled);
  });

  it('cancels the goal of a server that the network hid, when it is seen again', async () => {
    const { ros, nav2, robot } = await made();
    const name = '/robot7/navigate_to_pose';
    const motion = robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => error);
    await nav2.run(1_000);
    ros.hide(name);
    await nav2.run(5_000);
    expect(await motion).toMatchObject({ code: 'robot.unreachable' });
    const hiddenAt = nav2.pose.x;
    await nav2.run(2_000);
    // It drives on for nobody.
    expect(nav2.pose.x - hiddenAt).toBeGreaterThan(0.5);
    expect(ros.cancelledOne).toEqual([]);
    ros.show(name);
    await nav2.run(2_000);
    expect(ros.cancelledOne).toEqual([name]);
    const endedAt = nav2.pose.x;
    await nav2.run(5_000);
    expect(nav2.pose.x).toBe(endedAt);
    expect(ros.cancelledOne).toEqual([name]);
  });

  it('looks for a server that died no longer than it says', async () => {
    const { clock, ros, nav2, robot } = await made();
    const motion = robot.navigate({ ...GOAL, pose: FAR }).catch((error: unknown) => error);
    await nav2.run(1_000);
    ros.vanish('/robot7/navigate_to_pose');
    await nav2.run(5_000);
    expect(await motion).toMatchObject({ code: 'robot.unreachable' });
    let calls = 0;
    const { call } = ros.services;
    ros.services.call = (...asked) => {
      calls += 1;
      return call(...asked);
    };
    await clock.advance(30_000);
    expect(calls).toBeGreaterThan(25);
    await clock.advance(600_000);
    calls = 0;
    await clock.advance(30_000);
    expect(calls).toBe(0);
  });

  it('tells servers that are not seen to end their goals too when it is stopped', async () => {
    const { ros, nav2, robot } = await made();
    const name = '/robot7/navigate_to_pose';
    const theirs = await ros.actions.send(
      name,
      'nav2_msgs/action/NavigateToPose',
      { pose: { pose: { position: FAR, orientation: { x: 0, y: 0, z: 0, w: 1 } } } },
      { timeoutMs: 1_000 },
    );
    await nav2.run(1_000);
    theirs.result.catch(() => {});
    const before = ros.cancelledAll.filter((cancelled) => cancelled === name).length;
    ros.hide(name);
    const stop = robot.stop('somebody is in the way');
    await nav2.run(200);
    ros.show(name);
    await nav2.run(1_000);
    await stop;
    expect(ros.cancelledAll.filter((cancelled) => cancelled === name)).toHaveLength(before + 1);
    expect(nav2.twist).toEqual(STOPPED);
  });

  it('says that a stop was not obeyed', async () => {
    const { nav2, robot } = await made();
    nav2.runaway = true;
    await nav2.run(200);
    const stop = robot.stop('now').catch((error: unknown) => error);
    await nav2.run(4_000);
    expect(await stop).toMatchObject({
      code: 'robot.unreachable',
      message: expect.stringContaining('motion'),
    });
    const told = nav2.commands.length;
    await nav2.run(1_000);
    expect(nav2.commands.length).toBeGreaterThan(told);
  });

  it('is stopped while a motion still waits for what a former life left: the stop is told as it was', async () => {
    const clock = new ManualClock();
    const ros = new MemoryRos(clock);
    const nav2 = new FakeNav2(ros, clock, '/robot7');
    const robot = new NavRobot({ clock, sink: nav2, ...ros }, OPTIONS);
    nav2.emit = (sample) => robot.observe(sample);
    ros.deaf.add('/robot7/spin');
    nav2.tellMap();
    await nav2.run(500);
    const motion = robot.navigate({ ...GOAL, pose: FAR });
    await nav2.run(900);
    const stop = robot.stop('somebody is in the way').catch((error: unknown) => error);
    await nav2.run(2_000);
    expect(await stop).toBeUndefined();
    expect(await motion).toMatchObject({ outcome: 'stopped' });
    expect(nav2.accepted).toEqual([]);
  });

  it('ends goals of other clients when it is stopped', async () => {
    const { ros, nav2, robot } = await made();
    const theirs = await ros.actions.send(
      '/robot7/navigate_to_pose',
      'nav2_msgs/action/NavigateToPose',
      { pose: { pose: { position: FAR, orientation: { x: 0, y: 0, z: 0, w: 1 } } } },
      { timeoutMs: 1_000 },
    );
    await nav2.run(1_000);
    expect((await robot.state()).twist.linear).toBeGreaterThan(0);
    const stop = robot.stop('somebody is in the way');
    await nav2.run(1_000);
    await stop;
    expect(await theirs.result).toMatchObject({ status: 'canceled' });
  });

  it('is stuck, standing, when odometry falls silent', async () => {
    const { nav2, robot } = await made();
    const motion = robot.navigate({ ...GOAL, pose: FAR });
    await nav2.run(1_000);
    nav2.silent = true;
    await nav2.run(5_000);
    expect(await motion).toMatchObject({
      outcome: 'stuck',
      message: expect.stringContaining('odometry stopped arriving'),
    });
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
    await expect(robot.navigate({ ...GOAL, pose: FAR })).rejects.toMatchObject({ code: 'robot.unreachable' });
  });

  it('passes the places on the way in one goal', async () => {
    const { nav2, robot } = await made();
    const via = [{ x: 3, y: 3, yaw: 0 }];
    const motion = robot.navigate({ ...GOAL, pose: { x: 4, y: 2, yaw: 0 }, via });
    await nav2.run(20_000);
    expect(await motion).toMatchObject({ outcome: 'reached' });
    expect(nav2.accepted.map(({ action }) => action)).toEqual(['navigate_through_poses']);
    expect((await motion).distance).toBeGreaterThan(2.4);
  });

  it('knows itself in the map by the transform, and by a pose where there is no transform', async () => {
    const { nav2, robot, clock } = await made();
    const near = async (x: number, y: number, yaw: number) => {
      const pose = (await robot.state()).pose!;
      expect(Math.hypot(pose.x - x, pose.y - y, pose.yaw - yaw)).toBeLessThan(1e-6);
    };
    await near(nav2.pose.x, nav2.pose.y, nav2.pose.yaw);
    const other = new NavRobot(
      { clock, sink: nav2, ...new MemoryRos(clock) },
      { ...OPTIONS, topics: { ...OPTIONS.topics, tf: '/no_tf' } },
    );
    nav2.emit = (sample) => other.observe(sample);
    await nav2.run(100);
    expect((await other.state()).pose).toBeUndefined();
    const pose = { position: { x: 4, y: 5, z: 0 }, orientation: quaternionOfYaw(1) };
    const bytes = encodeAny('geometry_msgs/msg/PoseWithCovarianceStamped', {
      header: { stamp: { sec: 0, nanosec: 0 }, frame_id: 'map' },
      pose: { pose, covariance: new Float64Array(36) },
    });
    const type = 'geometry_msgs/msg/PoseWithCovarianceStamped';
    other.observe({ topic: '/amcl_pose', type, stamp: 0n, received: 0n, bytes });
    await nav2.run(100);
    expect((await other.state()).pose).toMatchObject({ x: expect.closeTo(4, 6), y: expect.closeTo(5, 6) });
  });

  it('keeps signals, and ignores what is malformed', async () => {
    const { robot } = await made();
    const told = (topic: string, type: string, ...bytes: number[]) =>
      robot.observe({ topic, type, stamp: 0n, received: 0n, bytes: Uint8Array.from(bytes) });
    told('/docked', 'std_msgs/msg/Bool', 0, 1, 0, 0, 1);
    told('/docked', 'std_msgs/msg/Bool', 0, 1);
    told('/odom', 'nav_msgs/msg/Odometry', 0, 1, 0, 0);
    told('/tf', 'tf2_msgs/msg/TFMessage', 0, 1, 0, 0, 9, 9);
    told('/map', 'nav_msgs/msg/OccupancyGrid', 0, 1, 0, 0);
    expect(await robot.state()).toMatchObject({ signals: { '/docked': true }, connected: true });
  });
});

describe('a recovery motion without the behaviours of Nav2', () => {
  const ONLY_NAVIGATION = ['navigate_to_pose'];

  it.each([0.5, -0.3])('drives %f m by velocity and stands', async (distance) => {
    const { nav2, robot } = await made(ONLY_NAVIGATION);
    const from = nav2.pose.x;
    const motion = robot.maneuver({ kind: 'drive', distance });
    await nav2.run(8_000);
    expect((await motion).outcome).toBe('reached');
    expect(Math.abs(nav2.pose.x - from - distance)).toBeLessThan(0.03);
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
  });

  it.each([Math.PI / 2, -Math.PI, 3 * Math.PI])('spins by %f rad, full turns included', async (angle) => {
    const { nav2, robot } = await made(ONLY_NAVIGATION);
    const from = nav2.pose.yaw;
    const motion = robot.maneuver({ kind: 'spin', angle });
    await nav2.run(25_000);
    expect((await motion).outcome).toBe('reached');
    expect(Math.abs(nav2.pose.yaw - from - angle)).toBeLessThan(0.08);
  });

  it('gives up when nothing moves', async () => {
    const { nav2, robot } = await made(ONLY_NAVIGATION);
    nav2.blocked = true;
    const motion = robot.maneuver({ kind: 'drive', distance: 1 });
    await nav2.run(5_000);
    expect(await motion).toMatchObject({ outcome: 'stuck', message: expect.stringContaining('no progress') });
    expect(nav2.commands.at(-1)).toEqual(STOPPED);
  });
});
