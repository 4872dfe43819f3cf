/** What `/v1/routes` answers, as rows that a person looks at: with rates, balances, and what is wrong first. Pure. */

import type { RouteStatus } from '../../../contract/index.ts';

type Counts = Readonly<Record<string, number>>;
export type Sums = {
  readonly received: number;
  readonly forwarded: number;
  readonly written: number;
  readonly dropped: Counts;
};
export type Balance = 'balances' | 'on the way' | 'does not balance';
/** As `/v1/routes` answers: with the hop and what was forwarded. */
type Line = Sums & { readonly topic: string; readonly hop: string };
type Answer = {
  readonly routes: readonly RouteStatus[];
  readonly ledger: readonly Line[];
};

type Row = {
  readonly key: string;
  readonly verdict: string;
  readonly rank: number;
  readonly trouble: boolean;
  readonly hz: number | undefined;
  readonly dropped: Counts;
  readonly ledger: Sums;
  readonly balance: Balance;
};
export type RouteRow = Row & {
  readonly state: string;
  readonly reason: string;
  readonly direction: string;
  readonly from: string;
  readonly to: string;
  readonly bytesPerSecond: number | undefined;
  readonly ageMs: number | null;
  readonly queued: number;
  readonly rebuilds: number;
  readonly topics: number;
};
export type TopicRow = Row & { readonly topic: string; readonly hop: string };
export type Rows = { readonly routes: readonly RouteRow[]; readonly topics: readonly TopicRow[] };

/** What is remembered of a line of the answer before. */
type Known = {
  readonly received: number;
  readonly rest: number;
  readonly losses: number;
  readonly stoodMs: number;
  readonly lostMs: number | undefined;
  readonly balance: Balance;
  readonly losing: boolean;
  readonly bytes?: number;
  readonly bytesPerSecond?: number | undefined;
  readonly hz?: number | undefined;
};

/** Worst first. `losing` and `unbalanced` are no states of a route: its ledger says so. */
const ORDER: readonly string[] = [
  'down',
  'diverged',
  'silent',
  'unbalanced',
  'rebuilt',
  'losing',
  'idle',
  'up',
];
const WELL: ReadonlySet<string> = new Set(['up', 'idle']);
/** Wanted by the configuration or the caller: nothing is lost by these. */
const WISHED: ReadonlySet<string> = new Set([
  'decimated',
  'rate_limited',
  'denied',
  'evicted',
  'discarded',
  'paused',
  'echo',
  'shutdown',
]);
/** Drops this recent are trouble, and a difference that stands still this long is no longer on its way, milliseconds. */
const RECENT_MS = 10_000;
const SETTLED_MS = 10_000;
/** Two answers nearer than this give no rate. */
const SECONDS_MIN = 0.1;
const ENDS: Readonly<Record<string, string>> = { ros: 'ROS', zenoh: 'Zenoh', bus: 'bus' };

const sum = (counts: Counts) => Object.values(counts).reduce((total, value) => total + value, 0);
const lost = (counts: Counts) =>
  sum(Object.fromEntries(Object.entries(counts).filter(([reason]) => !WISHED.has(reason))));
const byTrouble = (a: Row, b: Row) => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** Remembers the answer before, and since when drops and differences stand. */
export class RouteBook {
  #before = new Map<string, Known>();
  #atMs: number | undefined;

