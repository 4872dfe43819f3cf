import type { Outcome } from '../campaign.ts';
import { type Claim, judge } from '../judge.ts';
import type { Trial } from '../trial.ts';
import { HostLateness } from './host-lateness.ts';
import { makeFault } from './make-fault.ts';
import {
  baseStage,
  isMoving,
  type Mover,
  onMission,
  type RealStage,
  ready,
  rosStage,
  spinning,
  steering,
  wait,
} from './real-stage.ts';
import { hostMs } from './sim-record.ts';

/** What was asked for moves the robot by then, milliseconds: a mission thinks first. */
const MOVES_MS = 20_000;
/** What is watched after the bound, milliseconds. */
const TAIL_MS = 800;

/** One trial as its fault is made. */
export type RealTrial = {
  readonly trial: Trial;
  readonly stage: RealStage;
  readonly mover: Mover;
};

/** What a fault says of itself once it was made. */
export type Made = {
  /** From when the bound counts. */
  readonly fromMs: number;
  /** Of a takeover: from the grant on. */
  readonly taken?: Claim['taken'];
  /** Nothing is judged after it: then the daemon may go on by itself. */
  readonly untilMs?: number;
};

/** Trials with daemons as they are shipped: one for each robot, for all of its trials. */
export class RealTrials {
  readonly #stages = new Map<'base' | 'ros', RealStage>();

  async run(trial: Trial): Promise<Outcome> {
    if (trial.robot === 'arm') throw new Error('the arm has no trials with real processes');
    const stage = await this.#stage(trial.robot);
    await ready(stage);
    const mover = await this.#mover(stage, trial);
    try {
      const moved = await untilMoving(stage);
      await wait(trial.afterMs);
      const lateness = new HostLateness(stage.daemon.child.pid);
      const { fromMs, taken, untilMs = Infinity } = await makeFault({ trial, stage, mover });
      const { commandsMs, restMs } = trial.bound;
      await wait(Math.max(0, fromMs + (restMs ?? 2_000) + TAIL_MS - hostMs()));
      // A busy host needs longer, and is watched for longer.
      const slackMs = lateness.ms;
      await wait(Math.min(slackMs, 10_000));
      const verdict = judge(stage.facts, stage.record(), {
        ...{ faultAtMs: fromMs, endMs: Math.min(untilMs, hostMs()), slackMs },
        ...(commandsMs === undefined ? {} : { quietFromMs: fromMs + commandsMs }),
        ...(restMs === undefined ? {} : { restByMs: fromMs + restMs }),
        ...(taken ? { taken } : {}),
      });
      return { verdict, moved, hostLateMs: slackMs };
    } finally {
      mover.end();
      if (mover.runId !== undefined)
        await stage.daemon.api
          .post(`/v1/runs/${mover.runId}/cancel`, { reason: 'the trial is over' })
          .catch(() => {});
    }
  }

  async close(): Promise<void> {
    for (const stage of this.#stages.values()) await stage.close();
    this.#stages.clear();
  }

  async #stage(robot: 'base' | 'ros'): Promise<RealStage> {
    const known = this.#stages.get(robot);
    if (known) return known;
    const made = robot === 'base' ? await baseStage() : await rosStage();
    this.#stages.set(robot, made);
    return made;
  }

  #mover(stage: RealStage, { motion }: Trial): Promise<Mover> {
    if (motion === 'teleop') return steering(stage);
    return motion === 'mission' ? onMission(stage) : spinning(stage);
  }
}

async function untilMoving({ record, facts }: RealStage): Promise<boolean> {
  const fromMs = hostMs();
  while (hostMs() < fromMs + MOVES_MS) {
    const state = record().findLast((one) => one.kind === 'state');
    if (state && state.atMs >= fromMs - 200 && isMoving(state.speeds, facts)) return true;
    await wait(20);
  }
  return false;
}
