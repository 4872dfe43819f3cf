import { type CallName, type LeaseView, METHODS } from '../../../../contract/index.ts';
import { holdLease, type LeaseHold } from '../../../../daemon/execution/door/index.ts';
import { encodeTwist, TWIST } from '../../../../formats/cdr/index.ts';
import type { Random } from '../../../../sim/random.ts';
import type { Motion } from '../faults.ts';
import type { VirtualDaemon } from './daemon.ts';

const { execution } = METHODS;
export const RUN = 'run-7';
/** A program asks again so soon after it was refused, milliseconds. */
const AGAIN_MS = 60;
const HAND_MS = 60;

/** What asks for motion, again and again, until it is told to end. What it asked for last may go on. */
export interface Asker {
  start(): void;
  /** It asks no more. */
  end(): void;
}

/** A program: one motion after the other; a refusal does not keep it from asking. */
export class Program implements Asker {
  readonly #daemon: VirtualDaemon;
  readonly #random: Random;
  readonly #motion: Motion;
  /** It stops its run when a motion failed, as a mission does. */
  readonly stopsOnFailure: boolean;
  #asks = false;
  #count = 0;

  constructor(daemon: VirtualDaemon, motion: Motion, random: Random, stopsOnFailure = false) {
    this.#daemon = daemon;
    this.#motion = motion;
    this.#random = random;
    this.stopsOnFailure = stopsOnFailure;
  }

  start(): void {
    this.#asks = true;
    this.#next();
  }

  end(): void {
    this.#asks = false;
  }

  #next(): void {
    if (!this.#asks) return;
    const [url, call, body] = this.#order();
    const again = () => this.#daemon.host.after(AGAIN_MS, () => this.#next());
    this.#daemon.api.post(url, call, body).then(again, () => {
      if (this.stopsOnFailure)
        this.#daemon.api.post('', execution.robotStop, { reason: 'it failed', run: RUN }).catch(() => {});
      again();
    });
  }

  #order(): [string, CallName, unknown] {
    const motionId = `motion-${++this.#count}`;
    const random = this.#random;
    const far = (most: number) => most * (0.5 + 0.5 * random.float());
    const motion = (url: string, call: string, goal: unknown): [string, CallName, unknown] => [
      url,
      call as CallName,
      { motionId, goal, run: RUN },
    ];
    switch (this.#motion) {
      case 'navigate': {
        // To and fro within the cell where it began, whichever way that is open.
        const [x, y] = [
          [0.3, 0],
          [-0.15, 0],
          [0, 0.3],
          [0, -0.15],
        ][this.#count % 4]!;
        const pose = { x: x! * far(1), y: y! * far(1), yaw: 0 };
        return motion('/v1/robot/navigate', execution.robotNavigate, {
          pose,
          tolerance: 0.05,
          timeoutMs: 20_000,
        });
      }
      case 'drive':
        return motion('/v1/robot/maneuver', execution.robotManeuver, {
          ...{ kind: 'drive', distance: this.#count % 2 === 0 ? -far(0.4) : far(0.5) },
        });
      case 'spin':
        return motion('/v1/robot/maneuver', execution.robotManeuver, { kind: 'spin', angle: -far(6) });
      case 'trajectory': {
        const joint = random.pick([1, 2, 3, 4]);
        const sign = this.#count % 2 === 0 ? -1 : 1;
        const at = (most: number) => sign * far(most);
        const positions = { [`joint_${joint}`]: at(0.35), joint_1: at(0.9) };
        return motion('/v1/arm/trajectory', execution.armFollow, {
          points: [{ positions, timeFromStartMs: 2_500 }],
        });
      }
      case 'gripper': {
        const opening = this.#count % 2 === 0 ? 0.07 : 0;
        return motion('/v1/arm/gripper', execution.armGripper, { opening, effort: 5 });
      }
      default:
        return [
          '/v1/controllers/:name/start',
          execution.controllerStart,
          { controller: 'c', run: RUN, motionId },
        ];
    }
  }
}

