import type { Outcome } from '../campaign.ts';
import { type Claim, judge } from '../judge.ts';
import type { Trial } from '../trial.ts';
import { HostLateness } from './host-lateness.ts';
import { makeFault } from './make-fault.ts';
import { endRuns, moverOf } from './movers.ts';
import { isMoving, type Mover, type RealStage, ready, stageOf, wait } from './real-stage.ts';
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
  /** Counts from before the fault. One that takes its time to be made starts it again where its bound starts. */
  readonly lateness: Pick<HostLateness, 'restart'>;
};

/** What a fault says of itself once it was made. */
export type Made = {
  /** From when the bound counts. */
  readonly fromMs: number;
  /** What the host let the one who made it wait, milliseconds. */
  readonly hostLateMs?: number;
  /** Of a takeover: from the grant on. */
  readonly taken?: Claim['taken'];
  /** Nothing is judged after it: then the daemon may go on by itself. */
  readonly untilMs?: number;
  /** The daemon is gone for good: the next trial gets another one. */
  readonly endsDaemon?: boolean;
};

/** Trials with daemons as they are shipped: one for each robot, for all of its trials. */
export class RealTrials {
  readonly #stages = new Map<string, RealStage>();

  async run(trial: Trial): Promise<Outcome> {
    const name = trial.motion === 'prompted' ? 'prompted' : trial.robot;
    const stage = await this.#stage(name);
    await ready(stage);
    const mover = await moverOf(stage, trial);
    let isGone = false;
    try {
      const moved = await untilMoving(stage);
      await wait(trial.afterMs);
      const lateness = new HostLateness(stage.daemon.child.pid);
      const made = await makeFault({ trial, stage, mover, lateness });
      const { fromMs, hostLateMs = 0, taken, untilMs = Infinity, endsDaemon = false } = made;
      isGone = endsDaemon;
      const { commandsMs, restMs } = trial.bound;
      await wait(Math.max(0, fromMs + (restMs ?? 2_000) + TAIL_MS - hostMs()));
      // A busy host needs longer, and is watched for longer.
      const slackMs = lateness.ms + hostLateMs;
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
      mover.close?.();
      if (isGone) {
        this.#stages.delete(name);
        await stage.close();
      } else await endRuns(stage);
    }
  }

  async close(): Promise<void> {
    for (const stage of this.#stages.values()) await stage.close();
    this.#stages.clear();
  }

  async #stage(name: string): Promise<RealStage> {
    const known = this.#stages.get(name);
    if (known) return known;
    const made = await stageOf(name);
    this.#stages.set(name, made);
    return made;
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
