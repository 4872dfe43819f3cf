import {
  type Clock,
  EdgeError,
  type ErrorBody,
  LIMITS,
  type Policy,
  type Twist2d,
  withDeadline,
} from '../../../contract/core.ts';
import type { Drive } from '../navigation/motion.ts';
import type { LocalGoal } from '../navigation/path-follower.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { CommandGate, UNSEEN } from './command-gate.ts';
import type { DriveLimits } from './drive-limits.ts';
import { driveObservation } from './drive-observation.ts';
import type { LocalObstacles } from './local-obstacles.ts';
import { NO_ORIGIN, type StepOrigin } from './step-origin.ts';

export type ControlOptions = {
  readonly hz: number;
  /** Control steps between inferences; the rest of a chunk is the reserve against a slow one. */
  readonly inferEvery: number;
  /** A scan or odometry older than this (robot time) stops the base, milliseconds. */
  readonly scanStaleMs: number;
  /** An inference later than this is abandoned, milliseconds; in lockstep `LOCKSTEP_INFER_MS` applies. */
  readonly inferDeadlineMs: number;
  /** The tick waits for inference: only where the world waits too (lockstep simulation). */
  readonly lockstep: boolean;
  /** Robot time is that of a simulation: its stamps say nothing of how late they come. */
  readonly simulated: boolean;
  /**
   * The clock of the robot is not that of this host, nor synchronised with it: a difference that stays is no lateness.
   */
  readonly ownClock: boolean;
};

export const CONTROL_DEFAULTS: ControlOptions = {
  hz: 20,
  inferEvery: 2,
  scanStaleMs: 400,
  inferDeadlineMs: 250,
  lockstep: false,
  simulated: false,
  ownClock: false,
};

/** What is known around the robot at a control step; `obstacles` undefined before the first scan. */
export type Sensing = {
  readonly obstacles: LocalObstacles | undefined;
  readonly scanAgeMs: number;
  readonly odometryAgeMs: number;
  /** How late samples come over their link, milliseconds: a part of both ages. */
  readonly lateMs: number;
  /** They have come about that late all the while: it looks like a difference of clocks. */
  readonly isOffset?: boolean;
  readonly twist: Twist2d;
  readonly bumped: boolean;
};

/** Something that the record has to know; sent once when it starts, not at every step. */
export type Receipt =
  | { readonly kind: 'command.refused'; readonly error: ErrorBody; readonly source: string }
  | { readonly kind: 'safety.stopped'; readonly reason: string; readonly source: string };

export type Applied = {
  readonly command: Twist2d;
  readonly receipts: readonly Receipt[];
  readonly origin: StepOrigin;
};

export type ControlCounts = {
  steps: number;
  inferences: number;
  failures: number;
  starved: number;
  refused: number;
  limited: number;
  stale: number;
};

/** Steps in a row that the gate lets no wheel roll for want of sight before it is reported: a bend costs a few. */
const UNSEEN_STEPS = 10;
const UNSEEN_WHY =
  'the lidar has no valid range in the direction of travel (missing, NaN, or below the minimum range)';

/** An inference in lockstep times out after this, milliseconds: less than a step of the control thread may take. */
const LOCKSTEP_INFER_MS = 9_000;

const STAND: Twist2d = { linear: 0, angular: 0 };

/**
 * System 1: one call per control step turns what a motion wants into a command for the robot. Starvation
 * behaviour: decelerate to standing. Policies are asked ahead of need and never waited for, except in lockstep.
 */
export class ControlLoop {
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #options: ControlOptions;
  readonly #gate: CommandGate;
  readonly #queue = new ChunkQueue();
  readonly counts: ControlCounts = {
    steps: 0,
    inferences: 0,
    failures: 0,
    starved: 0,
    refused: 0,
    limited: 0,
    stale: 0,
  };
  #pending: Promise<void> | undefined;
  #abandon: () => void = () => {};
  /** Grows when the queue is cleared: answers asked for before belong to another motion. */
  #epoch = 0;
  #sinceInference = 0;
  #unseenSteps = 0;
  #starvedSince: bigint | undefined;
  #standing = '';
  #refusing = false;
  #last: bigint | undefined;
  #lastMs = Infinity;
  #failure = '';

