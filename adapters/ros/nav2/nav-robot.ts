import {
  type Clock,
  EdgeError,
  LIMITS,
  type Maneuver,
  type MapSnapshot,
  type MotionResult,
  type NavigateGoal,
  NOT_CONFIRMED,
  type Robot,
  type RobotState,
  type RosActions,
  type RosGraph,
  type RosServices,
  type Sample,
  type SampleSink,
  type TopicSpec,
  type Twist2d,
  withDeadline,
} from '../../../contract/core.ts';
import { ActionGoals } from '../action-goal.ts';
import { Brake, type Rest, withRest } from '../brake.ts';
import { encodeVelocity } from '../messages.ts';
import { MotionEnds, type Outcome } from '../motion-ends.ts';
import {
  maneuverOrder,
  NAV_ACTIONS,
  NAV_TYPES,
  type NavAction,
  type NavOrder,
  navigateOrder,
  outcomeOf,
} from './nav-goals.ts';
import { type NavTopics, NavTrack } from './nav-track.ts';
import { steer } from './velocity-steer.ts';

export type NavRobotOptions = {
  /** ROS namespace of Nav2's servers, '' or with its leading slash. */
  readonly namespace: string;
  readonly topics: NavTopics;
  /** Frame of goals and map. */
  readonly mapFrame: string;
  /** Where zero velocity stops the base; advertised by the caller. */
  readonly velocity: TopicSpec;
};

export type NavRobotParts = {
  readonly clock: Clock;
  readonly sink: Pick<SampleSink, 'offer'>;
  readonly graph: RosGraph;
  readonly services: RosServices;
  readonly actions: RosActions;
};

/** What discovery already knows is reported at once, milliseconds. */
const GRAPH_MS = 1_000;
/** Servers have to be found before they can be asked to end the goals of a former life of this daemon, milliseconds. */
const FORMER_MS = 1_500;
const CANCEL_ALL_MS = 400;
/** Navigators send feedback at each tick of their tree, behaviours ten times a second, milliseconds. */
const FEEDBACK_SILENT_MS = 1_500;
const STANDING: Twist2d = { linear: 0, angular: 0 };

/**
 * A robot that navigates by Nav2: goals, cancellation and behaviours over ROS 2 actions, state from odometry and
 * localisation. Whatever ends a motion, its goal is cancelled and zero velocity is sent until odometry shows rest,
 * before the motion settles. `observe` has to be given the samples of its topics.
 */
export class NavRobot implements Robot {
  readonly #parts: NavRobotParts;
  readonly #options: NavRobotOptions;
  readonly #track: NavTrack;
  readonly #brake: Brake;
  readonly #goals: ActionGoals;
  #motion: RobotState['motion'] = 'idle';
  #running: MotionEnds | undefined;
  /** How often it was stopped: what waited for another motion to end meanwhile does not start. */
  #stops = 0;
  /** What a former life of this daemon asked of the robot is being ended. */
  #former: Promise<unknown> | undefined;
  #observed = 0;