/** A play of recorded velocities under the lease of motions; it offers on when it has lost it. */
export class Play implements Asker {
  readonly #daemon: VirtualDaemon;
  #timer: { cancel(): void } | undefined;
  #hold: LeaseHold | undefined;

  constructor(daemon: VirtualDaemon) {
    this.#daemon = daemon;
  }

  start(): void {
    const { execution: cell } = this.#daemon;
    const path = cell.safety.door.path(cell.robot, { kind: 'play', name: 'p' });
    void holdLease(cell.actuation, 'play-1', 'runtime', 'bag-play').then((hold) => {
      this.#hold = hold;
    });
    this.#timer = cell.process.every(50, () => {
      if (!this.#hold) return;
      path.send(velocity(0.05, -0.7, cell.process.monotonicMs()), { lease: this.#hold.lease });
    });
  }

  end(): void {
    this.#timer?.cancel();
    this.#hold?.release();
  }
}

/** A velocity that counts for 300 ms from when it was made. */
export function velocity(linear: number, angular: number, madeAtMs: number) {
  const bytes = encodeTwist({ linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } });
  return { topic: '/cmd_vel', type: TWIST, stamp: 0n, received: 0n, bytes, expiresAtMs: madeAtMs + 300 };
}

type Wants = () => Readonly<Record<string, unknown>>;

/** A person with a lease who steers; renews it while the hand is there. */
export class Hand implements Asker {
  readonly #daemon: VirtualDaemon;
  readonly #wants: Wants;
  readonly #role: string;
  readonly ttlMs: number;
  /** Everything that is sent from now on is lost on the way. */
  linkLost = false;
  renews = true;
  steers = true;
  lease: number | undefined;
  grantedMs: number | undefined;
  renewedMs = 0;
  #timers: { cancel(): void }[] = [];

  constructor(daemon: VirtualDaemon, wants: Wants, options: { role?: string; ttlMs?: number } = {}) {
    this.#daemon = daemon;
    this.#wants = wants;
    this.#role = options.role ?? 'teleoperation';
    this.ttlMs = options.ttlMs ?? 1_500;
  }

  start(): void {
    void this.take();
  }

  /** Asks until it has the lease: the robot may be being stopped. */
  async take(): Promise<number> {
    for (;;) {
      try {
        const order = { role: this.#role, holder: `${this.#role}/vera`, ttlMs: this.ttlMs };
        const view = (await this.#post('', execution.leaseTake, order)) as LeaseView;
        this.grantedMs = this.#daemon.nowMs;
        this.renewedMs = this.grantedMs;
        this.lease = view.lease_id!;
        this.#steer();
        return this.grantedMs;
      } catch {
        await new Promise<void>((resolve) => void this.#daemon.host.after(AGAIN_MS, resolve));
      }
    }
  }

  command(body: Readonly<Record<string, unknown>>): void {
    const order = { leaseId: this.lease, ...body };
    this.#post('/v1/teleop', execution.teleopCommand, order).catch(() => {});
  }

  giveBack(): void {
    this.#post('', execution.leaseReturn, { leaseId: this.lease }).catch(() => {});
  }

  end(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  #steer(): void {
    const { host } = this.#daemon;
    this.#timers.push(
      host.every(HAND_MS, () => {
        if (this.steers) this.command(this.#wants());
      }),
      host.every(this.ttlMs / 3, () => this.#renew()),
    );
    if (this.steers) this.command(this.#wants());
  }

  #renew(): void {
    if (!this.renews) return;
    const sentMs = this.#daemon.nowMs;
    this.#post('', execution.leaseRenew, { leaseId: this.lease }).then(
      () => {
        this.renewedMs = Math.max(this.renewedMs, sentMs);
      },
      () => {},
    );
  }

  #post(url: string, call: CallName, body: unknown): Promise<unknown> {
    if (this.linkLost) return new Promise(() => {});
    return this.#daemon.api.post(url, call, body, 4_000);
  }
}
