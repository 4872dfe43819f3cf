import { describe, expect, it } from 'vitest';
import type { MotionKind, MotionResult, NavigateGoal } from '../../contract/index.ts';
import { readConfig } from '../../daemon/config.ts';
import { ControlClient } from '../../daemon/execution/control/control-client.ts';
import type { ControlPort, FromControl, ToControl } from '../../daemon/execution/control/messages.ts';
import { withMotion } from '../../daemon/execution/robot-requests.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const NOW = { madeAtMs: 0, clock: new ManualClock() };
const HERE = { x: 0, y: 0, yaw: 0 };
const result = (outcome: MotionResult['outcome']): MotionResult => ({
  outcome,
  pose: HERE,
  distance: 1,
  durationMs: 400,
  time: 1n,
  message: '',
});

/** A control thread that notes its goals and ends each as it is told. */
function drive(...outcomes: MotionResult['outcome'][]) {
  const goals: NavigateGoal[] = [];
  const cancelled: string[] = [];
  let say: (message: FromControl) => void = () => {};
  const take = (message: ToControl) => {
    if (message.kind === 'cancel') cancelled.push(`${message.motionId} ${message.reason}`);
    if (message.kind !== 'ask' || message.ask.op !== 'navigate') return;
    goals.push(message.ask.goal);
    const value = result(outcomes[goals.length - 1]!);
    queueMicrotask(() => say({ kind: 'answer', id: message.id, value }));
  };
  const robot = new ControlClient({
    clock: new ManualClock(),
    spawn: () => ({
      port: {
        postMessage: (message: unknown) => take(message as ToControl),
        on: (_: 'message', listen: (message: never) => void) => {
          say = listen as (message: FromControl) => void;
        },
      } as ControlPort,
      terminate: () => {},
      onExit: () => {},
    }),
    onTick: () => {},
    onWake: () => {},
    onDown: () => {},
  });
  robot.start();
  return { goals, cancelled, robot };
}

const GOAL = { pose: { x: 3, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1_000, alignYaw: true };
const VIA = [
  { x: 1, y: 0, yaw: 0 },
  { x: 2, y: 0, yaw: 0 },
];

describe('the control thread as a robot', () => {
  it('passes the places on the way one after the other, in the time of the whole way', async () => {
    const { goals, robot } = drive('reached', 'reached', 'reached');
    expect(await robot.navigate({ ...GOAL, via: VIA })).toMatchObject({
      outcome: 'reached',
      distance: 3,
      durationMs: 1_200,
    });
    expect(goals.map(({ pose, timeoutMs, alignYaw }) => [pose.x, timeoutMs, alignYaw])).toEqual([
      [1, 1_000, false],
      [2, 600, false],
      [3, 200, true],
    ]);
    expect(goals.every((goal) => !('via' in goal))).toBe(true);
  });

  it('goes no further than the first place it does not reach, and cancels by its own names', async () => {
    const { goals, robot, cancelled } = drive('stuck');
    expect((await robot.navigate({ ...GOAL, via: VIA })).outcome).toBe('stuck');
    expect(goals).toHaveLength(1);
    await robot.navigate(GOAL, AbortSignal.abort('enough'));
    expect(cancelled).toEqual(['2 enough']);
  });
});

describe('requests for motions', () => {
  const begun = async (kind: MotionKind, goal: unknown) => {
    let taken: unknown;
    await withMotion(kind, { motionId: 'm', goal }, NOW, async (request) => {
      taken = request.goal;
      return result('reached');
    });
    return taken;
  };

  it('take places on the way, trajectories and grippers, and refuse what is no number', async () => {
    const { alignYaw: _, ...goal } = GOAL;
    expect(await begun('navigate', { ...goal, via: VIA })).toMatchObject({ via: VIA });
    const bad = (kind: MotionKind, wrong: unknown, path: string) =>
      expect(begun(kind, wrong)).rejects.toMatchObject({
        code: 'schema.invalid',
        subject: `/goal${path}`,
      });
    await bad('navigate', { ...goal, via: [{ x: '1', y: 0, yaw: 0 }] }, '/via/0/x');
    await bad('navigate', { ...goal, via: Array(101).fill(HERE) }, '/via');
    const points = (positions: object) => ({ points: [{ positions, timeFromStartMs: 1 }] });
    expect(await begun('follow', points({ a: 1 }))).toEqual(points({ a: 1 }));
    await bad('follow', points({ a: Number.NaN }), '/points/0/positions/a');
    await bad('follow', { points: {} }, '/points');
    await bad('gripper', { opening: 9, effort: 1 }, '/opening');
    await bad('maneuver', { kind: 'jump' }, '/kind');
  });

  it('begin in the turn that they come in, so that a cancel behind them finds them', () => {
    let taken = false;
    void withMotion('maneuver', { motionId: 'm', goal: { kind: 'wait', durationMs: 1 } }, NOW, async () => {
      taken = true;
      return result('reached');
    });
    expect(taken).toBe(true);
  });
});

describe('keys that do not agree', () => {
  it('are told by line: Nav2 and arms need ROS, an arm needs joints', () => {
    const source = '[robot]\nsource = "sim"\nnavigator = "nav2"\n[arm]\nenabled = true\n';
    const { faults } = readConfig(source, 'robot.toml', {});
    expect(faults.map(({ key, line }) => [key, line])).toEqual([
      ['robot.navigator', 3],
      ['arm.enabled', 5],
      ['arm.joints', 4],
    ]);
    const good = '[robot]\nsource = "ros"\nnavigator = "nav2"\n[arm]\nenabled = true\njoints = ["j1"]\n';
    expect(readConfig(good, 'robot.toml', {}).faults).toEqual([]);
  });
});
