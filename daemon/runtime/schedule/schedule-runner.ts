import {
  type AgentEvent,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  LIMITS,
  type NewEvent,
  type RuntimeApi,
  type ScheduleSpec,
  type ScheduleView,
  schedulePrincipal,
  type Timer,
  type TimeTable,
  toMs,
  toWireTime,
  type Wanted,
} from '../../../contract/core.ts';
import { eachEvent, eachPageInTurns } from '../../../history/each-event.ts';
import { type DueDecision, decideDue, lateness, nextLook } from './decide-due.ts';
import { type Fired, ScheduleBook, wireOf } from './schedule-book.ts';
import { RETRY_MS, UnansweredTries } from './tries.ts';
import { isUnanswered, isUndecided, unfinishedRuns } from './unfinished-runs.ts';

export type Schedule = { readonly spec: ScheduleSpec; readonly table: TimeTable };

export type ScheduleParts = {
  readonly robot: string;
  readonly tenant: string;
  readonly clock: Clock;
  readonly runtime: Pick<RuntimeApi, 'submit' | 'runs' | 'stops' | 'moves'>;
  readonly reader: EventReader;
  /** Resolves when they are durable. */
  append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]>;
  report(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};

type Standing = Schedule & {
  readonly book: ScheduleBook;
  /** Written down as due, and not yet known to have opened its run. */
  pending: Fired | undefined;
  /** Since when its last time wants a run. */
  wanted: Wanted;
  runId: string | undefined;
  retryMs: number;
  readonly unanswered: UnansweredTries;
};

const NEXT_SHOWN = 3;

/**
 * Gives the robot its own intents in time. A time that is due is durable before its intent is; the intent carries
 * it as its key. So however this process ends, each time opens one run, or says why it opens none.
 */