  constructor(policy: Policy, clock: Clock, limits: DriveLimits, options: ControlOptions = CONTROL_DEFAULTS) {
    this.#policy = policy;
    this.#clock = clock;
    this.#options = options;
    this.#gate = new CommandGate(limits);
  }

  /** Why the base was let stand in the last step though it may be asked to move; empty when nothing keeps it. */
  get standing(): string {
    return this.#standing;
  }

  get applied(): Twist2d {
    return this.#gate.applied;
  }

  /** A stop came: a step in lockstep waits for its policy no longer, and the motion that follows asks it again. */
  abandon(): void {
    this.#abandon();
    if (!this.#options.lockstep) return;
    this.#pending = undefined;
    this.#epoch++;
  }

  /** How long there has been nothing to execute, milliseconds of robot time. */
  starvedMs(now: bigint): number {
    return this.#starvedSince === undefined ? 0 : Number(now - this.#starvedSince) / 1e6;
  }

  async step(now: bigint, drive: Drive, sensing: Sensing): Promise<Applied> {
    this.counts.steps++;
    const receipts: Receipt[] = [];
    const seconds = this.#stepSeconds(now);
    this.#forgetOldSpeed();
    let asked = STAND;
    let why = '';
    let starved = false;
    if (drive.kind !== 'goal') this.#forget();
    const blind = drive.kind === 'halt' ? '' : this.#blind(sensing);
    if (blind !== '') {
      this.counts.stale++;
      this.#forget();
      why = blind;
    } else if (drive.kind === 'direct') {
      asked = drive.twist;
    } else if (drive.kind === 'goal') {
      asked = (await this.#act(now, drive.goal, sensing)) ?? STAND;
      starved = this.#starvedSince !== undefined;
      if (starved) why = `starved: ${this.#failure || 'the policy is late'}`;
    }
    const verdict = this.#gate.apply(asked, seconds, sensing.obstacles, sensing.bumped);
    this.#unseenSteps = verdict.reason === UNSEEN ? this.#unseenSteps + 1 : 0;
    if (why === '' && this.#unseenSteps >= UNSEEN_STEPS) why = UNSEEN_WHY;
    if (why !== '' && this.#standing === '')
      receipts.push({ kind: 'safety.stopped', reason: why, source: 'control' });
    this.#standing = why;
    if (verdict.verdict === 'limited') this.counts.limited++;
    if (verdict.verdict === 'refused') this.#refuse(verdict.reason, receipts);
    else this.#refusing = false;
    const origin: StepOrigin = {
      ...(drive.kind === 'goal' ? this.#chunkOrigin() : NO_ORIGIN),
      asked,
      verdict: starved ? 'starved' : verdict.verdict,
      reason: why === '' ? verdict.reason : why,
    };
    return { command: verdict.applied, receipts, origin };
  }

  /** What the action of this step was made by: nothing, when there was no unexpired one. */
  #chunkOrigin(): Pick<StepOrigin, 'chunk' | 'observation' | 'policy' | 'policyHash'> {
    const held = this.#starvedSince === undefined ? this.#queue.held : undefined;
    if (!held) return NO_ORIGIN;
    const { stamp: observation, policyHash } = held.chunk;
    return { chunk: held.number, observation, policy: this.#policy.describe().name, policyHash };
  }

  /** What keeps the base from being driven by its senses; empty when nothing does. */
  #blind({ obstacles, scanAgeMs, odometryAgeMs, lateMs, isOffset }: Sensing): string {
    if (!obstacles) return 'the newest scan is missing';
    const { scanStaleMs } = this.#options;
    const old = (what: string, ageMs: number) => {
      const late = `: samples arrive ${Math.round(lateMs)} ms late, or the clocks of the robot and this host differ`;
      const cure = isOffset ? ' by a constant offset: synchronise them, or set robot.clock = "own"' : '';
      const because = ageMs - lateMs <= scanStaleMs ? late + cure : '';
      return `the newest ${what} is ${Math.round(ageMs)} ms old${because}`;
    };
    if (!(scanAgeMs <= scanStaleMs)) return old('scan', scanAgeMs);
    if (!(odometryAgeMs <= scanStaleMs)) return old('odometry', odometryAgeMs);
    return '';
  }

  /** The action for now; undefined when starved. Asks for the next chunk when it is due. */
  async #act(now: bigint, goal: LocalGoal, sensing: Sensing): Promise<Twist2d | undefined> {
    this.#sinceInference++;
    const due = this.#sinceInference >= this.#options.inferEvery || this.#queue.at(now) === undefined;
    if (due && !this.#pending) {
      this.#sinceInference = 0;
      const asked = this.#infer(now, goal, sensing).finally(() => {
        if (this.#pending === asked) this.#pending = undefined;
      });
      this.#pending = asked;
      if (this.#options.lockstep) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#abandon = resolve;
        await Promise.race([asked, promise]);
      }
    }
    const action = this.#queue.at(now);
    if (action) {
      this.#starvedSince = undefined;
    } else {
      this.counts.starved++;
      this.#starvedSince ??= now;
    }
    return action;
  }

  /** Settles always: what fails is counted, and the queue runs dry. */
  async #infer(now: bigint, goal: LocalGoal, sensing: Sensing): Promise<void> {
    const epoch = this.#epoch;
    // In lockstep the world waits: an answer is late by the wall clock only where the policy hangs.
    const { lockstep, inferDeadlineMs } = this.#options;
    const ms = lockstep ? LOCKSTEP_INFER_MS : inferDeadlineMs;
    const observation = driveObservation(now, sensing.obstacles!, goal, sensing.twist);
    this.counts.inferences++;
    try {
      const answer = this.#policy.infer(observation, ms);
      const chunk = await withDeadline(this.#clock, lockstep ? ms : ms * 2, answer, 'infer', 'policy');
      if (epoch === this.#epoch && !this.#queue.put(chunk))
        throw new Error('an action chunk has the wrong shape or timestamp');
      if (epoch === this.#epoch) this.#failure = '';
    } catch (error) {
      this.counts.failures++;
      if (epoch === this.#epoch) this.#failure = error instanceof Error ? error.message : String(error);
    }
  }

  #forget(): void {
    this.#queue.clear();
    this.#epoch++;
    this.#starvedSince = undefined;
  }

  #refuse(reason: string, receipts: Receipt[]): void {
    this.counts.refused++;
    if (!this.#refusing) {
      const error = new EdgeError('command.refused', {
        operation: 'control-step',
        subject: 'cmd_vel',
        message: reason,
      });
      receipts.push({ kind: 'command.refused', error: error.toBody(), source: this.#policy.describe().name });
    }
    this.#refusing = true;
  }

  /** The last command expired: the base was stopped meanwhile, and does not brake from its speed once more. */
  #forgetOldSpeed(): void {
    const nowMs = this.#clock.monotonicMs();
    const expired = nowMs - this.#lastMs > LIMITS.COMMAND_EXPIRY_MS;
    this.#lastMs = nowMs;
    if (expired && !this.#options.lockstep) this.#gate.reset();
  }

  /**
   * Time since the last step, kept near the nominal so that a gap does not open the acceleration limits. Robot time may
   * wait for samples that come late; the base does not wait, and has to brake meanwhile.
   */
  #stepSeconds(now: bigint): number {
    const nominal = 1 / this.#options.hz;
    const since = this.#last === undefined ? nominal : Number(now - this.#last) / 1e9;
    this.#last = now;
    if (since <= 0 && !this.#options.lockstep) return nominal;
    return Math.min(Math.max(since, 0), 2 * nominal);
  }
}
