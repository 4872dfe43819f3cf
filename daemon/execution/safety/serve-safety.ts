import {
  type CellBus,
  checkOwnerNamed,
  EdgeError,
  type EmergencyStop,
  type EStopAnswer,
  type EStopSource,
  fieldsOf,
  type LeaseRole,
  type LeaseView,
  METHODS,
} from '../../../contract/core.ts';
import type { Actuation } from '../actuation.ts';
import { LEASE_PRIORITIES, LEASE_ROLES } from '../lease.ts';
import { checkOwner, isOwner } from './lease-owner.ts';
import { stopWarnings } from './no-robot.ts';
import { isPress } from './stop-store.ts';
import type { Teleoperation } from './teleoperation.ts';

export type SafetyParts = {
  readonly actuation: Pick<Actuation, 'lease' | 'times' | 'news'>;
  readonly stop: EmergencyStop;
  readonly teleoperation: Teleoperation;
  /** False: this daemon has no robot to stop. */
  readonly hasRobot: boolean;
  /** Throws `estop.engaged`. */
  check(operation: string, subject: string): void;
};

/** A lease that lives shorter is lost between two commands, milliseconds. */
const TTL_MS_MIN = 100;
/** What another cell may say of where somebody comes from; a key or a topic comes in here, not there. */
const SOURCES: ReadonlySet<EStopSource> = new Set(['api', 'cli', 'console', 'agent']);
const HOLDER = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** The methods `estop.*`, `lease.*` and `teleop.command` of this cell. */
export function serveSafety(bus: Pick<CellBus, 'handle'>, parts: SafetyParts): void {
  const { stop, actuation, teleoperation } = parts;
  const methods = METHODS.execution;
  bus.handle(methods.estopState, async () => stop.state());
  bus.handle(methods.estopEngage, async (body) => {
    const { source, by, reason } = orderOf(body);
    const state = await stop.engage(source, by, reason);
    return { ...state, ...stopWarnings(parts.hasRobot) } satisfies EStopAnswer;
  });
  bus.handle(methods.estopRelease, async (body) => {
    const { source, by, reason } = orderOf(body);
    return stop.release(source, by, reason, pressOf(body));
  });
  bus.handle(methods.leaseState, async () => actuation.lease.view());
  bus.handle(methods.leaseTake, (body, _from, _madeAtMs, wantedAtMs) => take(parts, body, wantedAtMs));
  bus.handle(methods.leaseRenew, async (body) => {
    const id = idOf(body);
    checkOwner(actuation.lease, id, body);
    actuation.lease.renew(id);
    return actuation.lease.view();
  });
  bus.handle(methods.leaseReturn, async (body) => {
    checkOwnerNamed(methods.leaseReturn, body, ['leaseId', 'by'], 'by');
    const id = returnedId(actuation.lease, body);
    checkOwner(actuation.lease, id, body);
    return giveBack(parts, id);
  });
  bus.handle(methods.teleopCommand, async (body, _from, madeAtMs) => teleoperation.command(body, madeAtMs));
}

async function take(
  { actuation, check }: SafetyParts,
  body: unknown,
  wantedAtMs: number,
): Promise<LeaseView> {
  const { lease, times } = actuation;
  const { role, holder, ttlMs = times.ttlMs } = (body ?? {}) as Record<string, unknown>;
  if (!LEASE_ROLES.includes(role as LeaseRole)) throw bad('/role', `one of ${LEASE_ROLES.join(', ')}`);
  if (typeof holder !== 'string' || !HOLDER.test(holder)) throw bad('/holder', 'a name');
  const fits = typeof ttlMs === 'number' && ttlMs >= TTL_MS_MIN && ttlMs <= times.ttlMsMax;
  if (!fits) throw bad('/ttlMs', `${TTL_MS_MIN} to ${times.ttlMsMax} milliseconds`);
  // A release hands the robot to no holder, not to a waiting one either.
  check('take the lease', holder);
  actuation.news.check('take the lease', holder, wantedAtMs);
  const { id } = await lease.acquire(
    holder,
    LEASE_PRIORITIES[role as LeaseRole],
    Math.round(ttlMs as number),
  );
  try {
    check('take the lease', holder);
    actuation.news.check('take the lease', holder, wantedAtMs);
  } catch (thrown) {
    lease.release(id);
    throw thrown;
  }
  return lease.view();
}

/** The robot stands before the lease is free: who gives it back may have moved it a moment ago. */
async function giveBack({ actuation }: SafetyParts, id: number): Promise<LeaseView> {
  const { lease } = actuation;
  if (lease.holds(id)) await lease.surrender(id);
  return lease.view();
}

/** A caller that says who it is and names no lease by its number means the one that it holds. */
function returnedId(lease: Pick<Actuation['lease'], 'current'>, body: unknown): number {
  const { leaseId, by } = fieldsOf(body);
  const { current } = lease;
  if (Number.isSafeInteger(leaseId) || !current || !isOwner(current, by)) return idOf(body);
  return current.id;
}

function idOf(body: unknown): number {
  const { leaseId } = (body ?? {}) as Record<string, unknown>;
  if (Number.isSafeInteger(leaseId)) return leaseId as number;
  throw bad('/leaseId', 'a number of a lease');
}

/** An unknown press was never shown to a person: it answers none. */
function pressOf(body: unknown): string | undefined {
  const { press } = (body ?? {}) as Record<string, unknown>;
  if (press === undefined) return undefined;
  return isPress(press) ? press : '0';
}

function orderOf(body: unknown): { source: EStopSource; by: string; reason: string } {
  const { source, by, reason } = (body ?? {}) as Record<string, unknown>;
  // A caller that does not say who it is may engage, and not release.
  return {
    source: SOURCES.has(source as EStopSource) ? (source as EStopSource) : 'internal',
    by: typeof by === 'string' ? by : 'unknown',
    reason: typeof reason === 'string' ? reason : '',
  };
}

function bad(path: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'lease',
    subject: path,
    message: `${path}: ${expected} expected`,
  });
}
