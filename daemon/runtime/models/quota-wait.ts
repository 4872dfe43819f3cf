import { type Budget, type Clock, EdgeError, fromWireTime, pause, toMs } from '../../../contract/core.ts';

/**
 * A quota that renews within this, a little over a minute, is waited for, milliseconds: windows of a minute limit the
 * pace, not the mission.
 */
const WAIT_MS_MAX = 61_000;
/** After it renewed: clocks are compared. */
const SPARE_MS = 20;

/**
 * Starts a call of models within the quotas of a tenant. Where they renew soon, and within `leftMs`, the call waits.
 * Throws `quota.exceeded`, and `run.cancelled` when the caller is gone.
 */
export async function withinQuota(
  budget: Budget,
  call: {
    readonly tenant: string;
    readonly callId: string;
    readonly leftMs: number;
    readonly signal: AbortSignal;
  },
  clock: Clock,
): Promise<void> {
  const { tenant, callId, signal } = call;
  const began = clock.monotonicMs();
  const until = began + Math.min(WAIT_MS_MAX, call.leftMs);
  for (;;) {
    try {
      return budget.beginCall(tenant, callId, Math.max(0, began + call.leftMs - clock.monotonicMs()));
    } catch (thrown) {
      const ms = renewsInMs(budget, tenant, clock);
      if (ms === undefined || clock.monotonicMs() + ms > until) throw thrown;
      await pause(clock, ms, signal);
    }
    if (signal.aborted) throw new EdgeError('run.cancelled', { operation: 'complete', subject: tenant });
  }
}

/** When everything that is used up has renewed; undefined where something never does, or nothing is used up. */
function renewsInMs(budget: Budget, tenant: string, clock: Clock): number | undefined {
  const empty = budget.quotas(tenant).filter(({ left, metric }) => left <= 0 && CALLS.includes(metric));
  const times = empty.map(({ renews_ts }) =>
    renews_ts === undefined ? Infinity : toMs(fromWireTime(renews_ts)),
  );
  const last = Math.max(...times);
  return Number.isFinite(last) ? Math.max(0, last - toMs(clock.now())) + SPARE_MS : undefined;
}

const CALLS: readonly string[] = ['tokens', 'gpu_seconds', 'model_calls', 'usd'];