export class ScheduleRunner {
  readonly #parts: ScheduleParts;
  #standings: readonly Standing[];
  #timer: Timer | undefined;
  #stopped = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: ScheduleParts, schedules: readonly Schedule[]) {
    this.#parts = parts;
    this.#standings = schedules.map(fresh);
  }

  /** After the runtime is up. Reads what was decided before; then looks at once. */
  async start(): Promise<void> {
    if (this.#standings.length > 0) await this.#load(this.#standings);
    this.#wake();
  }

  /**
   * From now on these are the schedules. One that was there under its name keeps what was decided; one that is new, or
   * comes back, reads that in the log.
   */
  async take(schedules: readonly Schedule[]): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
    if (this.#stopped) return;
    const former = new Map(this.#standings.map((one) => [one.spec.name, one]));
    const next = schedules.map((one): Standing => {
      const known = former.get(one.spec.name);
      return known ? { ...known, ...one } : fresh(one);
    });
    const strangers = next.filter(({ spec }) => !former.has(spec.name));
    if (strangers.length > 0) await this.#load(strangers);
    this.#standings = next;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    this.#parts.reader.close();
  }

  views(): readonly ScheduleView[] {
    const nowMs = toMs(this.#parts.clock.now());
    return this.#standings.map(({ spec, table, book, runId }) => ({
      name: spec.name,
      cron: spec.cron,
      time_zone: spec.timeZone,
      intent: spec.intent,
      missed: spec.missed,
      overlap: spec.overlap,
      jitter_ms: spec.jitterMs,
      next: upcoming(table, nowMs),
      ...(book.last ? { last: lastOf(book.last.fired, runId) } : {}),
    }));
  }

  async #load(standings: readonly Standing[]): Promise<void> {
    const { reader } = this.#parts;
    const byName = new Map(standings.map((standing) => [standing.spec.name, standing]));
    for await (const page of eachPageInTurns(reader, { kinds: ['schedule.fired'] }))
      for (const event of page) byName.get(event.payload.schedule)?.book.take(event);
    for (const standing of standings) {
      const { last } = standing.book;
      if (last?.fired.action !== 'run') continue;
      standing.runId = this.#openedBy(standing.spec, last.fired, last.seq);
      if (standing.runId === undefined) standing.pending = last.fired;
      standing.wanted = this.#parts.runtime.stops.now();
    }
  }

  /** The run that a time opened. Of a time that opened one it is found at once: nothing comes between in the log. */
  #openedBy(spec: ScheduleSpec, { due_ns }: Fired, seq: number): string | undefined {
    const later = eachEvent(this.#parts.reader, { kinds: ['intent.accepted'] }, { after: seq });
    for (const event of later) {
      const { policy_ctx, idempotency_key } = event.payload.intent;
      if (policy_ctx.principal === schedulePrincipal(spec.name) && idempotency_key === due_ns)
        return event.run_id;
    }
    return undefined;
  }

  #wake(): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#looking = this.#look().finally(() => {
      if (this.#stopped || this.#standings.length === 0) return;
      this.#timer = this.#parts.clock.after(this.#restMs(), () => this.#wake());
    });
  }

  async #look(): Promise<void> {
    await Promise.all(this.#standings.map((standing) => this.#attend(standing)));
  }

  /** Never rejects: what cannot be written or opened now is tried again. */
  async #attend(standing: Standing): Promise<void> {
    const { clock, report, robot } = this.#parts;
    if (clock.monotonicMs() < standing.retryMs) return;
    const { spec, table, book } = standing;
    try {
      if (standing.pending && !(await this.#settle(standing, standing.pending))) return;
      if (book.last?.fired.spec !== specText(spec)) await this.#know(standing);
      const nowMs = toMs(clock.now());
      const { due, upToMs } = decideDue(spec, table, book.position(nowMs), nowMs, robot);
      for (const one of due) {
        if (this.#stopped) return;
        await this.#fire(standing, one);
        if (standing.pending) return;
      }
      if (upToMs !== undefined) book.passed(upToMs);
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'fire', spec.name);
      report('warn', 'a schedule could not be served, it is tried again', {
        schedule: spec.name,
        code,
        message,
      });
      standing.retryMs = clock.monotonicMs() + RETRY_MS;
    }
  }

  /** New, or changed: what was due by the old words is no longer due. */
  async #know(standing: Standing): Promise<void> {
    const due_ns = wireOf(toMs(this.#parts.clock.now()));
    const reason = standing.book.isKnown ? 'the schedule was changed' : 'the schedule is new';
    await this.#write(standing, { due_ns, action: 'known', missed: 0, reason });
  }

  async #fire(standing: Standing, { dueMs, action, missed, reason }: DueDecision): Promise<void> {
    const { spec } = standing;
    const due_ns = wireOf(dueMs);
    standing.wanted = this.#parts.runtime.stops.now();
    const overlaps = action === 'run' && spec.overlap === 'skip';
    const busy = overlaps ? unfinishedRuns(this.#parts.runtime, schedulePrincipal(spec.name))[0] : undefined;
    if (action === 'skipped' || busy !== undefined) {
      const why = busy === undefined ? reason : `run ${busy.run.run_id} of an earlier time has not ended`;
      return await this.#write(standing, { due_ns, action: 'skipped', missed, reason: why });
    }
    await this.#write(standing, { due_ns, action: 'run', missed, reason });
    standing.pending = standing.book.last!.fired;
    await this.#settle(standing, standing.pending);
  }

  /**
   * True when the time is settled. A power cut, a log that refuses or a policy that gives no answer may have kept it until
   * its run is no longer wanted; after a stop that counts for it, it never is.
   */
  async #settle(standing: Standing, fired: Fired): Promise<boolean> {
    const { spec, book } = standing;
    const { clock, robot, runtime } = this.#parts;
    const { due_ns } = fired;
    const isStopped = runtime.stops.since(standing.wanted, { moves: () => runtime.moves(spec.intent) });
    const late = lateness(spec, toMs(fromWireTime(due_ns)), toMs(clock.now()), robot);
    if (!isStopped && (late === undefined || spec.missed !== 'skip'))
      return await this.#open(standing, fired);
    const reason = isStopped ? 'the robot was stopped before it started' : `missed: ${late}`;
    // Its intent may be in the log although the answer to it was lost.
    standing.runId = this.#openedBy(spec, fired, book.last!.seq);
    if (standing.runId === undefined)
      await this.#write(standing, { due_ns, action: 'skipped', missed: 0, reason });
    standing.pending = undefined;
    standing.unanswered.reset();
    return true;
  }

  /** True when the time is settled: it has its run, or the log says why not. */
  async #open(standing: Standing, fired: Fired): Promise<boolean> {
    const { spec } = standing;
    const { clock, runtime } = this.#parts;
    try {
      const { run } = await runtime.submit(
        this.#request(spec, fired),
        this.#context(spec),
        standing.wanted.atMs,
      );
      standing.runId = run.run_id;
      standing.unanswered.reset();
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'submit', spec.name);
      if (isUndecided(error)) {
        const restMs = isUnanswered(error) ? standing.unanswered.fail() : RETRY_MS;
        standing.retryMs = clock.monotonicMs() + restMs;
        if (!standing.unanswered.isOver) return false;
      }
      standing.unanswered.reset();
      standing.runId = undefined;
      const reason = `${error.code}: ${error.message}`.slice(0, 512);
      await this.#write(standing, { due_ns: fired.due_ns, action: 'refused', missed: 0, reason });
      this.#parts.report('warn', 'the intent of a schedule was refused', { schedule: spec.name, reason });
    }
    standing.pending = undefined;
    return true;
  }

  #request(spec: ScheduleSpec, { due_ns }: Fired) {
    const { intent: type, params, priority, deadlineMs } = spec;
    const deadline =
      deadlineMs === undefined
        ? {}
        : { deadline: toWireTime(fromWireTime(due_ns) + BigInt(Math.round(deadlineMs)) * 1_000_000n) };
    return { type, params, priority, idempotency_key: due_ns, ...deadline };
  }

  #context(spec: ScheduleSpec) {
    return {
      tenant: this.#parts.tenant,
      principal: schedulePrincipal(spec.name),
      roles: [...spec.roles],
      origin: 'schedule' as const,
    };
  }

  async #write(standing: Standing, what: Omit<Fired, 'schedule' | 'spec'>): Promise<void> {
    const { spec, book } = standing;
    const payload: Fired = { schedule: spec.name, ...what, spec: specText(spec) };
    const [event] = await this.#parts.append([{ kind: 'schedule.fired', payload }]);
    book.take(event as AgentEvent<'schedule.fired'>);
  }

  /** The clock may jump meanwhile: the sleep is short enough to notice. */
  #restMs(): number {
    const { clock, robot } = this.#parts;
    const nowMs = Number(clock.now() / 1_000n) / 1_000;
    let restMs: number = LIMITS.SCHEDULE_LOOK_MS;
    for (const { spec, table, book, pending, retryMs } of this.#standings) {
      if (pending || clock.monotonicMs() < retryMs) continue;
      const next = nextLook(spec, table, book.position(nowMs).cursorMs, robot);
      if (next !== undefined) restMs = Math.min(restMs, next - nowMs);
    }
    return Math.max(1, Math.ceil(restMs));
  }
}

function fresh(one: Schedule): Standing {
  return {
    ...one,
    book: new ScheduleBook(),
    pending: undefined,
    wanted: { atMs: 0 },
    runId: undefined,
    retryMs: -Infinity,
    unanswered: new UnansweredTries(),
  };
}

function specText({ cron, timeZone }: ScheduleSpec): string {
  return `${cron} ${timeZone}`.slice(0, 512);
}

function lastOf(fired: Fired, runId: string | undefined): NonNullable<ScheduleView['last']> {
  const { due_ns, action, missed, reason } = fired;
  const run = action === 'run' && runId !== undefined ? { run_id: runId } : {};
  return { due: due_ns, action, missed, reason, ...run };
}

function upcoming(table: TimeTable, nowMs: number): string[] {
  const times: string[] = [];
  let at = table.next(nowMs);
  while (at !== undefined && times.length < NEXT_SHOWN) {
    times.push(wireOf(at));
    at = table.next(at);
  }
  return times;
}
