import { randomBytes } from 'node:crypto';
import { readTimeTable } from '../../adapters/cron/cron-time-table.ts';
import {
  type AgentEvent,
  type EdgeError,
  IdSource,
  type Intent,
  type IntentRequest,
  type NewEvent,
  type PolicyContext,
  type RunDetails,
  type RuntimeApi,
  type ScheduleSpec,
  toMs,
} from '../../contract/index.ts';
import { ScheduleRunner } from '../../daemon/runtime/schedule/schedule-runner.ts';
import { Stops } from '../../daemon/runtime/stop-count.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, type MemoryLogDisk } from '../fakes/memory-event-log.ts';

export function spec(over: Partial<ScheduleSpec> = {}): ScheduleSpec {
  return {
    name: 'patrol',
    cron: '0 * * * *',
    timeZone: 'UTC',
    intent: 'test/patrol',
    params: {},
    priority: 5,
    roles: ['operator'],
    deadlineMs: undefined,
    missed: 'run_once',
    jitterMs: 0,
    overlap: 'queue',
    ...over,
  };
}

/** One life of a process with schedules; what it wrote survives it on the disk. */
export class ScheduleLife {
  readonly runner: ScheduleRunner;
  readonly #log: MemoryEventLog;
  readonly #disk: MemoryLogDisk;
  readonly #ids: IdSource;
  readonly #clock: ManualClock;
  /** Appends left before the power goes; whether the last of them is still written. */
  cut: { left: number; written: boolean } | undefined;
  dead = false;
  /** For news of stops. */
  readonly bus: FakeBus;
  readonly stops: Stops;
  /** Whether what its intents open may move the robot. */
  moves = true;
  /** Intents that reached the runtime. */
  submitted = 0;
  /** What the runtime says to the next intents. */
  refusal: EdgeError | undefined;
  /** What comes instead of its answers: the intents are in the log all the same. */
  lost: EdgeError | undefined;

  constructor(clock: ManualClock, disk: MemoryLogDisk, specs: readonly ScheduleSpec[]) {
    disk.writer = undefined;
    this.#clock = clock;
    this.bus = new FakeBus(clock);
    this.stops = new Stops(clock, this.bus);
    this.#disk = disk;
    this.#log = new MemoryEventLog({ cell: 'runtime', clock, disk, random: randomBytes });
    this.#ids = new IdSource(() => toMs(clock.now()), randomBytes);
    const moves = () => this.moves;
    const runtime = {
      ...{ submit: this.#submit.bind(this), runs: this.#runs.bind(this), stops: this.stops, moves },
    };
    this.runner = new ScheduleRunner(
      {
        robot: 'r1',
        tenant: 'local',
        clock,
        runtime: runtime as Pick<RuntimeApi, 'submit' | 'runs' | 'stops' | 'moves'>,
        reader: this.#log.reader(),
        append: (events) => this.#append(events),
        report: () => {},
      },
      specs.map((one) => ({ spec: one, table: readTimeTable(one.cron, one.timeZone) })),
    );
  }

  /** The power goes: nothing is written or answered any more. */
  kill(): void {
    this.dead = true;
    this.#disk.writer = undefined;
    // What waits in the dead process never comes back; its timers fire into nothing.
    void this.runner.stop();
  }

  async #append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
    if (this.dead) return new Promise(() => {});
    const last = this.cut && this.cut.left-- === 0;
    if (last && !this.cut!.written) this.dead = true;
    if (this.dead) return new Promise(() => {});
    const durable = await this.#log.append(events);
    if (!last) return durable;
    this.dead = true;
    return new Promise(() => {});
  }

  /** As strict as the runtime: one run per key of a principal, found in the log. */
  async #submit(request: unknown, policy_ctx: PolicyContext) {
    this.submitted += 1;
    if (this.refusal) throw this.refusal;
    const opened = await this.#opened(request, policy_ctx);
    if (this.lost) throw this.lost;
    return opened;
  }

  async #opened(request: unknown, policy_ctx: PolicyContext) {
    const { type, params = {}, priority = 5, idempotency_key, deadline } = request as IntentRequest;
    const known = intentsOf(this.#disk).find(
      ({ payload: { intent } }) =>
        intent.idempotency_key === idempotency_key && intent.policy_ctx.principal === policy_ctx.principal,
    );
    if (known)
      return { intent: known.payload.intent, run: { run_id: known.run_id! }, duplicate: true } as never;
    const runId = this.#ids.next<string>();
    const intent: Intent = {
      intent_id: this.#ids.next(),
      type,
      params,
      policy_ctx,
      targets: [],
      priority,
      ...(deadline === undefined ? {} : { deadline }),
      ...(idempotency_key === undefined ? {} : { idempotency_key }),
    };
    await this.#append([{ kind: 'intent.accepted', run_id: runId, payload: { intent, app: 'test' } }]);
    return { intent, run: { run_id: runId }, duplicate: false } as never;
  }

  #runs({ status }: { status?: string } = {}): RunDetails[] {
    if (status !== 'running') return [];
    const ended = new Set(
      this.#disk.events.filter(({ kind }) => kind === 'run.finished').map(({ run_id }) => run_id),
    );
    return intentsOf(this.#disk)
      .filter(({ run_id }) => !ended.has(run_id))
      .map(({ run_id, payload }) => ({ run: { run_id, status }, intent: payload.intent })) as never;
  }

  async finish(runId: string): Promise<void> {
    await this.#log.append([
      {
        kind: 'run.finished',
        run_id: runId,
        payload: { status: 'succeeded', reason: 'done', summary: {} },
      },
    ]);
  }

  get now(): Date {
    return new Date(toMs(this.#clock.now()));
  }
}

export function intentsOf(disk: MemoryLogDisk): AgentEvent<'intent.accepted'>[] {
  return disk.events.filter((event) => event.kind === 'intent.accepted') as AgentEvent<'intent.accepted'>[];
}

export function firedOf(disk: MemoryLogDisk): AgentEvent<'schedule.fired'>['payload'][] {
  return (disk.events.filter(({ kind }) => kind === 'schedule.fired') as AgentEvent<'schedule.fired'>[]).map(
    ({ payload }) => payload,
  );
}

/** ISO times at which runs were due, as their keys say. */
export function duesOf(disk: MemoryLogDisk): string[] {
  return intentsOf(disk).map(({ payload: { intent } }) => iso(intent.idempotency_key!));
}

export function iso(ns: string): string {
  return new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().replace('.000Z', 'Z');
}
