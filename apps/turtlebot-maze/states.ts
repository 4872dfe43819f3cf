import {
  EdgeError,
  type FlowScope,
  type FlowStep,
  type MapSnapshot,
  type MotionResult,
  type Pose2d,
  pause,
  type RobotState,
} from 'auraison-edge';
import { chooseGoal, chooseRim } from './choose-goal.ts';
import { clipOf } from './clip.ts';
import {
  AVOID_MAX,
  elapsedS,
  look,
  MAX_BUMPS,
  MAX_DURATION_S,
  type MazeFacts,
  type MazeParams,
  round,
} from './facts.ts';
import { survey } from './frontier.ts';

type Scope = FlowScope<MazeFacts, MazeParams>;
type Step = FlowStep<MazeFacts>;

/** The door sensor of the maze: true once the robot is through. */
export const EXIT_SIGNAL = '/maze/exit_reached';

/** How long a robot may take to come up, localise and have a map, milliseconds of wall time. */
const READY_MS = 60_000;
const READY_POLL_MS = 100;
/** Metres from a leg's end that count as there. */
const TOLERANCE_M = 0.25;
/** Robot time for a leg: what it takes at 0.08 m/s, and time to turn. */
const LEG_MS_PER_M = 12_000;
const LEG_MS = 20_000;

/** The robot may not drive: the run ends, and a person reads why in its result. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'estop.engaged',
  'policy.denied',
  'lease.held',
  'command.refused',
]);
const PROBLEM_CHARS_MAX = 300;

type Seen = { readonly state: RobotState; readonly pose: Pose2d; readonly map: MapSnapshot };

/** Looks: is it the exit, is the time over, is there anything to plan with? */
export async function explore(scope: Scope): Promise<Step> {
  const { state } = await seen(scope);
  const looked = look(scope.facts, state, EXIT_SIGNAL);
  const bumped = (looked.bumps ?? 0) > scope.facts.bumps;
  const news = { ...looked, ...(bumped ? await clipOf(scope, 'collision', state.time) : {}) };
  const facts = { ...scope.facts, ...news };
  const step = (event: string, reason: string): Step => ({
    event,
    reason,
    facts: news,
    robotTime: state.time,
  });
  if (facts.exit) return step('exit', 'the door sensor says so');
  const seconds = scope.params.max_duration_s ?? MAX_DURATION_S;
  if (elapsedS(facts) >= seconds) return step('limit', `${seconds} s of robot time are over`);
  const bumps = scope.params.max_bumps ?? MAX_BUMPS;
  if (facts.bumps > bumps) return step('limit', `${facts.bumps} bumps, at most ${bumps} are allowed`);
  return step('looked', `${facts.distance_m} m driven, ${facts.bumps} bumps`);
}

/** Chooses where to look next. */
export async function plan(scope: Scope): Promise<Step> {
  const { state, pose, map } = await seen(scope);
  const view = survey(map, pose);
  const choice = chooseGoal(map, view, scope.facts);
  const open = view.frontiers.reduce((sum, frontier) => sum + frontier.gain, 0);
  const facts = {
    known_m2: round(view.known),
    open_m2: round(open),
    frontiers: view.frontiers.length,
    plans: scope.facts.plans + 1,
  };
  if (!choice) {
    const rim = chooseRim(map, view, pose, scope.facts.avoid);
    if (rim.choice) {
      const { target, leg } = rim.choice;
      const avoid = [...scope.facts.avoid, ...rim.been].slice(-AVOID_MAX);
      const reason = `nothing unknown is left: to the outermost floor, ${target.cost_m} m`;
      return { event: 'goal', reason, robotTime: state.time, facts: { ...facts, target, leg, avoid } };
    }
    const reason = `${view.frontiers.length} frontiers, none of them to be tried`;
    const failures = scope.facts.failures + 1;
    const anew = { target: null, leg: null, avoid: [], failures, problem: 'no frontier' };
    return { event: 'exhausted', reason, robotTime: state.time, facts: { ...facts, ...anew } };
  }
  const { target, leg } = choice;
  const reason = `${target.gain_m2} m² of unknown floor for ${target.cost_m} m, best of ${view.frontiers.length}`;
  return { event: 'goal', reason, robotTime: state.time, facts: { ...facts, target, leg } };
}

