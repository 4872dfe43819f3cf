import {
  type AgentEvent,
  type Clock,
  EdgeError,
  fromWireTime,
  type NewEvent,
  type PolicyHook,
  type ReplayOutcome,
  type Tool,
  toMs,
  withDeadline,
} from '../../../contract/index.ts';
import { ActiveRun, type ModelsOfRun } from '../attempt/active-run.ts';
import type { Instead } from '../gate/tool-gate.ts';
import { PolicyGate } from '../law/policy-gate.ts';
import { decisionText } from '../runs/decisions.ts';
import { RunStore } from '../runs/run-store.ts';
import { sessionText } from './compared-line.ts';
import { answerOf, RecordedCalls, RecordedIds } from './recorded-calls.ts';
import { RecordedDesk } from './recorded-desk.ts';
import { recordedHooks } from './recorded-hooks.ts';
import { RecordedModels } from './recorded-models.ts';
import { RecordedRobot } from './recorded-robot.ts';
import { findEntry, knotBefore, ReaderBefore, readRun, stretchesOf, viewOf } from './recorded-run.ts';
import { recordedTools } from './recorded-tools.ts';
import { RecordedWithin } from './recorded-within.ts';
import { loadedApp, NO_BUS, type ReplayParts } from './replay-run.ts';
import { diffRuns } from './run-diff.ts';

/** The longest that a run with something live in it is waited for, milliseconds. */
const SWAP_MS = 10 * 60_000;

export type Swaps = {
  /** Judge in place of the recorded policies. */
  readonly hooks?: readonly PolicyHook[];
  /** Answers in place of the recorded models; made once the gate is, since a live model is judged too. */
  readonly models?: (hooks: PolicyGate) => ModelsOfRun;
};

/**
 * Does a run again with something live in place of the record, and shows what becomes of it beside the original. What
 * is not swapped is answered from the record: a call of the same tool with the same arguments gets the answer it
 * got. Where the run wants something that is not in the record, it ends: the record cannot know what would have come.
 */
export async function swapRun(
  parts: ReplayParts,
  runId: string,
  from: string | undefined,
  swaps: Swaps,
): Promise<ReplayOutcome> {
  const events = readRun(parts.reader, runId);
  const start = stretchesOf(events)[0]?.before.length;
  if (start === undefined) throw new EdgeError('run.interrupted', { operation: 'replay', subject: runId });
  const entry = from === undefined ? undefined : findEntry(events, from);
  const begin = (entry === undefined ? undefined : knotBefore(events, entry)) ?? start;
  const [before, after] = [events.slice(0, begin), events.slice(begin)];
  const { tools } = await recordedTools(parts, loadedApp(parts, viewOf(before)!).app, before, after);
  const swapped = new SwappedRun(parts, before, after, tools, swaps);
  const why = await swapped.run();
  const done = [...before, ...swapped.written];
  const diff = diffRuns({ runId, events }, { runId: `${runId} again`, events: done });
  const digest = (list: readonly AgentEvent[]) => parts.sha256(decisionText(list) + sessionText(list));
  return {
    run_id: runId,
    verdict: diff.identical ? 'identical' : 'changed',
    message: why,
    from: begin + 1,
    attempts: 1,
    lines: diff.rows.filter((row) => row.same).length,
    recorded_sha256: digest(events),
    replayed_sha256: digest(done),
    swapped: [...(swaps.models ? (['model'] as const) : []), ...(swaps.hooks ? (['policy'] as const) : [])],
    diff,
  };
}

class SwappedRun {
  readonly written: AgentEvent[] = [];
  readonly #clock: Clock;
  readonly #run: ActiveRun;
  readonly #calls: RecordedCalls;
  readonly #view: NonNullable<ReturnType<typeof viewOf>>;
  readonly #motions: RecordedWithin;
  /** Hooks in place of the recorded ones. */
  readonly #judges: PolicyGate | undefined;
  readonly #end: Promise<string>;
  #resolve: (why: string) => void = () => {};
  #over = false;

