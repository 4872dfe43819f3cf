import {
  type AgentEvent,
  type ErrorBody,
  type EventKind,
  type EventReader,
  fromWireTime,
  toMs,
} from '../../../contract/core.ts';
import { eachPageInTurns } from '../../../history/each-event.ts';
import { isOf, isUndecided } from './unfinished-runs.ts';

export type StartRecordParts = {
  /** Type of the intent. */
  readonly type: string;
  readonly robot: string;
  /** When the daemon started, as wire time. */
  readonly started: string;
  /** How long a run of it may take. */
  readonly deadlineMs: number;
  /** Of the log of this cell. */
  readonly reader: Pick<EventReader, 'read' | 'cutThrough'>;
};

/** Where the log stood when the daemon started, and when this process did. */
type Found = { readonly daemonSeq: number; readonly cellSeq: number; readonly isCut: boolean };

/** Right before a refusal stand the decisions that led to it, at most one of each hook. */
const DECISIONS_MAX = 8;

/**
 * What the log of this cell has of the intent of one start of the daemon. Each look continues where the last ended.
 */
export class StartRecord {
  readonly #parts: StartRecordParts;
  #found: Found | undefined;
  #cursor = 0;

  constructor(parts: StartRecordParts) {
    this.#parts = parts;
  }

  /**
   * Whether this start had its run, or one that stood for it, or learned in an earlier process of this cell that it
   * gets none. What this process learned itself it knows.
   */
  async isSettled(stopped: () => boolean): Promise<boolean> {
    const found = this.#found ?? (await this.#find());
    if (!found) return false;
    this.#found = found;
    // The robot moved by it once, or was refused it, in what is gone: no second time by a cell that starts again.
    if (found.isCut) return true;
    for await (const event of this.#events(['run.finished', 'intent.refused'], this.#cursor)) {
      if (stopped()) return false;
      if (event.kind === 'run.finished' && this.#stands(event, found)) return true;
      if (event.kind === 'intent.refused' && event.seq < found.cellSeq && this.#isFinal(event)) return true;
      this.#cursor = event.seq;
    }
    return false;
  }

  /** The starts of this cell are counted from 0 in each start of the daemon. */
  async #find(): Promise<Found | undefined> {
    const started = fromWireTime(this.#parts.started);
    const starts: AgentEvent<'cell.started'>[] = [];
    for await (const event of this.#events(['cell.started'], 0)) starts.push(event);
    let first: AgentEvent<'cell.started'> | undefined;
    for (const event of starts.toReversed()) {
      const isEarlier = event.payload.attempt >= (first?.payload.attempt ?? Infinity);
      if (first && (isEarlier || fromWireTime(event.ts) < started)) break;
      first = event;
    }
    if (!first) return undefined;
    this.#cursor = first.seq;
    return { daemonSeq: first.seq, cellSeq: starts.at(-1)!.seq, isCut: this.#isCut(first, started) };
  }

  /** Events of this start were removed from the log. Those of open runs never are. */
  #isCut(first: AgentEvent<'cell.started'>, started: bigint): boolean {
    const { reader } = this.#parts;
    const through = reader.cutThrough?.() ?? 0;
    if (through === 0 || (first.payload.attempt === 0 && first.seq > through)) return false;
    const [oldest] = reader.read(through, 1);
    return oldest === undefined || fromWireTime(oldest.ts) >= started;
  }

  /** Of this start, whatever became of it, or one of an earlier start that this start did not interrupt. */
  #stands({ run_id: runId, payload }: AgentEvent<'run.finished'>, { daemonSeq }: Found): boolean {
    const { type, robot } = this.#parts;
    const accepted = runId === undefined ? undefined : this.#first(runId, 'intent.accepted');
    if (runId === undefined || !accepted) return false;
    const { intent } = accepted.payload;
    if (intent.type !== type || !isOf(intent.policy_ctx, robot)) return false;
    return accepted.seq > daemonSeq || !this.#wasCutOff(runId, payload.error, daemonSeq);
  }

  /**
   * It could not continue after the interruption, or its time was over by then. Time that runs out later is an end of
   * its own.
   */
  #wasCutOff(runId: string, error: ErrorBody | undefined, daemonSeq: number): boolean {
    if (error?.code === 'run.interrupted') return true;
    if (error?.code !== 'deadline.exceeded' || error.subject !== runId) return false;
    const begun = this.#first(runId, 'run.started');
    const wentOn = this.#first(runId, 'run.started', daemonSeq);
    if (!begun || !wentOn) return false;
    return toMs(fromWireTime(wentOn.ts) - fromWireTime(begun.ts)) >= this.#parts.deadlineMs;
  }

  #isFinal({ seq, payload }: AgentEvent<'intent.refused'>): boolean {
    if (payload.type !== this.#parts.type || isUndecided(payload.error)) return false;
    const before = this.#parts.reader.read(Math.max(0, seq - 1 - DECISIONS_MAX), DECISIONS_MAX);
    for (const event of before.filter((one) => one.seq < seq).reverse()) {
      if (event.kind !== 'policy.decided' || event.payload.point !== 'intent') break;
      const who = event.payload.request?.['principal'] as { id?: unknown; origin?: unknown } | undefined;
      if (who) return who.id === this.#parts.robot && who.origin === 'schedule';
    }
    // The caller is unknown: rather no mission than one that was refused.
    return true;
  }

  #first<K extends EventKind>(runId: string, kind: K, after = 0): AgentEvent<K> | undefined {
    return this.#parts.reader.read(after, 1, { runId, kinds: [kind] })[0] as AgentEvent<K> | undefined;
  }

  async *#events<K extends EventKind>(kinds: readonly K[], after: number): AsyncGenerator<AgentEvent<K>> {
    // Weeks of schedules may have ended since the start.
    for await (const page of eachPageInTurns(this.#parts.reader, { kinds }, { after })) yield* page;
  }
}
