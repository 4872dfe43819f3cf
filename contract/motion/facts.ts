import { maneuverArgs, navigateArgs } from './convert.ts';
import type { GoalOf, MotionKind } from './goals.ts';

/**
 * What a policy judges of a motion: its kind, the frame that its numbers are in, and the numbers with their units in
 * the names. The same facts for every caller and every tool.
 */
export type MotionFacts = { readonly motion: string; readonly frame: string } & Readonly<
  Record<string, unknown>
>;

/** Actions that let the robot move without being a motion, by their names in policies. */
export const JUDGED_ACTIONS = [
  'robot.teleoperate',
  'controller.run',
  'ros.goal',
  'ros.call',
  'ros.params',
  'ros.lifecycle',
  'bag.play',
] as const;

export type JudgedAction = {
  readonly tool: (typeof JUDGED_ACTIONS)[number];
  readonly facts: Readonly<Record<string, unknown>>;
  /** The motion that is asked for by it, judged by its own name too. */
  readonly motion?: { readonly tool: string; readonly facts: Readonly<Record<string, unknown>> };
};

type Places = readonly { readonly x: number; readonly y: number }[];

const FACTS: { readonly [K in MotionKind]: (goal: GoalOf<K>) => MotionFacts } = {
  navigate: (goal) => {
    const {
      x,
      y,
      via = [],
      ...rest
    } = navigateArgs(goal) as ReturnType<typeof navigateArgs> & { via?: Places };
    // Places on the way count like the goal.
    const [xs, ys] = [
      [x, ...via.map((place) => place.x)],
      [y, ...via.map((place) => place.y)],
    ];
    const box = {
      ...{ x_min_m: Math.min(...xs), x_max_m: Math.max(...xs) },
      ...{ y_min_m: Math.min(...ys), y_max_m: Math.max(...ys) },
    };
    return { motion: 'navigate', frame: 'map', x_m: x, y_m: y, ...box, via: via.length, ...rest };
  },
  maneuver: (step) => {
    const { kind, ...rest } = maneuverArgs(step);
    return { motion: kind, frame: 'base_link', ...rest };
  },
  follow: ({ points }) => ({
    motion: 'follow',
    frame: 'joints',
    points: points.length,
    joints: [...new Set(points.flatMap(({ positions }) => Object.keys(positions)))].sort(),
    duration_ms: points.at(-1)?.timeFromStartMs ?? 0,
  }),
  gripper: ({ opening, effort }) => ({
    motion: 'gripper',
    frame: 'joints',
    opening_m: opening,
    effort_n: effort,
  }),
};

export function motionFacts<K extends MotionKind>(kind: K, goal: GoalOf<K>): MotionFacts {
  return FACTS[kind](goal);
}
