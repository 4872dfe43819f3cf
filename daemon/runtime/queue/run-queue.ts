import { EdgeError, type Nanoseconds } from '../../../contract/index.ts';
import { type Blocked, knotted } from './run-knots.ts';
import { type Obstacle, RunSlots, type SlotRun } from './run-slots.ts';
import { StartThrottle, type Throttle } from './start-throttle.ts';

export type Waiting = SlotRun & {
  readonly priority: number;
  /** Monotonic milliseconds at which it was queued; before this process started: negative. */
  readonly sinceMs: number;
  /** Wall time after which it must not start; undefined: never. */
  readonly expires: Nanoseconds | undefined;
};

/** Limits of one application. */
export type Share = { readonly runsMax: number; readonly queueMax: number; readonly throttle?: Throttle };

export type QueueRules = {
  readonly share: (app: string) => Share;
  /** Runs of all applications at a time. */
  readonly runsMax: number;
  /** A waiting run gains one level of priority each time this has passed, milliseconds. */
  readonly agingMs: number;
  /**
   * An agent that waited this long starts although host or models are busy, if no other agent is running,
   * milliseconds.
   */
  readonly pressureWaitMs: number;
};

/** The conditions at the moment of a decision. */
export type Conditions = {
  readonly nowMs: number;
  /** Why a person holds a waiting run back. Undefined: it is not held. */
  held(runId: string): string | undefined;
  /** Why no agent should start; undefined: one may. */
  readonly pressure: string | undefined;
};

/** After this many levels of aging a key that becomes free is reserved for the run that has waited for it. */
const RESERVE_LEVELS = 10;

/**
 * Which waiting run starts next: pure, time comes with each question. Within an application the most urgent goes
 * first, among applications the one with the most urgent run, and of equals the one that was served longest ago.
 * Waiting makes urgent without bound (of a run among its own, of an application among the others since it was
 * served last), so every run that can start does. Policies of the limits: a full queue of an application refuses
 * intents, everything else makes wait.
 */
export class RunQueue {
  readonly #rules: QueueRules;
  readonly #slots = new RunSlots();
  readonly #throttle = new StartThrottle();
  readonly #waiting = new Map<string, Waiting>();
  /** When each application started a run last, monotonic milliseconds, and which start it was. */
  readonly #served = new Map<string, { readonly atMs: number; readonly turn: number }>();
  #turns = 0;