  /** `nowMs` of a clock that is never set back. */
  take({ routes, ledger }: Answer, nowMs: number): Rows {
    const seconds = this.#atMs === undefined ? undefined : (nowMs - this.#atMs) / 1000;
    const next = new Map<string, Known>();
    const queues = new Map(routes.map(({ name, queued }) => [`route:${name}`, queued]));
    const topics = ledger
      .map((line) => this.#topic(line, queues.get(line.hop) ?? 0, nowMs, seconds, next))
      .sort(byTrouble);
    const hops = new Map<string, Sums>();
    for (const line of ledger) hops.set(line.hop, added(hops.get(line.hop), line));
    const rows = routes
      .map((route) => this.#route(route, hops.get(`route:${route.name}`), nowMs, seconds, next))
      .sort(byTrouble);
    this.#atMs = nowMs;
    this.#before = next;
    return { routes: rows, topics };
  }

  #route(
    route: RouteStatus,
    line: Sums | undefined,
    nowMs: number,
    seconds: number | undefined,
    next: Map<string, Known>,
  ): RouteRow {
    const key = `route ${route.name}`;
    const ledger = line ?? { received: 0, forwarded: 0, written: 0, dropped: {} };
    const known = this.#look(key, ledger, route.queued, nowMs);
    const old = this.#before.get(key);
    const bytesPerSecond = pace(old?.bytes, route.bytes, seconds, old?.bytesPerSecond);
    next.set(key, { ...known, bytes: route.bytes, bytesPerSecond });
    const verdict = verdictOf(route.state, known);
    return {
      ...{ key: route.name, verdict, rank: ORDER.indexOf(verdict), trouble: !WELL.has(verdict) },
      ...{ state: route.state, reason: route.reason, direction: directionOf(route) },
      ...{ from: route.from, to: route.to, hz: route.messages_per_second, bytesPerSecond },
      ...{ ageMs: route.age_ms, queued: route.queued, rebuilds: route.rebuilds, topics: route.topics },
      ...{ dropped: line?.dropped ?? route.dropped, ledger, balance: known.balance },
    };
  }

  #topic(
    { topic, hop, ...ledger }: Line,
    queued: number,
    nowMs: number,
    seconds: number | undefined,
    next: Map<string, Known>,
  ): TopicRow {
    const key = `topic ${hop} ${topic}`;
    const known = this.#look(key, ledger, queued, nowMs);
    const old = this.#before.get(key);
    const hz = pace(old?.received, ledger.received, seconds, old?.hz);
    next.set(key, { ...known, hz });
    const verdict = verdictOf('up', known);
    return {
      ...{ key: `${topic} ${hop}`, topic, hop, verdict, rank: ORDER.indexOf(verdict) },
      ...{ trouble: !WELL.has(verdict), hz, dropped: ledger.dropped, ledger, balance: known.balance },
    };
  }

  /** What is on its way moves, or stands in the queue; a difference that does neither is reported as one. */
  #look(key: string, { received, forwarded, written, dropped }: Sums, queued: number, nowMs: number): Known {
    const old = this.#before.get(key);
    const rest = received - forwarded - written - sum(dropped);
    const losses = lost(dropped);
    const moved = old === undefined || old.received !== received || old.rest !== rest;
    const stoodMs = moved ? nowMs : old.stoodMs;
    const lostMs = old !== undefined && losses > old.losses ? nowMs : old?.lostMs;
    const settled = rest > queued && nowMs - stoodMs >= SETTLED_MS;
    return {
      ...{ received, rest, losses, stoodMs, lostMs },
      balance: rest === 0 ? 'balances' : rest > 0 && !settled ? 'on the way' : 'does not balance',
      losing: lostMs !== undefined && nowMs - lostMs < RECENT_MS,
    };
  }
}

function verdictOf(state: string, { balance, losing }: Known): string {
  const seen = balance === 'does not balance' ? 'unbalanced' : losing ? 'losing' : state;
  return rank(seen) < rank(state) ? seen : state;
}

/** States of a newer daemon are looked at among the first. */
const rank = (state: string) => (ORDER.includes(state) ? ORDER.indexOf(state) : 0);

/** Counts of a process that was started again start at zero: there is no pace between two of them. */
function pace(
  before: number | undefined,
  now: number,
  seconds: number | undefined,
  kept: number | undefined,
): number | undefined {
  if (seconds !== undefined && seconds < SECONDS_MIN) return kept;
  return before === undefined || seconds === undefined || now < before ? undefined : (now - before) / seconds;
}

function added(total: Sums | undefined, line: Sums): Sums {
  const { received, forwarded, written, dropped } = line;
  if (!total) return { received, forwarded, written, dropped };
  const all: Record<string, number> = { ...total.dropped };
  for (const [reason, n] of Object.entries(dropped)) all[reason] = (all[reason] ?? 0) + n;
  return {
    received: total.received + received,
    forwarded: total.forwarded + forwarded,
    written: total.written + written,
    dropped: all,
  };
}

/** `ros:/scan` to `zenoh:a/b` is "ROS → Zenoh". */
function directionOf({ from, to }: { from: string; to: string }): string {
  const end = (text: string) => {
    const kind = text.split(':', 1)[0]!;
    return ENDS[kind] ?? kind;
  };
  return `${end(from)} → ${end(to)}`;
}

/** "queue_full 3, denied 1": the most first. */
export function dropsText(dropped: Counts): string {
  return Object.entries(dropped)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${reason} ${n.toLocaleString()}`)
    .join(', ');
}

/** "10 = 4 + 0 + 6", as the ledger counts: received = forwarded + written + dropped. */
export function ledgerText({ received, forwarded, written, dropped }: Sums): string {
  const [all, ...parts] = [received, forwarded, written, sum(dropped)].map((n) => n.toLocaleString());
  return `${all} = ${parts.join(' + ')}`;
}
