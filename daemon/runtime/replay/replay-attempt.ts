import {
  type AgentEvent,
  type Clock,
  EdgeError,
  type EventPayload,
  fromWireTime,
  type NewEvent,
  pause,
} from '../../../contract/index.ts';
import { ActiveRun, type RunParts } from '../attempt/active-run.ts';
import { isWithinTool } from '../law/motion-law.ts';
import { comparedLine, LineMemory } from './compared-line.ts';
import { RecordedMessages } from './recorded-messages.ts';
import type { ReplayClock } from './replay-clock.ts';

/** Turns of the event loop without a word from the run before its clock continues. */
const QUIET_TURNS = 6;
/** Real time after which answers are brought although the record says that it is too early: its wall clock was set. */
const IMPATIENT_MS = 250;
/** Real time without anything new after which a replay is over: what comes next never comes. */
const SILENT_MS = 10_000;
/** Timers that were due this long after the next event of the record were due before it was written. */
const SLACK_MS = 5;

export type Divergence = {
  /** Number of the event in the record, from 1, at which the replay took another way. */
  readonly entry: number;
  readonly event_id: string | undefined;
  readonly message: string;
  /** The line of the record, and the line of the replay; absent where it has none. */
  readonly expected: string | undefined;
  readonly actual: string | undefined;
};

export type AttemptEnd =
  | { readonly kind: 'reproduced' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'diverged'; readonly divergence: Divergence };

export type ReplayAttemptParts = {
  /** Everything of the run before what is done again. */
  readonly before: readonly AgentEvent[];
  /** What is expected to come. */
  readonly expected: readonly AgentEvent[];
  readonly cut: boolean;
  /** Lines count from this event of the run on, an index; those before only have to come out as they were. */
  readonly countFrom: number;
  readonly clock: ReplayClock;
  /** Real time. */
  readonly host: Clock;
  /** The parts of the run, all but what this attempt itself provides. */
  readonly run: Omit<RunParts, 'append' | 'clock' | 'report'>;
};

type Line = { readonly at: number; readonly event: AgentEvent; readonly text: string };

/**
 * One attempt of a run, done again by the code that did it: harness, gate and tool box are the real ones, what
 * they reach is the record. Whatever they write is held against the record, line by line; the first difference
 * ends it.
 */
export class ReplayAttempt {
  readonly #parts: ReplayAttemptParts;
  readonly #run: ActiveRun;
  /** What each event of the record has to come out as; undefined: nothing that is compared. */
  readonly #texts: readonly (string | undefined)[];
  readonly #actualMemory = new LineMemory();
  readonly #produced: AgentEvent[] = [];
  readonly #messages: RecordedMessages;
  #cursor = 0;
  #appends = 0;
  #lines = 0;
  /** What is given to the run once its harness has started; undefined: it has. */
  #later: (() => Promise<unknown>)[] | undefined;
  #hasBegun = false;
  /** The run was cancelled here: it is again, once what it started is running. */
  #cancel: string | undefined;
  #over: AttemptEnd | undefined;
  /** Why the run pauses once the call that was running then has returned: a pause holds calls that start. */
  #pauseDue: string | undefined;
  /** It was paused when an earlier attempt was cut, so this attempt starts paused on its own. */
  #startsPaused: boolean;

  /** Why it was cancelled, if it was; and the last thing that it started before. */
  readonly #cancelled: string | undefined;
  readonly #lastBegin: number;
  /** The last line before its end that is not the end of a call which an earlier cut left open. */
  readonly #lastOpen: number;

