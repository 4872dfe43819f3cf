/** What `/v1/routes` answers, as rows that a person looks at: with rates, balances, and what is wrong first. Pure. */

/** Worst first. `losing` and `unbalanced` are no states of a route: its ledger says so. */
const ORDER = ['down', 'diverged', 'silent', 'unbalanced', 'rebuilt', 'losing', 'idle', 'up'];
const WELL = new Set(['up', 'idle']);
/** Wanted by the configuration or the caller: nothing is lost by these. */
const WISHED = new Set([
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
const ENDS = { ros: 'ROS', zenoh: 'Zenoh', bus: 'bus' };

const sum = (counts) => Object.values(counts).reduce((total, value) => total + value, 0);
const lost = (counts) =>
  sum(Object.fromEntries(Object.entries(counts).filter(([reason]) => !WISHED.has(reason))));
const byTrouble = (a, b) => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** Remembers the answer before, and since when drops and differences stand. */
export class RouteBook {
  #before = new Map();
  #atMs;

  /** `nowMs` of a clock that is never set back. */
  take({ routes, ledger }, nowMs) {
    const seconds = this.#atMs === undefined ? undefined : (nowMs - this.#atMs) / 1000;
    const next = new Map();
    const queues = new Map(routes.map(({ name, queued }) => [`route:${name}`, queued]));
    const topics = ledger
      .map((line) => this.#topic(line, queues.get(line.hop) ?? 0, nowMs, seconds, next))
      .sort(byTrouble);
    const hops = new Map();
    for (const line of ledger) hops.set(line.hop, added(hops.get(line.hop), line));
    const rows = routes
      .map((route) => this.#route(route, hops.get(`route:${route.name}`), nowMs, seconds, next))
      .sort(byTrouble);
    this.#atMs = nowMs;
    this.#before = next;
    return { routes: rows, topics };
  }

  #route(route, line, nowMs, seconds, next) {
    const key = `route ${route.name}`;
    const ledger = line ?? { received: 0, forwarded: 0, written: 0, dropped: {} };
    const known = this.#look(key, ledger, route.queued, nowMs, next);
    const old = this.#before.get(key);
    const bytesPerSecond = pace(old?.bytes, route.bytes, seconds, old?.bytesPerSecond);
    Object.assign(known, { bytes: route.bytes, bytesPerSecond });
    const verdict = verdictOf(route.state, known);
    return {
      ...{ key: route.name, verdict, rank: ORDER.indexOf(verdict), trouble: !WELL.has(verdict) },
      ...{ state: route.state, reason: route.reason, direction: directionOf(route) },
      ...{ from: route.from, to: route.to, hz: route.messages_per_second, bytesPerSecond },
      ...{ ageMs: route.age_ms, queued: route.queued, rebuilds: route.rebuilds, topics: route.topics },
      ...{ dropped: line?.dropped ?? route.dropped, ledger, balance: known.balance },
    };
  }

  #topic({ topic, hop, ...ledger }, queued, nowMs, seconds, next) {
    const key = `topic ${hop} ${topic}`;
    const known = this.#look(key, ledger, queued, nowMs, next);
    const old = this.#before.get(key);
    const hz = pace(old?.received, ledger.received, seconds, old?.hz);
    known.hz = hz;
    const verdict = verdictOf('up', known);
    return {
      ...{ key: `${topic} ${hop}`, topic, hop, verdict, rank: ORDER.indexOf(verdict) },
      ...{ trouble: !WELL.has(verdict), hz, dropped: ledger.dropped, ledger, balance: known.balance },
    };
  }

  /** What is on its way moves, or stands in the queue; a difference that does neither is reported as one. */
  #look(key, { received, forwarded, written, dropped }, queued, nowMs, next) {
    const old = this.#before.get(key);
    const rest = received - forwarded - written - sum(dropped);
    const losses = lost(dropped);
    const moved = old === undefined || old.received !== received || old.rest !== rest;
    const known = {
      ...{ received, rest, losses },
      stoodMs: moved ? nowMs : old.stoodMs,
      lostMs: old !== undefined && losses > old.losses ? nowMs : old?.lostMs,
    };
    const settled = rest > queued && nowMs - known.stoodMs >= SETTLED_MS;
    known.balance = rest === 0 ? 'balances' : rest > 0 && !settled ? 'on the way' : 'does not balance';
    known.losing = known.lostMs !== undefined && nowMs - known.lostMs < RECENT_MS;
    next.set(key, known);
    return known;
  }
}

function verdictOf(state, { balance, losing }) {
  const told = balance === 'does not balance' ? 'unbalanced' : losing ? 'losing' : state;
  return rank(told) < rank(state) ? told : state;
}

/** States of a newer daemon are looked at among the first. */
const rank = (state) => (ORDER.includes(state) ? ORDER.indexOf(state) : 0);

/** Counts of a process that was started again start at zero: there is no pace between two of them. */
function pace(before, now, seconds, kept) {
  if (seconds < SECONDS_MIN) return kept;
  return before === undefined || seconds === undefined || now < before ? undefined : (now - before) / seconds;
}

function added(total, { received, forwarded, written, dropped }) {
  if (!total) return { received, forwarded, written, dropped: { ...dropped } };
  total.received += received;
  total.forwarded += forwarded;
  total.written += written;
  for (const [reason, n] of Object.entries(dropped)) total.dropped[reason] = (total.dropped[reason] ?? 0) + n;
  return total;
}

/** `ros:/scan` to `zenoh:a/b` is "ROS → Zenoh". */
function directionOf({ from, to }) {
  const end = (text) => ENDS[text.split(':', 1)[0]] ?? text.split(':', 1)[0];
  return `${end(from)} → ${end(to)}`;
}

/** "queue_full 3, denied 1": the most first. */
export function dropsText(dropped) {
  return Object.entries(dropped)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${reason} ${n.toLocaleString()}`)
    .join(', ');
}

/** "10 = 4 + 0 + 6", as the ledger counts: received = forwarded + written + dropped. */
export function ledgerText({ received, forwarded, written, dropped }) {
  const [all, ...parts] = [received, forwarded, written, sum(dropped)].map((n) => n.toLocaleString());
  return `${all} = ${parts.join(' + ')}`;
}
