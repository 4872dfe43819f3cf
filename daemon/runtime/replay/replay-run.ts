import {
  type AgentEvent,
  type Application,
  type BlobStore,
  type CellName,
  type Clock,
  canonicalJson,
  EdgeError,
  type EventReader,
  fromWireTime,
  type Harness,
  type ReplayOutcome,
  type Tool,
  toMs,
} from '../../../contract/index.ts';
import { differenceInWords } from '../../../history/line-words.ts';
import type { RunParts } from '../attempt/active-run.ts';
import type { Instead } from '../gate/tool-gate.ts';
import { PolicyGate } from '../law/policy-gate.ts';
import { looped } from '../loop/loop-harness.ts';
import { decisionText } from '../runs/decisions.ts';
import { RunStore } from '../runs/run-store.ts';
import type { RunView } from '../runs/run-view.ts';
import { sessionText } from './compared-line.ts';
import { answerOf, RecordedCalls, RecordedIds } from './recorded-calls.ts';
import { RecordedDesk } from './recorded-desk.ts';
import { recordedHooks, untimed } from './recorded-hooks.ts';
import { RecordedModels } from './recorded-models.ts';
import { RecordedRobot, readsBefore } from './recorded-robot.ts';
import {
  findEntry,
  knotBefore,
  ReaderBefore,
  readRun,
  type Stretch,
  stretchesOf,
  viewOf,
} from './recorded-run.ts';
import { DECIDED_THEN, recordedRuntime, refuseLostRuntime } from './recorded-runtime.ts';
import { recordedTools } from './recorded-tools.ts';
import { type AttemptEnd, type Divergence, ReplayAttempt } from './replay-attempt.ts';
import { ReplayClock } from './replay-clock.ts';
import { classOf } from './run-diff.ts';

export type ReplayParts = {
  readonly reader: EventReader;
  /** Real time. */
  readonly host: Clock;
  /** The applications and harnesses as the daemon would load them now. */
  readonly load: (
    name: string,
    harness: Harness['kind'],
  ) => { readonly app: Application; readonly harness: Harness } | undefined;
  /** Definitions of tools of the house: none of them is ever run. */
  readonly tools: readonly Tool[];
  /** Read only. */
  readonly blobs: BlobStore | undefined;
  /** SHA-256 of a text, lower-case hex. */
  readonly sha256: (text: string) => string;
};

/**
 * Does a recorded run again with the answers of the record: every attempt of it, each up to the place where it was
 * interrupted. Nothing is reached: no bus, no robot, no model, no tool. Throws `run.not_found`, `schema.invalid`.
 *
 * With `from` the attempt is done again still from its start, and the verdict is about what comes after the
 * entry: so the run stands there as it stood then. Where the part before comes out otherwise, the run is entered as
 * after a restart, with that part taken from the record.
 */
export async function replayRun(parts: ReplayParts, runId: string, from?: string): Promise<ReplayOutcome> {
  const events = readRun(parts.reader, runId);
  const all = stretchesOf(events);
  if (all.length === 0) throw neverBegan(runId);
  if (viewOf(events)?.state.harness === 'remote') refuseLostRuntime(runId, events);
  const begin = from === undefined ? undefined : findEntry(events, from);
  if (begin === undefined) return outcomeOf(parts, runId, events, await replayAll(parts, all, 0));
  if (begin >= events.length) throw nothingAfter(begin);
  const at = all.findLastIndex((stretch) => stretch.before.length < begin);
  const whole = await replayAll(parts, all.slice(at), begin);
  const early = whole.divergence && whole.divergence.entry <= begin ? whole.divergence : undefined;
  const knot = early && knotBefore(events, begin);
  if (!knot) return outcomeOf(parts, runId, events, whole);
  const entered = outcomeOf(parts, runId, events, await replayAll(parts, enteredAt(events, all, knot), knot));
  const note = `event ${early.entry}, before it, comes out otherwise: the run was entered at event ${knot + 1} as after a restart`;
  return { ...entered, message: `${entered.message}; ${note}` };
}

type Replayed = {
  /** Index of the event from which the lines count. */
  readonly from: number;
  readonly attempts: number;
  readonly lines: number;
  /** What was taken from the record before, and what was produced. */
  readonly done: readonly AgentEvent[];
  readonly divergence: Divergence | undefined;
  /** Tools that the application has now and had not then. */
  readonly newTools: ReadonlySet<string>;
};

