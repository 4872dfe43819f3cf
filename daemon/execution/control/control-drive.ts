import type {
  ExecutionStatus,
  Maneuver,
  MapSnapshot,
  MotionResult,
  NavigateGoal,
  RobotState,
  Sample,
  Twist2d,
  WorkCounter,
} from '../../../contract/core.ts';
import type { Drive } from '../drive.ts';
import type { ControlClient } from './control-client.ts';
import type { TickResult } from './control-core.ts';

/** Robot time between two places of a way, milliseconds: what a leg has at least. */
const LEG_MS_MIN = 1;

/** The control thread as a `Robot`: a motion is named by a number, an abort cancels it there. */
export class ControlDrive implements Drive {
  readonly #control: ControlClient;
  readonly #lease: () => number;
  #motions = 0;

  /** `lease`: the one that is held now; a motion goes on under the one that it started with. */
  constructor(control: ControlClient, lease: () => number = () => 0) {
    this.#control = control;
    this.#lease = lease;
  }

  get status(): ExecutionStatus['control'] {
    return this.#control.status;
  }

  start(): void {
    this.#control.start();
  }

  offer(sample: Sample): void {
    this.#control.offer(sample);
  }

  work(): WorkCounter {
    return this.#control.work();
  }

  tick(time: bigint): Promise<TickResult> {
    return this.#control.tick(time);
  }

  close(): Promise<void> {
    return this.#control.close();
  }

  state(): Promise<RobotState> {
    return this.#control.state();
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#control.map();
  }

  async navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult> {
    const { via = [], ...last } = goal;
    const lease = this.#lease();
    let driven = { distance: 0, durationMs: 0 };
    for (const pose of via) {
      const leg = await this.#leg({ ...last, pose, alignYaw: false }, driven.durationMs, signal, lease);
      driven = { distance: driven.distance + leg.distance, durationMs: driven.durationMs + leg.durationMs };
      if (leg.outcome !== 'reached') return { ...leg, ...driven };
    }
    const end = await this.#leg(last, driven.durationMs, signal, lease);
    return {
      ...end,
      distance: driven.distance + end.distance,
      durationMs: driven.durationMs + end.durationMs,
    };
  }

  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult> {
    const lease = this.#lease();
    return this.#motion((id) => this.#control.maneuver(id, step, lease), signal);
  }

  stop(reason: string): Promise<void> {
    return this.#control.stop(reason);
  }

  steer(twist: Twist2d, lease: number, madeAtMs: number): boolean {
    return this.#control.steer(twist, lease, madeAtMs);
  }

  #leg(
    goal: NavigateGoal,
    spentMs: number,
    signal: AbortSignal | undefined,
    lease: number,
  ): Promise<MotionResult> {
    const timeoutMs = Math.max(LEG_MS_MIN, goal.timeoutMs - spentMs);
    return this.#motion((id) => this.#control.navigate(id, { ...goal, timeoutMs }, lease), signal);
  }

  async #motion(
    begin: (id: string) => Promise<MotionResult>,
    signal: AbortSignal | undefined,
  ): Promise<MotionResult> {
    const id = String(++this.#motions);
    const motion = begin(id);
    const cancel = () => this.#control.cancel(id, reasonOf(signal));
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await motion;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }
}

function reasonOf(signal: AbortSignal | undefined): string {
  return typeof signal?.reason === 'string' ? signal.reason : 'cancelled';
}