  constructor(parts: ReplayAttemptParts) {
    this.#parts = parts;
    const { expected } = parts;
    this.#messages = new RecordedMessages(expected);
    this.#startsPaused = parts.run.view.state.status === 'paused';
    this.#lastBegin = expected.findLastIndex((event) => !isGiven(event) && BEGINS.has(event.kind));
    const last = expected.findLast((event) => event.kind === 'run.finished');
    const ended = last?.kind === 'run.finished' && last.payload.error?.code === 'run.cancelled';
    this.#cancelled = ended && last.payload.status === 'cancelled' ? last.payload.reason : undefined;
    const memory = new LineMemory();
    for (const event of parts.before) {
      comparedLine(event, memory);
      comparedLine(event, this.#actualMemory);
    }
    this.#texts = parts.expected.map((event) => (isGiven(event) ? undefined : comparedLine(event, memory)));
    const { tools } = parts.run;
    const asked: RunParts['tools'] = (app, view) => {
      queueMicrotask(() => this.#begun());
      return tools(app, view);
    };
    this.#lastOpen = expected.findLastIndex(
      (event, at) => this.#texts[at] !== undefined && event.kind !== 'run.finished' && !isInterrupted(event),
    );
    this.#run = new ActiveRun({
      ...parts.run,
      tools: asked,
      clock: parts.clock,
      append: (events) => this.#append(events),
      report: () => {},
    });
  }

  /** What the attempt wrote, as far as it went. */
  get produced(): readonly AgentEvent[] {
    return this.#produced;
  }

  /** Lines that came out as they were. */
  get lines(): number {
    return this.#lines;
  }

  /** There is more in the record than was done again. */
  get expectsMore(): boolean {
    return this.#next() !== undefined;
  }

  /** Settles when the record is used up, or with the first difference; never rejects. */
  async replay(): Promise<AttemptEnd> {
    this.#proceed();
    this.#run.run().then(
      () => this.#ended(),
      (thrown: unknown) => this.#diverge(EdgeError.from(thrown, 'replay.diverged', 'replay', 'run').message),
    );
    const { host, clock } = this.#parts;
    let seen = '';
    let since = host.monotonicMs();
    while (!this.#over) {
      for (let turn = 0; turn < QUIET_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
      const now = `${clock.asked} ${this.#appends}`;
      if (now !== seen) {
        seen = now;
        since = host.monotonicMs();
        continue;
      }
      if (this.#cancelNow()) continue;
      if (clock.fireNext(this.#due())) continue;
      const quiet = host.monotonicMs() - since;
      if (quiet > IMPATIENT_MS && clock.fireNext(Number.MAX_SAFE_INTEGER, 'answers')) continue;
      if (quiet > SILENT_MS) this.#diverge('the replay came to a stand where the record continues');
      else await pause(host, 1);
    }
    // What still runs is left behind: it can reach nothing and it is not heard.
    void this.#run.end('shutdown', 'the replay is over').catch(() => {});
    return this.#over;
  }

  /** Milliseconds on the clock of the record at which its next event came. */
  #due(): number {
    const next = this.#next();
    return next ? this.#parts.clock.at(fromWireTime(next.event.ts)) + SLACK_MS : -1;
  }

  /** The next line of the record that the replay has to write. */
  #next(): Line | undefined {
    for (let at = this.#cursor; at < this.#texts.length; at++) {
      const text = this.#texts[at];
      if (text !== undefined) return { at, event: this.#parts.expected[at]!, text };
    }
    return undefined;
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    this.#appends++;
    for (const event of events) {
      if (this.#over) return await new Promise<never>(() => {});
      this.#hold(event);
    }
    await Promise.resolve();
    if (this.#over) await new Promise<never>(() => {});
  }

  /** The record says that the harness had started: a pause that came then finds it started here too. */
  #give(what: () => Promise<unknown>): void {
    if (this.#later) this.#later.push(what);
    else void what().catch(() => {});
  }

  #begun(): void {
    this.#hasBegun = true;
    const later = this.#later ?? [];
    this.#later = undefined;
    for (const what of later) this.#give(what);
  }

  /** False where the record has no cancel here. */
  #cancelNow(): boolean {
    if (this.#cancel === undefined) return false;
    void this.#run.end('cancel', this.#cancel).catch(() => {});
    this.#cancel = undefined;
    return true;
  }

  /** Holds what the run wrote against the record. */
  #hold(event: NewEvent): void {
    const next = this.#next();
    const written = asWritten(event, this.#parts.run.view.state.run_id, next?.event);
    const line = comparedLine(written, this.#actualMemory);
    if (line === undefined) {
      this.#produced.push(written);
      return;
    }
    if (!next || next.text !== line) {
      // In the record the cancel came before the run could write this.
      if (this.#cancelNow()) throw new EdgeError('run.cancelled', { operation: 'replay', subject: 'run' });
      const message = next
        ? `${what(next.event)}: the record and the replay differ`
        : `the replay continues with ${what(written)} where the record ends`;
      this.#diverge(message, line);
      return;
    }
    this.#produced.push(written);
    if (this.#parts.before.length + next.at >= this.#parts.countFrom) this.#lines++;
    this.#cursor = next.at + 1;
    this.#parts.clock.reach(this.#parts.clock.at(fromWireTime(next.event.ts)));
    this.#proceed();
  }

  /** What others did to the run at this place of the record is done to it again. */
  #proceed(): void {
    const { expected, cut } = this.#parts;
    while (this.#cursor < expected.length) {
      const event = expected[this.#cursor]!;
      if (isGiven(event)) this.#produced.push(event);
      else if (this.#texts[this.#cursor] !== undefined) break;
      else if (event.kind === 'run.status') this.#holdOrGo(event.payload);
      else if (event.kind === 'tools.offered' && !this.#hasBegun) this.#later ??= [];
      this.#cursor++;
    }
    const isLine = (at: number) => this.#texts[at] !== undefined;
    for (const said of this.#messages.due(this.#cursor, isLine)) this.#say(said);
    const due = this.#pauseDue;
    if (due !== undefined && !this.#holdsLater()) {
      this.#give(() => this.#run.pause(due));
      this.#pauseDue = undefined;
    }
    if (this.#cursor >= expected.length) {
      if (cut) this.#over ??= { kind: 'cut' };
      return;
    }
    if (this.#cursor <= this.#lastBegin) return;
    this.#cancel = this.#cancelled;
    // Nothing was running: the cancel came before the run could start anything else.
    if (this.#cursor > this.#lastOpen) this.#cancelNow();
  }

  /** In the same turn as the line before: the run stands at that step. */
  #say({ payload: { message_id, kind, body } }: AgentEvent<'run.message'>): void {
    const said = { ...body, kind, messageId: message_id } as Parameters<ActiveRun['messages']['deliver']>[0];
    void this.#run.messages.deliver(said).catch(() => {});
  }

  #holdOrGo({ status, previous, reason }: EventPayload<'run.status'>): void {
    if (status === 'paused') {
      if (this.#startsPaused) return;
      if (this.#holdsLater()) this.#pauseDue = reason;
      else this.#give(() => this.#run.pause(reason));
    } else if (status !== 'running' || previous !== 'paused') return;
    else if (this.#startsPaused) {
      this.#startsPaused = false;
      this.#give(() => this.#run.proceed(reason));
    } else if (this.#pauseDue !== undefined) this.#pauseDue = undefined;
    else this.#give(() => this.#run.proceed(reason));
  }

  /**
   * A pause holds calls that start: one that came while a call was running comes behind its return. It also holds what
   * comes before the run hears people: where the run heard somebody during the pause, it was past that place already.
   */
  #holdsLater(): boolean {
    if (this.#returnsNext()) return true;
    const next = this.#next();
    if (!next || !this.#messages.isHeardAt(next.at)) return false;
    const between = this.#parts.expected.slice(this.#cursor, next.at);
    return !between.some(
      ({ kind, payload }) => kind === 'run.status' && (payload as Status).status === 'running',
    );
  }

  /** A call is running whose return comes before any other step; what people say may come before it. */
  #returnsNext(): boolean {
    const { expected } = this.#parts;
    const isStep = (event: AgentEvent, at: number) =>
      at >= this.#cursor && this.#texts[at] !== undefined && event.kind !== 'session.entry';
    return expected.find(isStep)?.kind === 'tool.returned';
  }

  #ended(): void {
    const next = this.#next();
    if (next) this.#diverge(`the replay ended where the record continues with ${what(next.event)}`);
    else this.#over ??= { kind: 'reproduced' };
  }

  #diverge(message: string, actual?: string): void {
    const next = this.#next();
    const at = next?.at ?? this.#parts.expected.length;
    const divergence: Divergence = {
      entry: this.#parts.before.length + at + 1,
      event_id: next?.event.event_id,
      message,
      expected: next?.text,
      actual,
    };
    this.#over ??= { kind: 'diverged', divergence };
  }
}

type Status = EventPayload<'run.status'>;

/** The end of a call that an earlier cut left open; a run itself writes it, and also when it is cancelled. */
function isInterrupted({ kind, payload }: AgentEvent): boolean {
  if (kind !== 'tool.returned') return false;
  return (payload as EventPayload<'tool.returned'>).error?.code === 'run.interrupted';
}

/** A run that was cancelled starts none of these. */
const BEGINS: ReadonlySet<AgentEvent['kind']> = new Set([
  'tool.called',
  'model.called',
  'run.phase',
  'session.entry',
  'policy.decided',
]);

/**
 * What others did to the run, given again as it was: what was said to it, and how hooks judged those who did
 * something for it (who may answer for a person; which model may be asked).
 */
function isGiven(event: AgentEvent): boolean {
  if (event.kind === 'run.message') return true;
  if (event.kind !== 'policy.decided') return false;
  // A tool is answered from the record: the motions within it are not made again.
  return event.payload.point !== 'tool' || isWithinTool(event.payload);
}

/** The event as the log would hold it: at its place and time in the record. */
function asWritten(event: NewEvent, runId: string, like: AgentEvent | undefined): AgentEvent {
  const { event_id = '', ts = '0', cell = 'runtime', seq = 0, prev_hash = '', hash = '' } = like ?? {};
  return { ...event, run_id: runId, event_id, ts, cell, seq, prev_hash, hash } as AgentEvent;
}

function what(event: AgentEvent): string {
  if (event.kind === 'tool.called' || event.kind === 'tool.returned')
    return `${event.kind} ${event.payload.tool}`;
  if (event.kind === 'run.phase') return `run.phase ${event.payload.phase}`;
  return event.kind;
}
