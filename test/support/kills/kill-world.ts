import type { Random } from '../../../bench/fuzz/random.ts';
import {
  type Maneuver,
  METHODS,
  type MotionRequest,
  type MotionResult,
  type NavigateGoal,
} from '../../../contract/index.ts';
import type { Order } from './kill-words.ts';

/** What happened in the world, in its order. `callId` where the world was told one. */
export type Deed = {
  readonly kind: 'never' | 'safe' | 'probe';
  readonly key: string;
  readonly callId?: string;
};

/**
 * The world that effects leave traces in. It lives in another process than the daemon, goes on when that is killed
 * (also with what it had been asked for by the dead), and keeps a book of everything that happened. An effect happens
 * when its order arrives; the answer comes up to some milliseconds later, so that cuts fall between the two.
 */
export class KillWorld {
  readonly deeds: Deed[] = [];
  readonly #random: Random;
  readonly #safe = new Set<string>();
  /** At first where no mission goes: mission 0 goes to (0, 0), and a probe would find it done. */
  #pose = { x: -1, y: -1, yaw: 0 };
  #motion: { readonly stop: () => void } | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How often the effect that has this name happened; one under the same call id is the same. */
  count(key: string): number {
    return this.deeds.filter((deed) => deed.key === key).length;
  }

  async serve(order: Order): Promise<unknown> {
    if (order.op === 'probe') return { happened: this.deeds.some(({ key }) => key === order.key) };
    if (order.op === 'robot') return await this.#robot(order.method, order.body);
    const { kind, key, callId } = order;
    if (kind !== 'safe') this.deeds.push({ kind, key, callId });
    else this.#once(key, callId);
    await this.#while();
    return { done: true };
  }

  /** Asked again under its id, it has happened already. */
  #once(key: string, callId: string): void {
    if (this.#safe.has(callId)) return;
    this.#safe.add(callId);
    this.deeds.push({ kind: 'safe', key, callId });
  }

  async #robot(method: string, body: unknown): Promise<unknown> {
    const { execution } = METHODS;
    switch (method) {
      case execution.robotState:
        return this.#state();
      case execution.robotMap:
        return undefined;
      case execution.robotNavigate: {
        const { pose } = (body as MotionRequest<NavigateGoal>).goal;
        const reached = await this.#move();
        if (!reached) return this.#result('stopped');
        this.#pose = pose;
        this.deeds.push({ kind: 'probe', key: navigateKey(pose.x, pose.y) });
        return this.#result('reached');
      }
      case execution.robotManeuver: {
        const { goal } = body as MotionRequest<Maneuver>;
        this.deeds.push({ kind: 'never', key: maneuverKey(goal) });
        return this.#result((await this.#move()) ? 'reached' : 'stopped');
      }
      case execution.clipRecord: {
        const { clipId, reason } = body as { clipId: string; reason: string };
        this.#once(clipKey(reason), clipId);
        await this.#while();
        return clipOf(clipId, reason);
      }
      case execution.robotStop:
      case execution.robotCancel:
        this.#motion?.stop();
        return {};
      default:
        throw new Error(`nobody serves ${method}`);
    }
  }

  #state() {
    return {
      time: 1n,
      pose: this.#pose,
      twist: { linear: 0, angular: 0 },
      battery: 1,
      distance: 0,
      bumps: 0,
      motion: this.#motion ? 'moving' : 'stopped',
      connected: true,
      signals: {},
    };
  }

  #result(outcome: MotionResult['outcome']): MotionResult {
    return { outcome, pose: this.#pose, distance: 0, durationMs: 1, time: 1n, message: outcome };
  }

  /** Whether the robot came to the end of a motion; a stop or the next motion ends it before. */
  async #move(): Promise<boolean> {
    this.#motion?.stop();
    let reached = true;
    const stopped = new Promise<void>((resolve) => {
      const motion = {
        stop: () => {
          reached = false;
          if (this.#motion === motion) this.#motion = undefined;
          resolve();
        },
      };
      this.#motion = motion;
    });
    const mine = this.#motion;
    await Promise.race([stopped, this.#while()]);
    if (this.#motion === mine) this.#motion = undefined;
    return reached;
  }

  #while(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.#random.below(12)));
  }
}

export const navigateKey = (x: number, y: number) => `navigate ${x} ${y}`;
export const maneuverKey = (goal: Record<string, unknown> | Maneuver) => {
  const { kind, distance, angle } = goal as { kind: string; distance?: number; angle?: number };
  return `${kind} ${distance ?? angle}`;
};
export const clipKey = (name: string) => `clip ${name}`;

function clipOf(clipId: string, reason: string) {
  return {
    ...{
      clip_id: clipId,
      bag: reason,
      state: 'whole',
      trigger: 'agent',
      reason,
      trigger_ns: '1',
      from_ns: '1',
    },
    ...{ to_ns: '1', messages: 1, bytes: 1, path: `bags/${reason}.mcap`, sha256: '0'.repeat(64) },
  };
}
