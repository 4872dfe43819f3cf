import {
  type AgentEvent,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  type RunDetails,
  type RuntimeApi,
  type Timer,
} from '../../../contract/core.ts';
import { isOf, UNDECIDED, unfinishedRuns } from './unfinished-runs.ts';

export type AutoStartParts = {
  /** Type of the intent. */
  readonly type: string;
  readonly robot: string;
  /** When the daemon started, as wire time: the name of this start. */
  readonly started: string;
  readonly clock: Clock;
  readonly runtime: Pick<RuntimeApi, 'submit' | 'run' | 'runs'>;
  /** Of the log of this cell; it is closed with the log. */
  readonly reader: Pick<EventReader, 'read'>;
  report(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** Between two looks at a run that may stand for the one of this start, and between two tries, milliseconds. */
const AGAIN_MS = 3_000;
const READ_BATCH = 1_000;

/**
 * Gives the robot one intent at each start of the daemon (`runs.auto_start`). A run of an earlier start that goes on
 * stands for it: only where that could not go on after its cut the intent is sent. It is sent under a key of this
 * start, so a cell that starts anew sends none a second time, and one that died before it was sent sends it.
 */
export class AutoStart {
  readonly #parts: AutoStartParts;
  /** Runs of earlier starts that were not over at this one; undefined: nobody has looked yet. */
  #earlier: Set<string> | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  #told = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: AutoStartParts) {
    this.#parts = parts;
  }

  /** After the runtime is up. Settles after the first try; never rejects. */
  start(): Promise<void> {
    return this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  #wake(): Promise<void> {
    this.#looking = this.#look();
    return this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#stopped || (await this.#settled()) || this.#stopped) return;
    this.#timer = this.#parts.clock.after(AGAIN_MS, () => void this.#wake());
  }

  /** Whether this start has its run, or will have none. Never rejects. */
  async #settled(): Promise<boolean> {
    const { type, robot, started, runtime, report } = this.#parts;
    try {
      this.#earlier ??= new Set(this.#endedSinceStart());
      const open = unfinishedRuns(runtime, robot).filter(({ intent }) => intent.type === type);
      for (const { run } of open) this.#earlier.add(run.run_id);
      if (open.length > 0) return false;
      if ([...this.#earlier].some((runId) => !wasCutOff(runtime.run(runId)))) return true;
      await runtime.submit(
        { type, idempotency_key: `start ${started}` },
        { tenant: 'local', principal: robot, roles: ['operator'], origin: 'schedule' },
      );
      return true;
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'submit', type);
      const isFinal = !UNDECIDED.has(code);
      if (isFinal) report('error', `runs.auto_start: ${message}`, { type, code });
      else if (!this.#told) report('error', `runs.auto_start: ${message}; it is tried again`, { type, code });
      this.#told = true;
      return isFinal;
    }
  }

  /** Runs of ours that ended since the daemon started, before anybody looked here: perhaps in an earlier process. */
  *#endedSinceStart(): Generator<string> {
    const { type, robot, runtime } = this.#parts;
    const since = this.#startedAt();
    if (since === undefined) return;
    for (const event of this.#events('run.finished', since)) {
      if (event.run_id === undefined) continue;
      const { intent } = runtime.run(event.run_id);
      if (intent.type === type && isOf(intent.policy_ctx, robot)) yield event.run_id;
    }
  }

  /** Where the log stood when the daemon started: its starts of this cell are counted from 0. */
  #startedAt(): number | undefined {
    const started = fromWireTime(this.#parts.started);
    let first: AgentEvent<'cell.started'> | undefined;
    for (const event of [...this.#events('cell.started', 0)].reverse()) {
      const isEarlier = event.payload.attempt >= (first?.payload.attempt ?? Infinity);
      if (first && (isEarlier || fromWireTime(event.ts) < started)) break;
      first = event;
    }
    return first?.seq;
  }

  *#events<K extends 'cell.started' | 'run.finished'>(kind: K, after: number): Generator<AgentEvent<K>> {
    for (let cursor = after; ; ) {
      const events = this.#parts.reader.read(cursor, READ_BATCH, { kinds: [kind] }) as AgentEvent<K>[];
      if (events.length === 0) return;
      yield* events;
      cursor = events.at(-1)!.seq;
    }
  }
}

/** It did not come to an end of its own: it could not go on after a cut, or its time ran out meanwhile. */
function wasCutOff({ run, error }: RunDetails): boolean {
  if (error?.code === 'deadline.exceeded') return error.subject === run.run_id;
  return error?.code === 'run.interrupted' || error?.code === 'intent.expired';
}
