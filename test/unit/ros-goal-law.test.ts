import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { rosGoalMotion } from '../../contract/core.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { PERSON } from '../support/runtime-rig.ts';

const goalTo = (x: number, frame_id = 'map') => ({
  pose: { header: { frame_id }, pose: { position: { x, y: 0 } } },
});

describe('a goal of a ROS action', () => {
  const nav2 = (name: string) => `nav2_msgs/action/${name}`;
  const control = (name: string) => `control_msgs/action/${name}`;
  const stamped = (x: number, y: number) => ({
    header: { frame_id: 'map' },
    pose: { position: { x, y }, orientation: { z: Math.SQRT1_2, w: Math.SQRT1_2 } },
  });

  it.each<[string, object, string | undefined, object]>([
    [
      nav2('NavigateToPose'),
      { pose: stamped(3, -1), behavior_tree: 'own.xml' },
      'robot.navigate',
      { motion: 'navigate', frame: 'map', x_m: 3, y_m: -1, x_max_m: 3, via: 0, behavior_tree: 'own.xml' },
    ],
    [
      nav2('NavigateThroughPoses'),
      { poses: [stamped(12, 0), stamped(1, 2)] },
      'robot.navigate',
      { motion: 'navigate', x_m: 1, x_min_m: 1, x_max_m: 12, y_max_m: 2, via: 1 },
    ],
    [
      nav2('NavigateThroughPoses'),
      { poses: { goals: [stamped(12, 0), stamped(1, 2)] } },
      'robot.navigate',
      { x_m: 1, x_max_m: 12, via: 1 },
    ],
    [nav2('Spin'), { target_yaw: -2 }, 'robot.maneuver', { motion: 'spin', angle_rad: -2 }],
    [
      nav2('DriveOnHeading'),
      { target: { x: 3, y: 4 }, speed: 0.2, disable_collision_checks: true },
      'robot.maneuver',
      { motion: 'drive', distance_m: 5, asked_speed_m_s: 0.2, disable_collision_checks: true },
    ],
    [nav2('BackUp'), { target: { x: 0.5 }, speed: 0.1 }, 'robot.maneuver', { distance_m: -0.5 }],
    [
      control('FollowJointTrajectory'),
      {
        trajectory: {
          joint_names: ['b', 'a'],
          points: [{ positions: [1, 2], time_from_start: { sec: 2, nanosec: 500_000_000 } }],
        },
      },
      'arm.move',
      { motion: 'follow', frame: 'joints', points: 1, joints: ['a', 'b'], duration_ms: 2_500 },
    ],
    [
      control('GripperCommand'),
      { command: { position: 0.03, max_effort: 7 } },
      'arm.gripper',
      { motion: 'gripper', opening_m: 0.03, effort_n: 7 },
    ],
    ['example_interfaces/action/Fibonacci', { order: 5 }, undefined, { motion: 'unknown' }],
  ])('%s is judged by what it asks for', (type, goal, tool, facts) => {
    const motion = rosGoalMotion(type, goal as Record<string, unknown>);
    expect(motion.tool).toBe(tool);
    expect(motion.facts).toMatchObject(facts);
  });

  it.each([
    ['a place in another frame', nav2('NavigateToPose'), goalTo(1, 'odom'), /frame "odom"/],
    ['a place in no frame', nav2('NavigateToPose'), goalTo(1, ''), /frame ""/],
    ['a field that is not known', nav2('Spin'), { target_yaw: 1, velocity: 9 }, /field velocity/],
    ['no place', nav2('NavigateThroughPoses'), { poses: [] }, /no place/],
  ])('is refused with %s', (_what, type, goal, message) => {
    expect(() => rosGoalMotion(type, goal as Record<string, unknown>)).toThrow(message);
  });

  it('is denied where a number is none: nothing passes by a limit that cannot be compared', async () => {
    const text = `@id("all") permit (principal, action, resource);
      @id("hall") forbid (principal, action, resource == Auraison::Tool::"robot.navigate")
      when { context.numbers.hasTag("x_max_m") && context.numbers.getTag("x_max_m").greaterThan(decimal("10.0")) };`;
    const book = await PolicyBook.open({
      ...{ robot: 'tb1', clock: new ManualClock() },
      read: () => ({
        policies: [{ file: 'site.cedar', text }],
        entities: { file: 'entities.json', text: '' },
      }),
      standing: ({ roles }) => ({ ok: true, roles }),
    });
    for (const [x, decision] of [
      ['ten', 'deny'],
      [Number.NaN, 'deny'],
      [11, 'deny'],
      [9, 'allow'],
    ] as const) {
      const { tool, facts } = rosGoalMotion(nav2('NavigateToPose'), goalTo(x as number));
      const asked = { point: 'tool', subject: tool!, context: PERSON, facts } as const;
      expect([x, (await book.decide(asked)).decision]).toEqual([x, decision]);
    }
  });
});
