import {
  type AgentEvent,
  type Budget,
  EdgeError,
  type EventKind,
  type EventReader,
  fromWireTime,
  motionDeadlineMs,
  type QuotaMetric,
  type QuotaRule,
  type QuotaView,
  type QuotaWindow,
  toMs,
  toWireTime,
} from '../../../contract/index.ts';
import { dating, type LatestTime, mayBeSet } from './latest-time.ts';
import { MOTION_KINDS, OpenMotions } from './open-motions.ts';

const WINDOW_MS: Readonly<Record<QuotaWindow, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  total: Number.POSITIVE_INFINITY,
};
const KINDS: readonly EventKind[] = [
  'intent.accepted',
  'model.called',
  'model.returned',
  'segment.sealed',
  ...MOTION_KINDS,
];
/** Between its starts and stops it shows how much time passed on a clock that was not set. */
const PAST_KINDS: readonly EventKind[] = [...KINDS, 'cell.started', 'cell.stopped'];
const READ_BATCH = 1_000;
/** How long an intent may take from its decision into the log where its end is not reported, milliseconds. */
const INTENT_RESERVED_MS = 300_000;
/** Beyond the deadline of a call: the log may be slow. Then its caller is lost, milliseconds. */
const CALL_RESERVED_SPARE_MS = 60_000;
/** The longest that a call may move the robot: a drive may take a day of robot time, milliseconds. */
const MOTION_MS_MAX = motionDeadlineMs(86_400_000);
/** Runs whose tenant is remembered; for others it is asked again. */
const RUNS_MAX = 4_096;
/** Whose recordings are: the robot records for itself. */
export const ROBOT_TENANT = 'local';
const UNITS: Readonly<Record<QuotaMetric, string>> = {
  tokens: 'tokens',
  gpu_seconds: 's of models',
  model_calls: 'calls of models',
  usd: 'US dollars',
  actuation_seconds: 's of motion',
  runs: 'runs',
  recorded_bytes: 'bytes recorded',
};

/**
 * What was let through and is not in the log yet, by the id of its intent or call: as many as wait at gates, which are
 * bounded. `until`: by the clock that never steps.
 */
type Reserved = { readonly tenant: string; readonly metric: QuotaMetric; readonly until: number };

/** What one tenant spent in one window; `index` counts windows since the epoch. */
type Spent = { index: number; sum: number };

/** When it was, milliseconds; undefined: the log dates it later than now, so the clock was wrong then. */
type When = number | undefined;

/**
 * What was spent, folded from the logs: a restart forgets nothing. A clock that is set back renews nothing and hides
 * nothing: what is spent then counts in the window that time has reached, whatever is written on it.
 */
export class QuotaBook implements Budget {
  readonly #time: LatestTime;
  readonly #tenantOf: (runId: string) => string | undefined;
  #rules: readonly QuotaRule[];
  readonly #spent = new Map<string, Spent>();
  readonly #motions = new OpenMotions();
  /** What was spent at an unknown time, while the past is read. */
  readonly #undated = new Map<string, { tenant: string; metric: QuotaMetric; sum: number }>();
  readonly #tenantsOfRuns = new Map<string, string | undefined>();
  readonly #reserved = new Map<string, Reserved>();

  constructor(
    rules: readonly QuotaRule[],
    time: LatestTime,
    tenantOf: (runId: string) => string | undefined,
  ) {
    this.#rules = rules;
    this.#time = time;
    this.#tenantOf = tenantOf;
  }