  constructor(
    parts: ReplayParts,
    before: readonly AgentEvent[],
    events: readonly AgentEvent[],
    tools: readonly Tool[],
    swaps: Swaps,
  ) {
    this.#clock = parts.host;
    this.#end = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#calls = new RecordedCalls(before, events);
    this.#motions = new RecordedWithin([...before, ...events]);
    const view = viewOf(before)!;
    this.#view = view;
    const { app, harness } = loadedApp(parts, view);
    const last = before.at(-1)!;
    const hooks = new PolicyGate(swaps.hooks ?? recordedHooks(events), parts.host);
    this.#judges = swaps.hooks && hooks;
    const { blobs } = parts;
    const recorded = new RecordedModels({ events, clock: undefined, blobs, expectsMore: () => true });
    const store = new RunStore(new ReaderBefore(parts.reader, view.state.run_id, last.seq), () => {});
    this.#run = new ActiveRun({
      // The deadline of the intent is long over; that of the application holds.
      view: { ...view, intent: withoutDeadline(view.intent) },
      app,
      harness,
      clock: parts.host,
      ids: new RecordedIds(new RecordedCalls([], []), toMs(fromWireTime(last.ts))),
      hooks,
      robot: new RecordedRobot({ events, skip: 0, clock: undefined, blobs, expectsMore: () => true }),
      bus: NO_BUS,
      recording: 'off',
      tools: () => tools,
      models: swaps.models?.(hooks) ?? recorded.ofRun,
      blobs,
      told: store.told(view),
      purse: { turns: () => 0, left: () => ({ turns: undefined, tokens: undefined }) },
      endChildren: async () => {},
      approvals: new RecordedDesk({
        ...{ before, events, clock: undefined },
        unknown: (subject) =>
          this.#finish(
            `it ends where the record does: the record has no answer for ${subject} with these arguments`,
          ),
      }),
      instead: this.#answer,
      append: (news) => this.#append(news, view.state.run_id),
      report: () => {},
    });
  }

  /** Settles with how it ended, in words. */
  async run(): Promise<string> {
    this.#run.run().then(
      () => this.#finish('it came to its end'),
      (thrown: unknown) =>
        this.#finish(`it failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`),
    );
    try {
      return await withDeadline(this.#clock, SWAP_MS, this.#end, 'replay', 'run');
    } finally {
      this.#over = true;
      void this.#run.end('shutdown', 'the replay is over').catch(() => {});
    }
  }

  #answer: Instead = (ask) => {
    const known = this.#calls.takeAlike(ask);
    if (known?.returned) {
      const { returned } = known;
      return this.#within(returned.call_id).then(() => answerOf(returned));
    }
    this.#finish(`it ends where the record does: the record has no call of ${ask.tool} with these arguments`);
    return new Promise<never>(() => {});
  };

  /** What was decided about the motions within the call; other hooks are asked the same, and may refuse one. */
  async #within(callId: string): Promise<void> {
    const { run_id: runId } = this.#view.state;
    const context = this.#view.intent.policy_ctx;
    const { events, refusal } = this.#judges
      ? await this.#motions.judged(callId, this.#judges, { context, runId })
      : { events: this.#motions.given(callId), refusal: undefined };
    if (events.length > 0) await this.#append(events, runId);
    if (refusal) throw refusal;
  }

  async #append(events: readonly NewEvent[], runId: string): Promise<void> {
    if (this.#over) return await new Promise<never>(() => {});
    const ts = this.#clock.now().toString();
    for (const event of events) {
      const seq = this.written.length + 1;
      const event_id = new Array(36).fill('0').join('');
      this.written.push({
        ...event,
        run_id: runId,
        event_id,
        ts,
        cell: 'runtime',
        seq,
        prev_hash: '',
        hash: '',
      } as AgentEvent);
    }
  }

  #finish(why: string): void {
    this.#over = true;
    this.#resolve(why);
  }
}

function withoutDeadline<T extends { readonly deadline?: string }>(intent: T): T {
  const { deadline: _, ...rest } = intent;
  return rest as T;
}

/** What this replay cannot do, in words. */
export function notSupported(message: string, hint = ''): EdgeError {
  return new EdgeError('run.not_supported', { operation: 'replay', subject: 'run', message, hint });
}
