import { type Chain, forward, inverseDown } from './kinematics.ts';
import { type ArmView, cubeYaw, HZ } from './observation.ts';

/** What the expert is asked for. */
export type Task = 'pick_place' | 'reach';

/** Which part of the task a view belongs to; only the view decides, so the expert can take over in any state. */
export type ExpertPhase = 'approach' | 'grasp' | 'open' | 'carry' | 'release' | 'retreat' | 'done';

export type ExpertStep = {
  readonly phase: ExpertPhase;
  /** Where the joints should be next: six angles and the opening. */
  readonly action: readonly number[];
};

const OPEN = 0.07;
/** Below it the gripper has not let go of a cube of 40 mm; far below it, it holds nothing. */
const HOLDS_BELOW = 0.047;
const EMPTY_BELOW = 0.03;
/** Less than fully open does not go down around a cube. */
const OPEN_ENOUGH = 0.062;
/** Height of the point between the jaws when they close, metres. */
const GRASP_Z = 0.021;
const REST_Z = 0.02;
const REACH_Z = 0.1;
const HOVER = 0.1;
const RETREAT_Z = 0.14;
/** The tool goes down within a funnel over its goal: this wide at the bottom, and this steep. */
const FUNNEL_M = 0.006;
const FUNNEL_SLOPE = 4;
/** Tool speed, metres per second, and how far ahead of the arm its goal is set, seconds. */
const SPEED = 0.3;
const AHEAD_S = 2 / HZ;
const TURN_SPEED = 1.2;
/** The jaws close along x of `base_link`, turned with the cube: heading of x of the tool. */
const HEADING = Math.PI;

type Goal = {
  readonly phase: ExpertPhase;
  readonly at: readonly [number, number, number];
  readonly yaw: number;
  readonly opening: number;
};

/** The scripted expert: from a view of arm and world to the next joint positions. Pure. */
export class Expert {
  readonly #chain: Chain;
  readonly #task: Task;

  /** `chain`: the arm with its wrist joint 4 locked at zero, its tip between the jaws. */
  constructor(chain: Chain, task: Task = 'pick_place') {
    this.#chain = chain;
    this.#task = task;
  }

  /** Where no pose is within the limits, it stays where it is. */
  next(view: ArmView): ExpertStep {
    const { position, rotation } = forward(this.#chain, view.state);
    const tool = position as [number, number, number];
    const goal = this.#goal(view, tool);
    const heading = Math.atan2(rotation[3]!, rotation[0]!);
    const at = towards(tool, goal.at, SPEED * AHEAD_S);
    const turn = wrapped(HEADING + goal.yaw - heading);
    const most = TURN_SPEED * AHEAD_S;
    const next = heading + Math.min(most, Math.max(-most, turn));
    const angles = inverseDown(this.#chain, at, next, view.state) ?? view.state.slice(0, 6);
    return { phase: goal.phase, action: [...angles, goal.opening] };
  }

  #goal(view: ArmView, tool: readonly [number, number, number]): Goal {
    return this.#task === 'reach' ? reachGoal(view) : pickPlaceGoal(view, tool);
  }
}

function reachGoal(view: ArmView): Goal {
  const [x, y] = view.environment as [number, number];
  return { phase: 'approach', at: [x, y, REACH_Z], yaw: cubeYaw(view), opening: OPEN };
}

function pickPlaceGoal(view: ArmView, tool: readonly [number, number, number]): Goal {
  const [x, y, z, , , targetX, targetY] = view.environment as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const opening = view.state[6]!;
  const yaw = cubeYaw(view);
  const overCube = Math.hypot(tool[0] - x, tool[1] - y);
  const toTarget = Math.hypot(targetX - x, targetY - y);
  const holds =
    opening < HOLDS_BELOW && opening > EMPTY_BELOW && overCube < 0.02 && Math.abs(tool[2] - z) < 0.025;
  const lies = z < REST_Z + 0.006;
  if (toTarget < 0.02 && lies) return leaveGoal(view, tool, overCube, yaw);
  if (holds) {
    const at = funnel(tool, [targetX, targetY], GRASP_Z + 0.001, toTarget, [
      tool[0] + targetX - x,
      tool[1] + targetY - y,
    ]);
    return { phase: 'carry', at, yaw: 0, opening: 0 };
  }
  const around = overCube < 0.012 && Math.abs(tool[2] - GRASP_Z) < 0.009;
  if (around && opening > EMPTY_BELOW) return { phase: 'grasp', at: [x, y, GRASP_Z], yaw, opening: 0 };
  if (opening < OPEN_ENOUGH)
    return { phase: 'open', at: [tool[0], tool[1], Math.max(tool[2], HOVER)], yaw, opening: OPEN };
  return { phase: 'approach', at: funnel(tool, [x, y], GRASP_Z, overCube, [x, y]), yaw, opening: OPEN };
}

/** The cube is at its place: let go of it and move up. */
function leaveGoal(
  view: ArmView,
  tool: readonly [number, number, number],
  overCube: number,
  yaw: number,
): Goal {
  const low = tool[2] < 0.05 && overCube < 0.03;
  if (low && view.state[6]! < OPEN_ENOUGH)
    return { phase: 'release', at: [tool[0], tool[1], tool[2]], yaw: 0, opening: OPEN };
  const there = tool[2] > RETREAT_Z - 0.01;
  return {
    phase: there ? 'done' : 'retreat',
    at: [tool[0], tool[1], RETREAT_Z],
    yaw: there ? yaw : 0,
    opening: OPEN,
  };
}

/** Moves down only near `goal`, and sideways only as high as needed. */
function funnel(
  tool: readonly [number, number, number],
  goal: readonly [number, number],
  bottom: number,
  off: number,
  at: readonly [number, number],
): [number, number, number] {
  const height = bottom + Math.min(HOVER, Math.max(0, off - FUNNEL_M) * FUNNEL_SLOPE);
  const mayMove = tool[2] > height - 0.02 || Math.hypot(tool[0] - goal[0], tool[1] - goal[1]) < 2 * FUNNEL_M;
  return mayMove ? [at[0], at[1], height] : [tool[0], tool[1], height];
}

function towards(
  from: readonly [number, number, number],
  to: readonly [number, number, number],
  most: number,
): [number, number, number] {
  const [dx, dy, dz] = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
  const scale = Math.min(1, most / Math.max(1e-9, Math.hypot(dx, dy, dz)));
  return [from[0] + dx * scale, from[1] + dy * scale, from[2] + dz * scale];
}

function wrapped(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}