  /** Reads as much of a log as the longest window needs. Returns the position it read to. */
  async load(reader: EventReader): Promise<number> {
    const longest = Math.max(0, ...this.#rules.map(({ window }) => WINDOW_MS[window]));
    if (longest === 0) return reader.lastSeq();
    const since = Number.isFinite(longest) ? Math.floor(this.#time.ms() / longest) * longest : 0;
    const before = since === 0 ? 0 : firstSince(reader, since) - 1;
    await this.#findMotions(reader, since, before);
    const dated = dating();
    // The last whose clock was set stands right before: what follows counts from there.
    for (const event of before === 0 ? [] : reader.read(before - 1, 1)) dated(event);
    const read = await readOn(reader, before, PAST_KINDS, (events) => {
      const now = this.#time.ms();
      for (const event of events) {
        const ms = dated(event);
        this.#fold(event, ms > now ? undefined : ms);
      }
    });
    // At the end: it would draw all that is read after it into the window of now.
    for (const { tenant, metric, sum } of this.#undated.values())
      this.#spend(tenant, metric, sum, this.#time.ms());
    this.#undated.clear();
    return read;
  }

  /** A motion that started before the window is paid for in the one it ends in. */
  async #findMotions(reader: EventReader, since: number, before: number): Promise<void> {
    if (before === 0 || !this.#rules.some(({ metric }) => metric === 'actuation_seconds')) return;
    const first = firstSince(reader, since - MOTION_MS_MAX) - 1;
    const take = (events: readonly AgentEvent[]) => {
      for (const event of events) this.#motions.take(event);
    };
    await readOn(reader, first, MOTION_KINDS, take, before);
  }

  /** Folds what a log holds after `cursor`, which happened just now; returns the position it read to. */
  async follow(reader: EventReader, cursor: number): Promise<number> {
    return await readOn(reader, cursor, KINDS, (events) => this.observe(events));
  }

  /** What happened just now, whatever is written on it. */
  observe(events: readonly AgentEvent[]): void {
    if (this.#rules.length === 0) return;
    const now = this.#time.ms();
    for (const event of events) if (KINDS.includes(event.kind)) this.#fold(event, now);
  }

  /** Until its `intent.accepted` is folded or `release`, an intent that was let through counts as a run. */
  reserve(intentId: string, tenant: string): void {
    this.#reserve(intentId, tenant, 'runs', INTENT_RESERVED_MS);
  }

  /** What was let through is settled: in the log, where it counts, or refused after all. */
  release(id: string): void {
    this.#reserved.delete(id);
  }

  beginCall(tenant: string, callId: string, withinMs: number): void {
    this.check(tenant, ['tokens', 'gpu_seconds', 'model_calls', 'usd']);
    this.#reserve(callId, tenant, 'model_calls', withinMs + CALL_RESERVED_SPARE_MS);
  }

  endCall(callId: string): void {
    this.release(callId);
  }

  #reserve(id: string, tenant: string, metric: QuotaMetric, forMs: number): void {
    const now = this.#time.monotonicMs();
    for (const [old, { until }] of this.#reserved) if (until < now) this.#reserved.delete(old);
    this.#reserved.set(id, { tenant, metric, until: now + forMs });
  }

  check(tenant: string, metrics: readonly QuotaMetric[]): void {
    const exhausted = this.quotas(tenant).find((one) => metrics.includes(one.metric) && one.left <= 0);
    if (!exhausted) return;
    const { metric, window, limit, used, renews_ts } = exhausted;
    const per = window === 'total' ? 'in all' : `per ${window}`;
    const when = renews_ts === undefined ? 'it never renews' : `it renews at ${iso(renews_ts)}`;
    throw new EdgeError('quota.exceeded', {
      operation: 'spend',
      subject: tenant,
      message: `tenant ${tenant} has used ${used} of ${limit} ${UNITS[metric]} ${per}, 0 are left; ${when}`,
      retryable: window !== 'total',
    });
  }

  /** Of one tenant, or of all that are named in a rule or have spent something. */
  quotas(tenant?: string): readonly QuotaView[] {
    const now = this.#time.ms();
    const known = tenant === undefined ? this.#tenants() : [tenant];
    return known.flatMap((name) =>
      this.#rulesOf(name).map((rule) => this.#view({ ...rule, tenant: name }, now)),
    );
  }

  #view(rule: QuotaRule, now: number): QuotaView {
    const length = WINDOW_MS[rule.window];
    const spent = this.#spent.get(keyOf(rule));
    const index = Math.max(indexOf(now, length), spent?.index ?? 0);
    const held = this.#held(rule);
    const used = (spent?.index === index ? spent.sum : 0) + held;
    const end = Number.isFinite(length) ? toWireTime(BigInt((index + 1) * length) * 1_000_000n) : undefined;
    const left = Math.max(0, round(rule.limit - used, rule.metric));
    return { ...rule, used: round(used, rule.metric), left, renews_ts: end };
  }

  #held({ tenant, metric }: QuotaRule): number {
    const now = this.#time.monotonicMs();
    const all = [...this.#reserved.values()];
    return all.filter((one) => one.tenant === tenant && one.metric === metric && one.until >= now).length;
  }

  /** A rule of the tenant's own stands before the same rule for everybody. */
  #rulesOf(tenant: string): readonly QuotaRule[] {
    const own = this.#rules.filter((rule) => rule.tenant === tenant);
    const general = this.#rules.filter(
      (rule) =>
        rule.tenant === '*' && !own.some((one) => one.metric === rule.metric && one.window === rule.window),
    );
    return [...own, ...general];
  }

  #tenants(): readonly string[] {
    const named = this.#rules.map(({ tenant }) => tenant).filter((tenant) => tenant !== '*');
    const spending = [...this.#spent.keys()].map((key) => key.slice(key.lastIndexOf('|') + 1));
    return [...new Set([...named, ...spending])].sort();
  }

  #fold(event: AgentEvent, ms: When): void {
    switch (event.kind) {
      case 'intent.accepted': {
        const { intent } = event.payload;
        const { tenant } = intent.policy_ctx;
        this.#reserved.delete(intent.intent_id);
        if (event.run_id !== undefined) this.#remember(event.run_id, tenant);
        this.#spend(tenant, 'runs', 1, ms);
        return;
      }
      case 'model.called':
        this.#reserved.delete(event.payload.call_id);
        this.#spendOfRun(event, 'model_calls', 1, ms);
        return;
      case 'model.returned': {
        if (event.payload.cached) return;
        const { tokens_in, tokens_out, duration_ms, cost_usd = 0 } = event.payload;
        this.#spendOfRun(event, 'usd', cost_usd, ms);
        this.#spendOfRun(event, 'tokens', tokens_in + tokens_out, ms);
        this.#spendOfRun(event, 'gpu_seconds', duration_ms / 1_000, ms);
        return;
      }
      case 'run.started':
      case 'tool.called':
      case 'tool.returned': {
        const moved = this.#motions.take(event);
        if (moved > 0) this.#spendOfRun(event, 'actuation_seconds', moved / 1_000, ms);
        return;
      }
      case 'segment.sealed':
        this.#spend(ROBOT_TENANT, 'recorded_bytes', event.payload.bytes, ms);
        return;
      default:
    }
  }

