import {
  type Clock,
  checkFresh,
  EdgeError,
  type LeaseRole,
  type TeleopCommand,
  type Twist2d,
} from '../../../contract/core.ts';
import type { Actuation } from '../actuation.ts';
import { roleOf } from '../lease.ts';
import { checkOwner } from './lease-owner.ts';
import type { NewPress } from './new-press.ts';

export type TeleoperationParts = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly actuation: Pick<Actuation, 'lease' | 'stopping'>;
  readonly press: NewPress;
  /** Absent: this robot cannot be steered by hand from here. False: it is not accepted now. */
  readonly steer?: ((twist: Twist2d, lease: number, madeAtMs: number) => boolean) | undefined;
  /** Absent: this robot has no arm that takes positions. */
  readonly jog?:
    | ((joints: Readonly<Record<string, number>>, lease: number, madeAtMs: number) => void)
    | undefined;
  check(operation: string, subject: string): void;
};

/** Who may steer by hand. Agents and policies have their own ways, and gates of their own. */
const STEERS: ReadonlySet<LeaseRole> = new Set(['teleoperation', 'central', 'autonomy']);
const JOINTS_MAX = 64;
/** No base drives or turns faster, m/s and rad/s; the gate holds it to what this one may. */
const SPEED_MAX = 100;

/**
 * Commands of a person who steers. Each command is valid for `LIMITS.COMMAND_EXPIRY_MS`. The robot stops when the
 * person releases the stick, or loses the connection or the lease.
 */
export class Teleoperation {
  readonly #parts: TeleoperationParts;

  constructor(parts: TeleoperationParts) {
    this.#parts = parts;
  }

  /**
   * `madeAtMs` is when the command was made, by the clock of the host. It is valid from then on, not from its arrival.
   * Throws `command.expired`, `estop.engaged`, `lease.lost`, `policy.denied` (a lease of a role that does not steer),
   * `schema.invalid`, `robot.preempted` (somebody stops the robot at this moment, or stopped it while this key was
   * down), `robot.not_supported`, `robot.unreachable`, and for joints what the gate says of them.
   */
  command(body: unknown, madeAtMs: number): void {
    const { leaseId, twist, joints } = commandOf(body);
    const { press, actuation } = this.#parts;
    const who = whoOf(body);
    const stands = twist !== undefined && twist.linear === 0 && twist.angular === 0;
    // Who keeps asking holds the key, whatever the command is refused for.
    const isNew = stands || press.presses(who, madeAtMs);
    this.#check(leaseId, body, madeAtMs);
    if (stands) press.letGo(who, madeAtMs);
    if (actuation.stopping) throw preempted('the robot is being stopped');
    if (!isNew) throw preempted('the robot was stopped while you were steering');
    if (twist) this.#steer(twist, leaseId, madeAtMs);
    if (joints) {
      if (!this.#parts.jog) throw notSupported('its joints cannot be moved by hand; configure [gate]');
      this.#parts.jog(joints, leaseId, madeAtMs);
    }
  }

  #check(leaseId: number, body: unknown, madeAtMs: number): void {
    checkFresh('teleoperate', 'robot', madeAtMs, this.#parts.clock.monotonicMs());
    this.#parts.check('teleoperate', 'robot');
    this.#checkLease(leaseId);
    checkOwner(this.#parts.actuation.lease, leaseId, body);
  }

  #steer(twist: Twist2d, leaseId: number, madeAtMs: number): void {
    const { steer } = this.#parts;
    if (!steer) throw notSupported('this robot cannot be teleoperated from this daemon');
    if (steer(twist, leaseId, madeAtMs)) return;
    throw new EdgeError('robot.unreachable', {
      operation: 'teleoperate',
      subject: 'robot',
      message: 'the control loop is being restarted',
    });
  }

  #checkLease(leaseId: number): void {
    const { lease } = this.#parts.actuation;
    if (!lease.holds(leaseId)) {
      throw new EdgeError('lease.lost', {
        operation: 'teleoperate',
        subject: String(leaseId),
        hint: 'take the lease for teleoperation first: POST /v1/lease, or auraison teleop',
      });
    }
    const role = roleOf(lease.current!.priority);
    if (role && STEERS.has(role)) return;
    throw new EdgeError('policy.denied', {
      operation: 'teleoperate',
      subject: String(leaseId),
      message: `a lease for ${role ?? 'this'} does not allow teleoperation`,
    });
  }
}

function commandOf(body: unknown): TeleopCommand {
  const { leaseId, twist, joints } = (body ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(leaseId)) throw bad('/leaseId', 'a number of a lease');
  if ((twist === undefined) === (joints === undefined)) throw bad('/', 'exactly one of twist and joints');
  if (twist !== undefined) {
    const { linear, angular } = (twist ?? {}) as Record<string, unknown>;
    return {
      leaseId: leaseId as number,
      twist: { linear: number(linear, '/twist/linear'), angular: number(angular, '/twist/angular') },
    };
  }
  if (typeof joints !== 'object' || joints === null) throw bad('/joints', 'positions by joint');
  const entries = Object.entries(joints);
  if (entries.length === 0 || entries.length > JOINTS_MAX) throw bad('/joints', `1 to ${JOINTS_MAX} joints`);
  return {
    leaseId: leaseId as number,
    joints: Object.fromEntries(
      entries.map(([name, at]) => [name, number(at, `/joints/${name.slice(0, 64)}`)]),
    ),
  };
}

/** Who steers, as the border knows it; a caller inside of this daemon has no name. */
function whoOf(body: unknown): string {
  const { by } = body as { by?: unknown };
  return typeof by === 'string' ? by : '';
}

function number(value: unknown, path: string): number {
  if (typeof value === 'number' && Math.abs(value) <= SPEED_MAX) return value;
  throw bad(path, `a number from -${SPEED_MAX} to ${SPEED_MAX}`);
}

function bad(path: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'teleoperate',
    subject: path,
    message: `${path}: ${expected} expected`,
  });
}

function preempted(message: string): EdgeError {
  return new EdgeError('robot.preempted', {
    ...{ operation: 'teleoperate', subject: 'robot', message },
    hint: 'you keep the lease: let go, and press again (a velocity of zero, or no command for a second)',
  });
}

function notSupported(message: string): EdgeError {
  return new EdgeError('robot.not_supported', { operation: 'teleoperate', subject: 'robot', message });
}
