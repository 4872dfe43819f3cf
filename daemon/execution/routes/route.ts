import {
  type Clock,
  compilePattern,
  type DropReason,
  EdgeError,
  fillTemplate,
  LIMITS,
  type RouteSpec,
  type RouteStatus,
  type Sample,
  type Timer,
  withoutSlash,
} from '../../../contract/core.ts';
import { Ledger, Rates } from '../bus/index.ts';
import { Canary } from './canary.ts';
import type { Dispatcher, LaneOwner, Sent } from './dispatcher.ts';
import { Lane } from './lane.ts';
import { Limiter } from './limiter.ts';
import { bySize, type Priority, WEIGHT } from './priority.ts';
import { SteadyWatch } from './steady-watch.ts';

/** Where the samples of a route go. */
export type Outlet = {
  /** Undefined when `lane` can be sent to at once; else it waits for this. A rejection counts what waits as lost. */
  prepare(route: Route, lane: Lane, type: string): Promise<void> | undefined;
  send(route: Route, lane: Lane, sample: Sample): Sent;
  /** The lane is idle and goes: what was kept for it may go too. */
  release?(lane: Lane): void;
};

/** Why a sample that could not be sent is lost, by the code of the error; else its receiver is not there. */
const REASON: Readonly<Record<string, DropReason>> = {
  'sample.unknown_type': 'malformed',
  'command.refused': 'denied',
};
/** What is counted for names beyond those that get a line of their own. */
export const OTHER_TOPICS = '(other)';
/** A name longer than an event may hold goes with them. */
const NAME_CHARS_MAX = 256;
/** A name that was not heard for so long makes room for a new one when no place is free, milliseconds. */
const IDLE_MS = 10 * 60_000;

type Entry = {
  readonly lane: Lane;
  readonly limiter: Limiter;
  readonly watch: SteadyWatch;
  /** When a sample last came, by the monotonic clock. */
  usedMs: number;
  /** The newest sample, waiting for its turn by the rate. */
  held: { sample: Sample; readonly timer: Timer } | undefined;
};

/** One route: which samples it takes, in what pace, under which name they are sent, and what became of each. */
export class Route implements LaneOwner {
  readonly spec: RouteSpec;
  readonly ledger: Ledger;
  readonly canary = new Canary();
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #outlet: Outlet;
  readonly #values: Readonly<Record<string, string>>;
  readonly #from: ReturnType<typeof compilePattern>;
  readonly #allow: readonly ReturnType<typeof compilePattern>[];
  readonly #deny: readonly ReturnType<typeof compilePattern>[];
  /** By name at the `from` end. */
  readonly #entries = new Map<string, Entry>();
  /** Names that match and are not taken, so that they are matched once: never in the way of those that are. */
  readonly #denied = new Set<string>();
  /** Names whose lane made room, the first to go first, and how many samples were sent under each. */
  readonly #former = new Map<string, number>();
  readonly #onNamesSpent: () => void;
  #isSpentTold = false;
  readonly #rates = new Rates();
  #messages = 0;
  #bytes = 0;
  #newestMs: number | undefined;
  #fault = '';
  #closed = false;

  constructor(
    spec: RouteSpec,
    parts: {
      readonly clock: Clock;
      readonly dispatcher: Dispatcher;
      readonly outlet: Outlet;
      readonly robot: string;
      readonly prefix: string;
      /** The first time that a name is refused because there were too many before it. */
      onNamesSpent(): void;
    },
  ) {
    this.spec = spec;
    this.ledger = new Ledger(`route:${spec.name}`);
    this.#clock = parts.clock;
    this.#dispatcher = parts.dispatcher;
    this.#outlet = parts.outlet;
    this.#onNamesSpent = () => parts.onNamesSpent();
    this.#values = { robot: parts.robot, prefix: parts.prefix };
    this.#from = compilePattern(filled(spec.from.pattern, this.#values));
    this.#allow = spec.allow.map(compilePattern);
    this.#deny = spec.deny.map(compilePattern);
  }

  /** The `from` end with its placeholders filled: what has to be subscribed. */
  get fromPattern(): string {
    return this.#from.text;
  }

  get isPlain(): boolean {
    return this.#from.wildcards.length === 0;
  }

  matches(name: string): boolean {
    return this.#entries.has(name) || this.#from.match(name) !== undefined;
  }

  /** What a name is called at the other end, remembered; undefined where the route does not take it. */
  knownTarget(name: string): string | undefined {
    return this.#entries.get(name)?.lane.target ?? this.targetOf(name);
  }