/** Drives one stretch. */
export async function navigate(scope: Scope): Promise<Step> {
  const { leg, target, legs, failures, lost } = scope.facts;
  if (!leg) return { event: 'lost', reason: 'no leg to drive', facts: { lost: lost + 1 } };
  const goal = {
    pose: { x: leg.x, y: leg.y, yaw: leg.yaw },
    tolerance: TOLERANCE_M,
    timeoutMs: Math.round(LEG_MS + LEG_MS_PER_M * leg.length_m),
  };
  let result: MotionResult;
  try {
    result = await scope.robot.navigate(goal, scope.signal);
  } catch (thrown) {
    if (!(thrown instanceof EdgeError) || !thrown.retryable) throw thrown;
    // The robot was away; when it is back its map may start again, so nothing planned before holds.
    const facts = { lost: lost + 1, target: null, leg: null, avoid: [], problem: thrown.code };
    return { event: 'lost', reason: thrown.message, facts };
  }
  const time = result.time === 0n ? {} : { robotTime: result.time };
  const reason = `${result.outcome}: ${result.message}`;
  if (result.outcome === 'reached') {
    return {
      event: 'arrived',
      reason,
      ...time,
      facts: { legs: legs + 1, failures: 0, leg: null, problem: '' },
    };
  }
  const clip = result.outcome === 'stuck' ? await clipOf(scope, 'stuck', result.time) : {};
  const facts = { failures: failures + 1, leg: null, problem: result.outcome, ...clip };
  if (result.outcome === 'stopped' || result.outcome === 'preempted') {
    return { event: 'interrupted', reason, ...time, facts };
  }
  const avoid = target
    ? [...scope.facts.avoid, { x: target.x, y: target.y }].slice(-AVOID_MAX)
    : scope.facts.avoid;
  return { event: 'blocked', reason, ...time, facts: { ...facts, target: null, avoid } };
}

/** As `navigate`. What forbids it is a fact of the mission, so that its end says why. */
export async function navigateIfAllowed(scope: Scope): Promise<Step> {
  try {
    return await navigate(scope);
  } catch (thrown) {
    if (!(thrown instanceof EdgeError) || !FORBIDDEN.has(thrown.code)) throw thrown;
    const problem = thrown.message.slice(0, PROBLEM_CHARS_MAX);
    return { event: 'error', reason: thrown.message, facts: { problem } };
  }
}

/** Frees the robot and looks around: back, then a turn, wider with each failure in a row. */
export async function recover(scope: Scope): Promise<Step> {
  const { failures, recoveries, problem } = scope.facts;
  const back = -0.1 - 0.05 * Math.min(failures, 3);
  const turn = (recoveries % 2 === 0 ? 1 : -1) * Math.min(failures, 4) * (Math.PI / 2);
  const backed = await attempt(() =>
    scope.robot.maneuver({ kind: 'drive', distance: round(back) }, scope.signal),
  );
  const turned = await attempt(() =>
    scope.robot.maneuver({ kind: 'spin', angle: round(turn) }, scope.signal),
  );
  const { state } = await seen(scope);
  return {
    event: 'recovered',
    reason: `after ${problem}: back ${backed}, turn ${turned}`,
    robotTime: state.time,
    facts: { ...look(scope.facts, state, EXIT_SIGNAL), recoveries: recoveries + 1, problem: '' },
  };
}

/** A manoeuvre that a restart interrupted may have happened: recovery continues without it. */
async function attempt(move: () => Promise<MotionResult>): Promise<string> {
  try {
    return (await move()).outcome;
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code === 'run.interrupted') return 'interrupted';
    throw thrown;
  }
}

/**
 * The robot with a pose and a map. Waits for both without logging: the duration of a start is no
 * decision. Throws the last error when that takes too long.
 */
export async function seen(scope: Pick<Scope, 'robot' | 'clock' | 'signal'>): Promise<Seen> {
  const until = scope.clock.monotonicMs() + READY_MS;
  for (;;) {
    let problem: unknown;
    try {
      const state = await scope.robot.state();
      const map = state.connected && state.pose ? await scope.robot.map() : undefined;
      if (state.pose && map) return { state, pose: state.pose, map };
      problem = unready(state);
    } catch (thrown) {
      if (!(thrown instanceof EdgeError) || !thrown.retryable) throw thrown;
      problem = thrown;
    }
    if (scope.signal.aborted || scope.clock.monotonicMs() >= until) throw problem;
    await pause(scope.clock, READY_POLL_MS, scope.signal);
  }
}

function unready(state: RobotState): EdgeError {
  const message = !state.connected
    ? 'the robot is not connected'
    : state.pose
      ? 'the robot has no map yet'
      : 'the robot does not know where it is yet';
  return new EdgeError('robot.unreachable', { operation: 'look', subject: 'robot', message });
}
