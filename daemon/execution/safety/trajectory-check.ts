import { type ArmState, EdgeError, type JointTarget } from '../../../contract/core.ts';
import { ToolPoint } from '../../../formats/urdf/index.ts';
import type { Box, JointGateSpec, Workspace } from './gate-spec.ts';
import { depthOf, NEXT_LOOK_M, reachOf, withAir } from './workspace.ts';

/** Places looked at of one trajectory: hundreds of metres, and some 50 ms of this thread. */
const LOOKS_MAX = 100_000;
const ROUNDING = 1e-6;
/**
 * What a trajectory takes for the place where a joint is now may be this far from it, radians or metres: a planner read
 * it a moment ago. The start tolerance of MoveIt; the configuration may say another, up to so much.
 */
const START_TOLERANCE = 0.01;
const START_TOLERANCE_MAX = 0.5;
const TURN = 2 * Math.PI;

/**
 * A trajectory is carried out by the robot's own controller and does not pass through the joint gate step by step: it
 * is looked at as a whole before it starts, from where the joints are. Throws `command.refused` with the joint, or the
 * point, that does not fit: positions, the mean velocities between points, and the tool on straight lines of the joints
 * between them. A joint without ends may be given by another turn where the trajectory starts: it is the same place,
 * and controllers take it so. A joint that a point leaves out is taken to stay, as it does. Joints that the gate does
 * not know are the controller's business.
 */
export function checkTrajectory(
  spec: JointGateSpec,
  points: readonly JointTarget[],
  measured: ArmState['joints'],
): void {
  const { joints, workspace, startTolerance = START_TOLERANCE } = spec;
  /** Where each joint is at the point before; not a number where it is unknown. */
  const from = Float64Array.from(joints, ({ name }) =>
    Object.hasOwn(measured, name) ? measured[name]!.position : Number.NaN,
  );
  const to = from.slice();
  const told = new Set<string>();
  const way = workspace && new ToolWay(spec, workspace);
  let beforeMs = 0;
  for (const [i, point] of points.entries()) {
    const where = `point ${i + 1}`;
    const seconds = (point.timeFromStartMs - beforeMs) / 1000;
    for (const [j, { name, lower, upper, velocity }] of joints.entries()) {
      const at = own(point, name);
      if (at === undefined) continue;
      if (!(at >= lower - ROUNDING && at <= upper + ROUNDING))
        throw refused(name, `${where}: position ${at} of ${name} is outside ${lower} to ${upper}`);
      const begins = !told.has(name);
      const slack = begins ? Math.max(ROUNDING, startTolerance) : ROUNDING;
      const fits = velocity * seconds * (1 + ROUNDING) + slack;
      const atOnce = begins && point.timeFromStartMs === 0;
      if (
        Math.abs(at - known(from[j]!, name)) > fits &&
        begins &&
        lower === -Infinity &&
        upper === Infinity
      ) {
        const turned = nearestTurn(from[j]!, at);
        if (atOnce || Math.abs(at - turned) <= slack) from[j] = turned;
      }
      const moved = Math.abs(at - from[j]!);
      if (!(moved <= fits) && atOnce)
        throw besideStart(name, `${where}: the path of ${name} starts at ${at}`, moved, startTolerance);
      if (!(moved <= fits))
        throw refused(
          name,
          `${where}: velocity of ${name} is above ${velocity} per second: ${moved.toFixed(3)} in ${seconds} s`,
        );
      to[j] = at;
      told.add(name);
    }
    way?.check(from, to, where);
    from.set(to);
    beforeMs = point.timeFromStartMs;
  }
}

/** The way of the tool point along one trajectory. */
class ToolWay {
  readonly #spec: JointGateSpec;
  readonly #links: Workspace['chain']['links'];
  readonly #tool: ToolPoint;
  readonly #inside: readonly Box[];
  readonly #keepOut: readonly Box[];
  readonly #reach: Float64Array;
  readonly #positions: Float64Array;
  readonly #place = new Float64Array(3);
  /** A tool that starts outside of where it may be gets no further out. */
  #deepest = Number.NaN;
  #looks = 0;

  constructor(spec: JointGateSpec, workspace: Workspace) {
    const { inside, keepOut } = withAir(workspace);
    this.#spec = spec;
    this.#links = workspace.chain.links;
    this.#tool = new ToolPoint(workspace.chain);
    this.#inside = inside;
    this.#keepOut = keepOut;
    this.#reach = reachOf(workspace.chain, spec.joints);
    this.#positions = new Float64Array(spec.joints.length);
  }

  /** On a straight line of the joints. Each call continues where the one before it ended. */
  check(from: Float64Array, to: Float64Array, where: string): void {
    for (const { joint } of this.#links) if (joint >= 0) known(to[joint]!, this.#spec.joints[joint]!.name);
    if (Number.isNaN(this.#deepest)) this.#deepest = this.#depth(from, from, 0);
    let metres = 0;
    for (let j = 0; j < to.length; j++)
      if (this.#reach[j]! > 0) metres += this.#reach[j]! * Math.abs(to[j]! - from[j]!);
    const looks = Math.max(1, Math.ceil(metres / NEXT_LOOK_M));
    this.#looks += looks;
    if (!(this.#looks <= LOOKS_MAX))
      throw refused('workspace', `${where}: the path of the tool is too long to check: split it into parts`);
    for (let look = 1; look <= looks; look++) {
      const depth = this.#depth(from, to, look / looks);
      if (depth > this.#deepest + ROUNDING) {
        const at = [...this.#place].map((m) => m.toFixed(3)).join(', ');
        throw refused('workspace', `${where}: the tool would be at ${at} m`);
      }
      this.#deepest = Math.min(this.#deepest, depth);
    }
  }

  /** How far out the tool is at this share of the way. */
  #depth(from: Float64Array, to: Float64Array, share: number): number {
    for (let j = 0; j < to.length; j++) this.#positions[j] = from[j]! + (to[j]! - from[j]!) * share;
    this.#tool.place(this.#positions, this.#place);
    return depthOf(this.#place, this.#inside, this.#keepOut);
  }
}

function known(position: number, name: string): number {
  if (Number.isFinite(position)) return position;
  throw refused(name, `the position of ${name} is unknown: no joint states report it`);
}

function own({ positions }: JointTarget, name: string): number | undefined {
  return Object.hasOwn(positions, name) ? positions[name] : undefined;
}

/** The same place of a joint that turns without end, by the turn that is nearest to `at`. */
function nearestTurn(place: number, at: number): number {
  return place + TURN * Math.round((at - place) / TURN);
}

/** The arm is not where the trajectory starts. The key is named where it can help. */
function besideStart(name: string, message: string, away: number, tolerance: number): EdgeError {
  const key = `, or allow a larger distance: gate.start_tolerance (${tolerance})`;
  return refused(
    name,
    `${message}, which is ${away.toFixed(3)} away from its measured position`,
    `plan from the measured position of the arm${away <= START_TOLERANCE_MAX ? key : ''}; see docs/safety.md`,
  );
}

function refused(
  subject: string,
  message: string,
  hint = 'the limits come from gate.urdf and [gate]; see docs/safety.md',
): EdgeError {
  return new EdgeError('command.refused', { operation: 'joint gate', subject, message, hint });
}