  #spendOfRun(event: AgentEvent, metric: QuotaMetric, amount: number, ms: When): void {
    const tenant = event.run_id === undefined ? payerOf(event) : this.#tenantOfRun(event.run_id);
    if (tenant !== undefined) this.#spend(tenant, metric, amount, ms);
  }

  /** As its intent said, which was folded before: else all of a run of long ago may have to be read. */
  #tenantOfRun(runId: string): string | undefined {
    if (!this.#tenantsOfRuns.has(runId)) this.#remember(runId, this.#tenantOf(runId));
    return this.#tenantsOfRuns.get(runId);
  }

  #remember(runId: string, tenant: string | undefined): void {
    this.#tenantsOfRuns.set(runId, tenant);
    const [oldest] = this.#tenantsOfRuns.keys();
    if (this.#tenantsOfRuns.size > RUNS_MAX) this.#tenantsOfRuns.delete(oldest!);
  }

  #spend(tenant: string, metric: QuotaMetric, amount: number, ms: When): void {
    if (ms === undefined) {
      const key = `${metric}|${tenant}`;
      this.#undated.set(key, { tenant, metric, sum: amount + (this.#undated.get(key)?.sum ?? 0) });
      return;
    }
    for (const rule of this.#rulesOf(tenant)) {
      if (rule.metric !== metric) continue;
      const key = keyOf({ ...rule, tenant });
      const index = indexOf(ms, WINDOW_MS[rule.window]);
      const spent = this.#spent.get(key) ?? { index, sum: 0 };
      if (index > spent.index) this.#spent.set(key, { index, sum: amount });
      else this.#spent.set(key, { index: spent.index, sum: spent.sum + amount });
    }
  }
}

/** Of a call of a model that belongs to no run. */
function payerOf({ payload }: AgentEvent): string | undefined {
  return 'tenant' in payload && typeof payload.tenant === 'string' ? payload.tenant : undefined;
}

function indexOf(ms: number, length: number): number {
  return Number.isFinite(length) ? Math.floor(ms / length) : 0;
}

function keyOf({ metric, window, tenant }: QuotaRule): string {
  return `${metric}|${window}|${tenant}`;
}

/** Seconds and bytes add up to tails of binary digits that are not readable. */
function round(value: number, metric: QuotaMetric): number {
  const parts = metric === 'usd' ? 1_000_000 : 1_000;
  return Math.round(value * parts) / parts;
}

function iso(wire: string): string {
  return new Date(toMs(fromWireTime(wire))).toISOString().replace('.000Z', 'Z');
}

/** Hands over what a log holds after `cursor`, page by page, up to `last` or its end; returns the position read to. */
async function readOn(
  reader: EventReader,
  cursor: number,
  kinds: readonly EventKind[],
  take: (events: readonly AgentEvent[]) => void,
  last = Number.POSITIVE_INFINITY,
): Promise<number> {
  let at = cursor;
  while (at < last) {
    const events = reader.read(at, READ_BATCH, { kinds });
    if (events.length === 0) break;
    take(events.filter(({ seq }) => seq <= last));
    at = events.at(-1)!.seq;
    // A log of months is long: the heart has to beat meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return at;
}

/**
 * The sequence of the first event at or after a time, milliseconds, or of one before it; the log is in order, but for
 * stepping clocks. What a clock wrote that was not set says nothing of what stands before it; what stands right
 * before the one that is found was written by one that was set.
 */
function firstSince(reader: EventReader, ms: number): number {
  let low = 1;
  let high = reader.lastSeq() + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const event = reader.read(middle - 1, 1)[0];
    const moment = event && fromWireTime(event.ts);
    if (moment !== undefined && mayBeSet(moment) && toMs(moment) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