async function replayAll(parts: ReplayParts, stretches: readonly Stretch[], from: number): Promise<Replayed> {
  const first = stretches[0]!.before;
  const done: AgentEvent[] = [...first];
  const newTools = new Set<string>();
  let lines = 0;
  let divergence: Divergence | undefined;
  for (const stretch of stretches) {
    const { end, attempt } = await replayStretch(parts, stretch, from, newTools);
    lines += attempt.lines;
    done.push(...attempt.produced);
    if (end.kind !== 'diverged') continue;
    divergence = end.divergence;
    break;
  }
  return {
    from: Math.max(from, first.length),
    attempts: stretches.length,
    lines,
    done,
    divergence,
    newTools,
  };
}

function outcomeOf(
  { sha256 }: ReplayParts,
  runId: string,
  events: readonly AgentEvent[],
  { from, attempts, lines, done, newTools, ...replayed }: Replayed,
): ReplayOutcome {
  const digest = (list: readonly AgentEvent[]) => sha256(decisionText(list) + sessionText(list));
  const recorded = digest(events);
  const digested = digest(done);
  const divergence = replayed.divergence ?? (recorded === digested ? undefined : unlike(events.length));
  const said = divergence?.message ?? `${lines} lines came out as they were`;
  const message = viewOf(events)?.state.harness === 'remote' ? `${said}; ${DECIDED_THEN}` : said;
  const since =
    newTools.size === 0 ? '' : `; tools that are new since were not offered: ${[...newTools].join(', ')}`;
  return {
    run_id: runId,
    verdict: divergence ? 'diverged' : 'identical',
    message: `${message}${since}`,
    from: from + 1,
    attempts,
    lines,
    recorded_sha256: recorded,
    replayed_sha256: digested,
    swapped: [],
    ...(divergence ? { divergence: { ...divergence, ...meaningOf(divergence) } } : {}),
  };
}

function meaningOf({ expected, actual }: Divergence) {
  const words = differenceInWords(expected, actual, ['the record', 'the replay']);
  return { class: classOf(expected, actual), words };
}

async function replayStretch(
  parts: ReplayParts,
  stretch: Stretch,
  countFrom: number,
  newTools: Set<string>,
): Promise<{ readonly end: AttemptEnd; readonly attempt: ReplayAttempt }> {
  const { before, events, cut } = stretch;
  // Every attempt starts with this event: without it the stretch starts in the middle of one.
  const entered = events[0]?.kind !== 'run.started';
  const clock = new ReplayClock(fromWireTime((events[0] ?? before.at(-1)!).ts));
  const loaded = loadedForReplay(parts, stretch);
  const { tools, newSince } = await recordedTools(parts, loaded.app, before, events);
  for (const name of newSince) newTools.add(name);
  const run = recordedParts(parts, stretch, { entered, tools, ...loaded }, clock, () => attempt.expectsMore);
  const attempt = new ReplayAttempt({
    before,
    expected: events,
    cut,
    countFrom,
    clock,
    host: parts.host,
    run,
  });
  return { end: await attempt.replay(), attempt };
}

type Loaded = ReturnType<typeof loadedApp>;

/** Of a foreign runtime, what it said is in the record: it is not asked again, and the daemon does its part again. */
function loadedForReplay({ load }: ReplayParts, { before, events }: Stretch): Loaded {
  const view = viewOf(before)!;
  if (view.state.harness !== 'remote') return loadedApp({ load }, view);
  const found = load(view.app, 'remote');
  if (!found) throw notLoaded(view);
  return { app: found.app, harness: looped(found.app, recordedRuntime(found.app, before, events)) };
}