  constructor(parts: NavRobotParts, options: NavRobotOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#track = new NavTrack(options.topics, options.mapFrame, parts.clock);
    this.#goals = new ActionGoals(parts, parts.clock);
    this.#brake = new Brake({
      clock: parts.clock,
      order: () => this.#send(STANDING),
      rest: this.#track.rest,
      connected: () => this.#track.connected,
    });
  }

  /** Samples it was given. */
  get observed(): number {
    return this.#observed;
  }

  observe(sample: Sample): void {
    this.#observed++;
    this.#track.observe(sample);
    if (!this.#former && this.#track.connected) this.#former = this.#endFormer();
  }

  async state(): Promise<RobotState> {
    const { time, pose, twist, distance, connected, signals } = this.#track;
    const motion = this.#motion;
    return { time, pose, twist, battery: undefined, distance, bumps: 0, motion, connected, signals };
  }

  async map(): Promise<MapSnapshot | undefined> {
    return this.#track.map;
  }

  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move('navigate', goal.timeoutMs, signal, async (ends) => {
      const order = navigateOrder(goal, this.#track.pose, this.#options.mapFrame);
      const end = await this.#order(order, ends);
      return 'ended' in end ? end : this.#checked(end, goal);
    });
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    return this.#move(step.kind, Infinity, signal, async (ends) => {
      if (step.kind === 'wait') return ends.afterRobotTime(step.durationMs);
      const order = maneuverOrder(step)!;
      if (await this.#offers(order.action)) return this.#order(order, ends);
      if (ends.signal.aborted) return { ended: true };
      const { clock } = this.#parts;
      return steer({ clock, track: this.#track, send: (twist) => this.#send(twist) }, step, ends.signal);
    });
  }

  /**
   * Ends every goal of Nav2's servers, also those of other clients. Resolves when odometry shows that the robot stands;
   * rejects with `robot.unreachable` where it does not within `LIMITS.STILL_WAIT_MS`.
   */
  async stop(reason: string): Promise<void> {
    this.#stops++;
    const running = this.#running;
    running?.end('stopped', reason);
    const braking = this.#brake.engage(this.#endAll(CANCEL_ALL_MS));
    const [rest] = await Promise.all([braking, running?.settled]);
    if (!this.#running) this.#motion = 'stopped';
    if (rest !== 'at_rest') throw notAtRest(rest, this.#options);
  }

  async close(): Promise<void> {
    this.#stops++;
    this.#running?.end('stopped', 'the daemon is shutting down');
    await this.#running?.settled;
    this.#brake.release();
    this.#goals.close();
  }

  async #move(
    operation: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    perform: (ends: MotionEnds) => Promise<Outcome | { readonly ended: true }>,
  ): Promise<MotionResult> {
    const stops = this.#stops;
    while (this.#running) {
      this.#running.end('preempted', 'another motion took over');
      await this.#running.settled;
    }
    if (!this.#track.connected) throw noOdometry(operation, this.#options.topics.odometry);
    const begun = { time: this.#track.time, distance: this.#track.distance };
    if (signal?.aborted || this.#stops !== stops)
      return this.#result(begun, { outcome: 'stopped', message: 'ended before it started' });
    const pulse = { clock: this.#parts.clock, track: this.#track, silence: 'odometry stopped arriving' };
    const ends = new MotionEnds(pulse, timeoutMs, signal);
    // The brake starts at once; what is measured counts from when the server has answered.
    const performed = Promise.withResolvers<void>();
    let braking: Promise<Rest> | undefined;
    const brake = () => {
      braking ??= this.#brake.engage(performed.promise);
      return braking;
    };
    ends.signal.addEventListener('abort', brake, { once: true });
    this.#running = ends;
    this.#motion = 'moving';
    let reached = false;
    try {
      await this.#former;
      // The brake that a stop put on meanwhile stays on: it reports to the stop whether the base rests.
      if (!ends.signal.aborted) this.#brake.release();
      const end = ends.signal.aborted ? { ended: true as const } : await perform(ends);
      performed.resolve();
      const rest = await brake();
      const outcome = 'ended' in end ? ends.outcome : end;
      reached = outcome.outcome === 'reached';
      return this.#result(begun, { ...outcome, message: withRest(outcome.message, rest) });
    } finally {
      // An error of the server says nothing about the base.
      performed.resolve();
      await brake();
      this.#motion = reached ? 'idle' : 'stopped';
      this.#running = undefined;
      ends.settle();
    }
  }

  async #order({ action, goal }: NavOrder, ends: MotionEnds): Promise<Outcome | { readonly ended: true }> {
    const name = this.#name(action);
    const { clock } = this.#parts;
    // Discovery reports a dead server after its lease, 20 s; the base may drive on by its last command until then.
    let heardAtMs = Infinity;
    ends.watch(() => {
      if (clock.monotonicMs() - heardAtMs > FEEDBACK_SILENT_MS) ends.fail(silent(name));
    });
    const onFeedback = () => {
      heardAtMs = clock.monotonicMs();
    };
    const end = await this.#goals.run({ name, type: NAV_TYPES[action], goal, onFeedback }, ends.signal);
    if (!('ended' in end)) return outcomeOf(end.result);
    if (ends.fault) throw ends.fault;
    return end;
  }

  /** Nav2 has a tolerance of its own: what was asked for is measured here. */
  #checked(end: Outcome, goal: NavigateGoal): Outcome {
    const { pose } = this.#track;
    if (end.outcome !== 'reached' || !pose) return end;
    const away = Math.hypot(pose.x - goal.pose.x, pose.y - goal.pose.y);
    if (away <= goal.tolerance) return end;
    const message = `Nav2 stopped ${away.toFixed(2)} m from the goal: its goal checker tolerates more than the requested ${goal.tolerance} m`;
    return { outcome: 'stuck', message };
  }

  #result(begun: { time: bigint; distance: number }, { outcome, message }: Outcome): MotionResult {
    const { time, pose, distance } = this.#track;
    const durationMs = Math.max(0, Number(time - begun.time) / 1e6);
    return { outcome, message, pose, distance: distance - begun.distance, durationMs, time };
  }

  /** Whether one of Nav2's servers is in the graph now; true where the graph cannot be asked. */
  async #offers(action: NavAction): Promise<boolean> {
    const ours = this.#name(action);
    try {
      const snapshot = this.#parts.graph.snapshot();
      const { actions } = await withDeadline(this.#parts.clock, GRAPH_MS, snapshot, 'snapshot', 'ros graph');
      return actions.some(({ name }) => name === ours);
    } catch {
      return true;
    }
  }

  /** Those that are not in the graph get the request too: the network may hide a Nav2 that drives on. */
  #endAll(timeoutMs: number): Promise<void> {
    const ours = NAV_ACTIONS.map((action) => this.#name(action));
    return this.#goals.cancelAll(ours, timeoutMs);
  }

  /** A daemon that died left its goals with Nav2: no client holds a lease for them. */
  async #endFormer(): Promise<void> {
    await this.#brake.engage(this.#endAll(FORMER_MS));
  }

  #name(action: NavAction): string {
    return `${this.#options.namespace}/${action}`;
  }

  #send(twist: Twist2d): boolean {
    const { clock, sink } = this.#parts;
    const { topic, type } = this.#options.velocity;
    const now = clock.now();
    return sink.offer({ topic, type, stamp: now, received: now, bytes: encodeVelocity(type, twist, now) });
  }
}

function silent(name: string): EdgeError {
  return new EdgeError('robot.unreachable', {
    operation: 'goal',
    subject: name,
    message: 'its feedback stopped arriving during the goal',
    hint: 'check whether Nav2 is still running',
  });
}

function noOdometry(operation: string, topic: string): EdgeError {
  return new EdgeError('robot.unreachable', {
    operation,
    subject: topic,
    message: 'no odometry arrives',
    hint: 'check that the robot base is running and the topic is configured',
  });
}

function notAtRest(rest: Rest, { topics, velocity }: NavRobotOptions): EdgeError {
  const [why, hint] =
    rest === 'silent'
      ? ['no odometry arrives', 'check that the robot base is running and the topic is configured']
      : ['its odometry still reports motion', `check which other node publishes on ${velocity.topic}`];
  return new EdgeError('robot.unreachable', {
    operation: 'stop',
    subject: topics.odometry,
    message: `${NOT_CONFIRMED} within ${LIMITS.STILL_WAIT_MS} ms: ${why}`,
    hint,
  });
}
