import { Type } from 'typebox';
import {
  ask,
  byName,
  done,
  flag,
  list,
  measured,
  nothing,
  number,
  oneOf,
  reply,
  text,
  wireTime,
} from './kit.ts';

/** Who may command actuators. */
export const LeaseRole = oneOf(['policy', 'agent', 'autonomy', 'central', 'teleoperation']);

/** The way by which an emergency stop was requested. */
export const EStopSource = oneOf(['api', 'cli', 'zenoh', 'ros', 'file', 'agent', 'console', 'internal']);

const estop = {
  engaged: flag,
  /** Since when, wall clock nanoseconds as decimal text; empty while it is not engaged. */
  since_ns: wireTime,
  source: Type.Union([EStopSource, Type.Literal('')]),
  by: text,
  reason: text,
  /**
   * Names the newest press, also one of a stop that was engaged already: decimal text that rises with each press. A
   * release that names the press which it answers releases no newer one. Absent while it is not engaged.
   */
  press: Type.Optional(text),
};
export const EStopState = reply(estop);

/** The answer to `estop.engage`. */
export const EStopAnswer = reply({
  ...estop,
  warnings: Type.Optional(list(text)),
  /** It is engaged, and it is not measured that the robot stands. Absent: it stands, or there is no robot. */
  confirmed: Type.Optional(Type.Literal(false)),
});

/** Of `estop.engage` and `estop.release`. A caller that does not say who it is may engage, and not release. */
export const EStopOrder = ask({
  source: Type.Optional(EStopSource),
  by: Type.Optional(text),
  reason: Type.Optional(text),
  /** Of a release: the press that it answers. */
  press: Type.Optional(text),
});

/** `ttlMs` absent: as configured. */
export const LeaseTake = ask({
  role: LeaseRole,
  holder: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$' }),
  ttlMs: Type.Optional(number),
});

const leaseId = Type.Integer();
/** `by`: the caller; where it is given, only the holder may do this. */
const by = Type.Optional(text);
export const LeaseName = ask({ leaseId, by });

/** A caller of a higher rank than an agent took the robot. */
export const Takeover = reply({
  holder: text,
  role: LeaseRole,
  /** Wall clock nanoseconds as decimal text. */
  since_ns: wireTime,
  /** How the lease ended; absent while it is held. */
  end: Type.Optional(oneOf(['returned', 'expired', 'taken', 'stopped'])),
});

export const LeaseView = reply({
  state: oneOf(['free', 'held', 'stopping']),
  lease_id: Type.Optional(leaseId),
  holder: Type.Optional(text),
  role: Type.Optional(LeaseRole),
  priority: Type.Optional(number),
  /** Milliseconds until it ends unless it is renewed. */
  remaining_ms: Type.Optional(measured),
  /** The newest lease above the rank of an agent; absent: no such lease since the cell started. */
  takeover: Type.Optional(Takeover),
});

/**
 * A velocity of the base, or joint positions of the arm; it counts for `LIMITS.COMMAND_EXPIRY_MS`.
 */
export const TeleopCommand = ask({
  leaseId,
  by,
  /** m/s forward and rad/s counter-clockwise. */
  twist: Type.Optional(ask({ linear: number, angular: number })),
  /** Radians or metres by joint. */
  joints: Type.Optional(byName(number)),
});

export const SAFETY_BODIES = {
  'lease.state': { ask: nothing, reply: LeaseView },
  'lease.take': { ask: LeaseTake, reply: LeaseView },
  'lease.renew': { ask: LeaseName, reply: LeaseView },
  'lease.return': { ask: LeaseName, reply: LeaseView },
  'teleop.command': { ask: TeleopCommand, reply: done },
  'estop.state': { ask: nothing, reply: EStopState },
  'estop.engage': { ask: EStopOrder, reply: EStopAnswer },
  'estop.release': { ask: EStopOrder, reply: EStopState },
} as const;