  constructor(rules: QueueRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Throws `run.limit`; asked before anything is promised. `pending`: intents of it that are being judged. */
  reserve(app: string, pending: number): void {
    const { queueMax } = this.#rules.share(app);
    const waiting = [...this.#waiting.values()].filter((run) => run.app === app && !run.branch).length;
    if (waiting + pending < queueMax) return;
    throw new EdgeError('run.limit', {
      operation: 'submit',
      subject: app,
      message: `${waiting + pending} runs of ${app} are waiting, at most ${queueMax} may`,
      hint: 'cancel runs or wait for one to finish',
    });
  }

  /** Beyond the limit too: what the log has accepted is never turned away. */
  add(run: Waiting): void {
    this.#waiting.set(run.runId, run);
  }

  remove(runId: string): boolean {
    return this.#waiting.delete(runId);
  }

  has(runId: string): boolean {
    return this.#waiting.has(runId);
  }

  /** Whether it holds a slot. */
  holds(runId: string): boolean {
    return this.#slots.has(runId);
  }

  /** A run that continues takes its slot, whatever the limits are. */
  enter(run: SlotRun): void {
    this.#slots.enter(run);
  }

  leave(runId: string): void {
    this.#slots.leave(runId);
  }

  /** A start that is in the log. */
  began(app: string, atMs: number, nowMs: number): void {
    this.#throttle.began(app, atMs, this.#rules.share(app).throttle, nowMs);
  }

  /** Takes the next run, and for it its slot; undefined: none may start. */
  take(conditions: Conditions): Waiting | undefined {
    const { nowMs } = conditions;
    const heads = new Map<string, Waiting>();
    for (const run of this.#waiting.values()) {
      if (this.#obstacle(run, conditions)) continue;
      const head = heads.get(run.app);
      if (!head || this.#within(run, head, nowMs) < 0) heads.set(run.app, run);
    }
    const next = [...heads.values()].sort((a, b) => this.#among(a, b, nowMs))[0];
    if (!next) return undefined;
    this.#waiting.delete(next.runId);
    this.#slots.enter(next);
    if (next.branch) return next;
    this.began(next.app, nowMs, nowMs);
    this.#served.set(next.app, { atMs: nowMs, turn: ++this.#turns });
    return next;
  }

  /** What a waiting run waits for, for people; undefined: it does not wait. */
  why(runId: string, conditions: Conditions): string | undefined {
    const run = this.#waiting.get(runId);
    if (!run) return undefined;
    const obstacle = this.#obstacle(run, conditions);
    return obstacle ? `waits: ${obstacle.text}` : 'starts now';
  }

  /** Takes out what waited too long. */
  takeExpired(now: Nanoseconds): readonly Waiting[] {
    const expired = [...this.#waiting.values()].filter(
      (run) => run.expires !== undefined && run.expires <= now,
    );
    for (const { runId } of expired) this.#waiting.delete(runId);
    return expired;
  }

  /** How many could start now. */
  startable(conditions: Conditions): number {
    return [...this.#waiting.values()].filter((run) => !this.#obstacle(run, conditions)).length;
  }

  /** Whether an agent waits: only then is it worth while to measure how busy the host is. */
  waitingAgent(): boolean {
    return [...this.#waiting.values()].some((run) => run.agent);
  }

  /** The youngest of those that wait for themselves by way of others; undefined: none does. */
  knot(conditions: Conditions, parents: ReadonlyMap<string, string | undefined>): string | undefined {
    const blocked: Blocked[] = [];
    for (const run of this.#waiting.values()) {
      const [parent] = run.ancestors;
      const obstacle = this.#obstacle(run, conditions);
      if (parent === undefined || !obstacle || obstacle.holders.length === 0) continue;
      const needs = obstacle.kind === 'key' ? 'all' : 'one';
      blocked.push({ runId: run.runId, parent, holders: obstacle.holders, needs });
    }
    if (blocked.length === 0) return undefined;
    return [...knotted(blocked, parents)].sort().at(-1);
  }

  #obstacle(run: Waiting, conditions: Conditions): Obstacle | undefined {
    const { share, runsMax } = this.#rules;
    const held = conditions.held(run.runId);
    if (held !== undefined) return { kind: 'held', text: held, holders: [] };
    if (run.branch) return undefined;
    const { runsMax: appMax, throttle } = share(run.app);
    return (
      this.#slots.obstacle(run, appMax, runsMax) ??
      this.#reserved(run, conditions) ??
      this.#throttled(run, throttle, conditions.nowMs) ??
      this.#pressed(run, conditions)
    );
  }

  /** Its key is free, and somebody has waited very long for it. */
  #reserved(run: Waiting, conditions: Conditions): Obstacle | undefined {
    if (run.key === undefined || run.ancestors.length > 0) return undefined;
    const { agingMs } = this.#rules;
    for (const other of this.#waiting.values()) {
      if (other.key !== run.key || other.runId === run.runId) continue;
      if (conditions.nowMs - other.sinceMs < RESERVE_LEVELS * agingMs) continue;
      if (other.sinceMs > run.sinceMs || (other.sinceMs === run.sinceMs && other.runId > run.runId)) continue;
      if (conditions.held(other.runId) !== undefined || this.#pressed(other, conditions)) continue;
      const text = `the key ${run.key} is kept for run ${other.runId}, which has waited longer`;
      return { kind: 'reserved', text, holders: [] };
    }
    return undefined;
  }

  #throttled(run: Waiting, throttle: Throttle | undefined, nowMs: number): Obstacle | undefined {
    const opensAtMs = this.#throttle.opensAtMs(run.app, throttle, nowMs);
    if (opensAtMs === undefined || !throttle) return undefined;
    const left = Math.max(1, Math.ceil((opensAtMs - nowMs) / 1000));
    const text = `${run.app} starts at most ${throttle.starts} runs in ${throttle.withinMs / 1000} s; the next in ${left} s`;
    return { kind: 'throttle', text, holders: [] };
  }

  /** Children are not held back: the run that waits for them is already running. */
  #pressed(run: Waiting, { pressure, nowMs }: Conditions): Obstacle | undefined {
    if (pressure === undefined || !run.agent || run.ancestors.length > 0) return undefined;
    const patient = nowMs - run.sinceMs < this.#rules.pressureWaitMs;
    if (!patient && this.#slots.agents() === 0) return undefined;
    return { kind: 'pressure', text: pressure, holders: [] };
  }

  #within(a: Waiting, b: Waiting, nowMs: number): number {
    const level = ({ priority, sinceMs }: Waiting) => priority + this.#levels(nowMs - sinceMs);
    return level(b) - level(a) || a.sinceMs - b.sinceMs || (a.runId < b.runId ? -1 : 1);
  }

  #among(a: Waiting, b: Waiting, nowMs: number): number {
    const level = ({ priority, sinceMs, app }: Waiting) =>
      priority + this.#levels(nowMs - Math.max(sinceMs, this.#served.get(app)?.atMs ?? sinceMs));
    const turn = ({ app }: Waiting) => this.#served.get(app)?.turn ?? 0;
    return level(b) - level(a) || turn(a) - turn(b) || a.sinceMs - b.sinceMs || (a.runId < b.runId ? -1 : 1);
  }

  #levels(waitedMs: number): number {
    return Math.floor(Math.max(0, waitedMs) / this.#rules.agingMs);
  }
}