  /** The name at the other end, without a leading slash; undefined where the route does not take it. */
  targetOf(name: string): string | undefined {
    const captures = this.#from.match(name);
    return (
      captures && fillTemplate(this.spec.to.pattern, captures, { ...this.#values, topic: withoutSlash(name) })
    );
  }

  /** Takes a sample that came under `name`; `sample.topic` is what the ledger calls it. Never throws. */
  offer(name: string, sample: Sample, refused?: DropReason): void {
    // What is refused makes no lane: other clients would use up the names of what can be sent.
    const entry = refused ? this.#entries.get(name) : this.#entryOf(name, sample.topic);
    const isTaken = entry !== undefined || (refused !== undefined && this.#takenAs(name) !== undefined);
    this.#received(sample.topic);
    const reason = this.#closed ? 'shutdown' : isTaken ? refused : 'denied';
    if (reason || !entry) {
      this.#drop(sample.topic, reason ?? 'denied');
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    entry.watch.count(nowMs);
    entry.usedMs = nowMs;
    if (entry.held) {
      if (!entry.limiter.keeps()) this.#drop(sample.topic, 'decimated');
      else {
        // The newest wins; the turn stays where it is.
        this.#drop(entry.held.sample.topic, 'rate_limited');
        entry.held.sample = sample;
      }
      return;
    }
    const verdict = entry.limiter.offer(nowMs);
    if (verdict === 'pass') this.#pass(entry, sample);
    else if (typeof verdict === 'string') this.#drop(sample.topic, verdict);
    else {
      const timer = this.#clock.after(verdict.at - nowMs, () => this.#release(entry));
      entry.held = { sample, timer };
    }
  }

  /** Samples of this route that never came as far as `offer`. */
  missed(topic: string, reason: DropReason, count: number): void {
    const line = this.#line(topic);
    this.ledger.received(line, count);
    this.ledger.dropped(line, reason, count);
  }

  /** Declares the lane of a name ahead, so that its first sample finds everything ready. */
  declare(name: string, type: string): void {
    const target = this.targetOf(name);
    if (target === undefined) return;
    const entry = this.#entryOf(name, this.spec.to.kind === 'zenoh' ? name : `/${target}`);
    if (entry) this.#prepare(entry, type);
  }

  weight(lane: Lane): number {
    return WEIGHT[this.priorityOf(lane)];
  }

  /** Fixed, or by size; it changes only while nothing is in flight, so that no sample overtakes another. */
  priorityOf(lane: Lane): Priority {
    if (this.spec.priority !== 'auto') return this.spec.priority;
    if (lane.inFlight === 0 || lane.priority === '') lane.priority = bySize(lane.newestBytes);
    return lane.priority as Priority;
  }

  send(lane: Lane, sample: Sample): Sent {
    return this.#outlet.send(this, lane, sample);
  }

  forwarded(lane: Lane, sample: Sample): void {
    if (this.#closed) return;
    const nowMs = this.#clock.monotonicMs();
    this.ledger.forwarded(this.#line(lane.topic));
    this.#messages += 1;
    this.#bytes += sample.bytes.length;
    this.#newestMs = nowMs;
    this.#rates.count('', nowMs);
    this.#fault = '';
  }

  failed(lane: Lane, _sample: Sample, error: unknown): void {
    if (this.#closed) return;
    const typed = EdgeError.from(error, 'zenoh.failed', 'forward', lane.target);
    this.#fault = typed.message;
    this.#drop(lane.topic, REASON[typed.code] ?? 'not_connected');
  }

  /** Messages handed on since the start: what shows progress. */
  get messages(): number {
    return this.#messages;
  }

  /** The last failure of the other end; empty once something went through again. */
  get fault(): string {
    return this.#fault;
  }

  /** Another session, another try. */
  forgetFault(): void {
    this.#fault = '';
  }

  *lanes(): Generator<{ readonly name: string; readonly lane: Lane; readonly watch: SteadyWatch }> {
    for (const [name, { lane, watch }] of this.#entries) yield { name, lane, watch };
  }

  status(): RouteStatus {
    const nowMs = this.#clock.monotonicMs();
    let queued = 0;
    let queuedBytes = 0;
    let topics = 0;
    for (const { lane } of this.lanes()) {
      queued += lane.queued + lane.inFlight;
      queuedBytes += lane.queuedBytes + lane.inFlightBytes;
      topics += 1;
    }
    const { name, from, to } = this.spec;
    return {
      name,
      from: `${from.kind}:${from.pattern}`,
      to: `${to.kind}:${to.pattern}`,
      state: this.canary.state,
      reason: this.canary.reason,
      messages: this.#messages,
      bytes: this.#bytes,
      messages_per_second: this.#rates.of('', nowMs),
      age_ms: this.#newestMs === undefined ? null : Math.max(0, nowMs - this.#newestMs),
      queued,
      queued_bytes: queuedBytes,
      dropped: this.ledger.droppedByReason(),
      rebuilds: this.canary.rebuilds,
      topics,
    };
  }

  /** Takes nothing more; what waits and what no transport confirmed is counted. May be called twice. */
  close(): void {
    if (this.#closed) return;
    for (const entry of this.#entries.values()) {
      const { lane, held } = entry;
      held?.timer.cancel();
      const left = this.#dispatcher.forget(lane).length + lane.inFlight + (held ? 1 : 0);
      this.ledger.dropped(this.#line(lane.topic), 'shutdown', left);
    }
    this.#closed = true;
  }

  /** The name at the other end; undefined where the route does not take it, which is remembered. */
  #takenAs(name: string): string | undefined {
    if (this.#denied.has(name)) return undefined;
    const target = this.#allows(name) ? this.targetOf(name) : undefined;
    if (target && name.length <= NAME_CHARS_MAX) return target;
    if (this.#denied.size >= LIMITS.ROUTE_TOPICS_MAX) this.#denied.clear();
    if (name.length <= NAME_CHARS_MAX) this.#denied.add(name);
    return undefined;
  }

  #entryOf(name: string, topic: string): Entry | undefined {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const target = this.#takenAs(name);
    // Names come from other clients: there is a line and a lane for so many of them, and no more.
    if (target === undefined || this.#isSpent(name)) return undefined;
    // A receiver knows the numbers of this name: they continue where they were.
    const seq = this.#former.get(name) ?? 0;
    if (this.#entries.size >= LIMITS.ROUTE_TOPICS_MAX && !this.#makeRoom()) return undefined;
    const limits = { samplesMax: this.spec.depth, bytesMax: LIMITS.ROUTE_QUEUE_BYTES_MAX };
    const { rateHz, rateMode, keepEvery } = this.spec;
    const entry: Entry = {
      lane: new Lane(topic, target, limits, () => this.#drop(topic, 'queue_full')),
      limiter: new Limiter({ rateHz, mode: rateMode, keepEvery }),
      watch: new SteadyWatch(),
      usedMs: this.#clock.monotonicMs(),
      held: undefined,
    };
    entry.lane.seq = seq;
    this.#former.delete(name);
    this.#entries.set(name, entry);
    return entry;
  }

  /** Room is given back, but not what a name has made in ROS. */
  #isSpent(name: string): boolean {
    if (this.spec.to.kind !== 'ros' || this.#former.has(name)) return false;
    if (this.#entries.size + this.#former.size < LIMITS.ROUTE_NAMES_EVER_MAX) return false;
    if (!this.#isSpentTold) this.#onNamesSpent();
    this.#isSpentTold = true;
    return true;
  }

  /** Topics come and go over the weeks: one that was not heard for long goes. False when all are in use. */
  #makeRoom(): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const [name, { lane, held, usedMs }] of this.#entries) {
      if (nowMs - usedMs < IDLE_MS || held || lane.queued + lane.inFlight > 0 || lane.isPreparing) continue;
      this.#dispatcher.forget(lane);
      this.#outlet.release?.(lane);
      this.#entries.delete(name);
      this.#former.set(name, lane.seq);
      const [oldest] = this.#former.keys();
      if (this.#former.size > LIMITS.ROUTE_NAMES_EVER_MAX) this.#former.delete(oldest!);
      return true;
    }
    return false;
  }

  #allows(name: string): boolean {
    if (this.#deny.some((pattern) => pattern.match(name))) return false;
    return this.#allow.length === 0 || this.#allow.some((pattern) => pattern.match(name));
  }

  #release(entry: Entry): void {
    const { held } = entry;
    entry.held = undefined;
    if (!held || this.#closed) return;
    entry.limiter.release(this.#clock.monotonicMs());
    this.#pass(entry, held.sample);
  }

  #pass(entry: Entry, sample: Sample): void {
    this.#prepare(entry, sample.type);
    this.#dispatcher.offer(entry.lane, this, sample);
  }

  #prepare({ lane }: Entry, type: string): void {
    if (lane.isPreparing) return;
    const preparing = this.#outlet.prepare(this, lane, type);
    if (!preparing) return;
    lane.isPreparing = true;
    lane.isHeld = true;
    preparing
      .catch((error: unknown) => {
        if (this.#closed) return;
        for (const sample of this.#dispatcher.forget(lane)) this.failed(lane, sample, error);
        this.#fault = EdgeError.from(error, 'route.silent', 'prepare', lane.target).message;
      })
      .finally(() => {
        lane.isPreparing = false;
        lane.isHeld = false;
        this.#dispatcher.pump();
      });
  }

  #received(topic: string): void {
    this.ledger.received(this.#line(topic));
  }

  #drop(topic: string, reason: DropReason): void {
    this.ledger.dropped(this.#line(topic), reason);
  }

  #line(topic: string): string {
    if (this.ledger.has(topic)) return topic;
    return this.ledger.size < LIMITS.ROUTE_TOPICS_MAX && topic.length <= NAME_CHARS_MAX
      ? topic
      : OTHER_TOPICS;
  }
}

/** Placeholders of the `from` end: those that are known before any sample. */
function filled(pattern: string, values: Readonly<Record<string, string>>): string {
  const text = pattern.replaceAll(/\{(robot|prefix)\}/g, (_, name: string) => values[name] ?? '');
  return text.replaceAll(/\/{2,}/g, '/').replace(/^\/|\/$/g, '');
}