/** Everything that a run reaches, from the record. */
function recordedParts(
  parts: ReplayParts,
  { before, events }: Stretch,
  { entered, tools, app, harness }: Loaded & { readonly entered: boolean; readonly tools: readonly Tool[] },
  clock: ReplayClock,
  expectsMore: () => boolean,
): Omit<RunParts, 'append' | 'clock' | 'report'> {
  const view = viewOf(before)!;
  const calls = new RecordedCalls(before, events);
  const { blobs } = parts;
  // A stretch that starts in the middle of an attempt needs what that attempt saw before.
  const attemptStart = entered
    ? before.findLastIndex((event) => event.kind === 'run.started')
    : before.length;
  const attempt = [...before.slice(attemptStart), ...events];
  const skip = entered ? readsBefore(attempt, before.length - attemptStart) : 0;
  const robot = new RecordedRobot({ events: attempt, skip, clock, blobs, expectsMore });
  const last = before.at(-1)!;
  const store = new RunStore(new ReaderBefore(parts.reader, view.state.run_id, last.seq), () => {});
  const hooks = new PolicyGate(recordedHooks(events, clock), untimed(clock));
  const models = new RecordedModels({ events, clock, blobs, expectsMore });
  return {
    view,
    app,
    harness,
    ids: new RecordedIds(calls, toMs(fromWireTime(last.ts))),
    hooks,
    robot,
    bus: NO_BUS,
    recording: [...before, ...events].some(isClip) ? 'ring' : 'off',
    tools: () => tools,
    models: models.ofRun,
    // Whether the budget let a call through is in the record: what it was spent on elsewhere is not.
    purse: { turns: () => 0, left: () => (models.hasMore ? FREE : SPENT) },
    endChildren: async () => {},
    blobs,
    told: store.told(view),
    approvals: new RecordedDesk({ before, events, clock, unknown: () => {} }),
    instead: Object.assign(answering(calls, clock), { judgedAgain: !entered }),
  };
}

/** Every call gets the answer it got, when it got it; an interrupted call gets none. */
function answering(calls: RecordedCalls, clock: ReplayClock): Instead {
  return (ask, callId, signal) => {
    const known = calls.byId(callId);
    // The call that is written differs from the record and has ended the replay already.
    const alike =
      known?.called.tool === ask.tool && canonicalJson(known.called.args) === canonicalJson(ask.args);
    const returned = alike ? known?.returned : undefined;
    if (!returned) return new Promise<never>(() => {});
    return clock.deliver(returned.duration_ms, signal).then(() => answerOf(returned));
  };
}

const FREE = { turns: undefined, tokens: undefined };
const SPENT = { turns: 0, tokens: 0 };

/** The rest of a run after `begin`: the attempt it lies in continues from there, the later ones follow whole. */
function enteredAt(events: readonly AgentEvent[], all: readonly Stretch[], begin: number): Stretch[] {
  const at = all.findLastIndex((stretch) => stretch.before.length < begin);
  const { before, events: own, cut } = all[at]!;
  const end = before.length + own.length;
  const entered = { before: events.slice(0, begin), events: events.slice(begin, end), cut };
  const later = all.slice(at + 1);
  return entered.events.length > 0 ? [entered, ...later] : later;
}

/**
 * What decides again. Throws `run.interrupted` where its application is not loaded, and `run.not_supported` for a run of a
 * foreign runtime: the program that would decide is not here.
 */
export function loadedApp({ load }: Pick<ReplayParts, 'load'>, { app: name, state }: RunView) {
  if (state.harness === 'remote')
    throw new EdgeError('run.not_supported', {
      operation: 'replay',
      subject: state.run_id,
      message: 'a foreign runtime decided in this run: its code is not here, so nothing can decide otherwise',
      hint: 'replay it without another model, policy or prompt; auraison run diff, run trace and policy rejudge work on its record',
    });
  const found = load(name, state.harness);
  if (found) return found;
  throw notLoaded({ app: name, state });
}

function notLoaded({ app: name, state }: Pick<RunView, 'app' | 'state'>): EdgeError {
  return new EdgeError('run.interrupted', {
    operation: 'replay',
    subject: name,
    message: `application ${name} is not here as ${state.harness}: its code is what a replay does again`,
    retryable: false,
  });
}

function isClip(event: AgentEvent): boolean {
  return event.kind === 'tool.called' && event.payload.tool === 'clip_recording';
}

/** No other cell exists. */
export const NO_BUS: RunParts['bus'] = {
  request: (_to: CellName, method: string) => Promise.reject(notHere(method)),
};

function notHere(subject: string): EdgeError {
  return new EdgeError('cell.unavailable', {
    operation: 'replay',
    subject,
    message: 'a replay reaches no cell',
  });
}

function neverBegan(runId: string): EdgeError {
  return new EdgeError('run.interrupted', {
    operation: 'replay',
    subject: runId,
    message: 'the run never started: there is nothing to do again',
    retryable: false,
  });
}

function nothingAfter(begin: number): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'replay',
    subject: String(begin),
    message: '--from: nothing comes after this entry',
  });
}

function unlike(entry: number): Divergence {
  return {
    entry,
    event_id: undefined,
    message: 'every line came out as it was, and yet the texts differ',
    expected: undefined,
    actual: undefined,
  };
}
