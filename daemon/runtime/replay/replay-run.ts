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
import type { RunParts } from '../active-run.ts';
import { decisionText } from '../decisions.ts';
import { PolicyGate } from '../policy-gate.ts';
import { RunStore } from '../run-store.ts';
import type { RunView } from '../run-view.ts';
import { subRunTools } from '../sub-run-tools.ts';
import type { Instead } from '../tool-gate.ts';
import { toolsOf } from '../tool-names.ts';
import { sessionText } from './compared-line.ts';
import { answerOf, RecordedCalls, RecordedIds } from './recorded-calls.ts';
import { RecordedDesk } from './recorded-desk.ts';
import { recordedHooks, untimed } from './recorded-hooks.ts';
import { RecordedModels } from './recorded-models.ts';
import { RecordedRobot, readsBefore } from './recorded-robot.ts';
import { findEntry, ReaderBefore, readRun, type Stretch, stretchesOf, viewOf } from './recorded-run.ts';
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
 * Does a recorded run again with the answers of the record: every attempt of it, each up to the place where it was cut
 * off. Nothing is reached: no bus, no robot, no model, no tool. Throws `run.not_found`, `schema.invalid`.
 */
export async function replayRun(parts: ReplayParts, runId: string, from?: string): Promise<ReplayOutcome> {
  const events = readRun(parts.reader, runId);
  const all = stretchesOf(events);
  if (all.length === 0) throw neverBegan(runId);
  const begin = from === undefined ? undefined : findEntry(events, from);
  const stretches = begin === undefined ? all : rest(events, all, begin);
  const first = begin ?? stretches[0]!.before.length;
  const done: AgentEvent[] = [...events.slice(0, first)];
  let lines = 0;
  let divergence: Divergence | undefined;
  for (const stretch of stretches) {
    const { end, attempt } = await replayStretch(parts, stretch, begin === stretch.before.length);
    lines += attempt.lines;
    done.push(...attempt.produced);
    if (end.kind !== 'diverged') continue;
    divergence = end.divergence;
    break;
  }
  const digest = (list: readonly AgentEvent[]) => parts.sha256(decisionText(list) + sessionText(list));
  const recorded = digest(events);
  const replayed = digest(done);
  if (!divergence && recorded !== replayed) divergence = unlike(events.length);
  return {
    run_id: runId,
    verdict: divergence ? 'diverged' : 'identical',
    message: divergence?.message ?? `${lines} lines came out as they were`,
    from: first + 1,
    attempts: stretches.length,
    lines,
    recorded_sha256: recorded,
    replayed_sha256: replayed,
    swapped: [],
    ...(divergence
      ? { divergence: { ...divergence, class: classOf(divergence.expected, divergence.actual) } }
      : {}),
  };
}

async function replayStretch(
  parts: ReplayParts,
  stretch: Stretch,
  entered: boolean,
): Promise<{ readonly end: AttemptEnd; readonly attempt: ReplayAttempt }> {
  const { before, events, cut } = stretch;
  const clock = new ReplayClock(fromWireTime((events[0] ?? before.at(-1)!).ts));
  const run = recordedParts(parts, stretch, entered, clock, () => attempt.expectsMore);
  const attempt = new ReplayAttempt({ before, expected: events, cut, clock, host: parts.host, run });
  return { end: await attempt.replay(), attempt };
}

/** Everything that a run reaches, from the record. */
function recordedParts(
  parts: ReplayParts,
  { before, events }: Stretch,
  entered: boolean,
  clock: ReplayClock,
  expectsMore: () => boolean,
): Omit<RunParts, 'append' | 'clock' | 'report'> {
  const view = viewOf(before)!;
  const { app, harness } = loadedApp(parts, view);
  const calls = new RecordedCalls(before, events);
  const { blobs } = parts;
  // A stretch that begins in the middle of an attempt needs what that attempt saw before.
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
    tools: (of) => recordedTools(of, parts.tools, [...before, ...events]),
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

/** Every call gets the answer it got, when it got it; one that was cut off gets none. */
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

/** Tools as they are now; one that is gone, or that a server out of reach offers, as the record knows it. */
export function recordedTools(
  app: Application,
  house: readonly Tool[],
  events: readonly AgentEvent[],
): readonly Tool[] {
  const known = toolsOf(app, [...subRunTools(NO_SUB_RUNS), ...house]);
  const names = new Set(known.map(({ spec }) => spec.name));
  const gone: Tool[] = [];
  const add = (spec: Pick<Tool['spec'], 'name' | 'description' | 'effect' | 'replay' | 'deadlineMs'>) => {
    if (names.has(spec.name)) return;
    names.add(spec.name);
    // As a model is shown it: whoever was called by its own name is not told of a second time.
    names.add(shown(spec.name));
    const run = () => Promise.reject(notHere(spec.name));
    gone.push({ spec: { ...spec, input: ANYTHING, origin: 'mcp' }, run });
  };
  for (const name of [...names]) names.add(shown(name));
  const told = toldOf(events);
  for (const event of events) {
    if (event.kind !== 'tool.called' || names.has(event.payload.tool)) continue;
    const { tool, effect, replay, deadline_ms: deadlineMs } = event.payload;
    add({ name: tool, description: told.get(shown(tool)) ?? '', effect, replay, deadlineMs });
  }
  for (const [name, description] of told)
    add({ name, description, effect: 'read', replay: 'never', deadlineMs: 1 });
  return [...known, ...gone];
}

/** Tools that the session of an agent was told of, by the name a model sees, with their descriptions. */
function toldOf(events: readonly AgentEvent[]): Map<string, string> {
  const told = new Map<string, string>();
  for (const event of events) {
    if (event.kind !== 'session.entry') continue;
    const message = event.payload.entry['message'] as { toolsAdded?: unknown } | undefined;
    if (!Array.isArray(message?.toolsAdded)) continue;
    for (const { name, description } of message.toolsAdded as { name: string; description: string }[])
      told.set(String(name), String(description));
  }
  return told;
}

function shown(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_');
}

/** Their calls are answered from the record: only what they are called and take is asked of them. */
const NO_SUB_RUNS = {} as Parameters<typeof subRunTools>[0];
const FREE = { turns: undefined, tokens: undefined };
const SPENT = { turns: 0, tokens: 0 };
const ANYTHING = { type: 'object' } as Tool['spec']['input'];

/** The rest of a run after `begin`: the attempt it lies in goes on from there, the later ones follow whole. */
function rest(events: readonly AgentEvent[], all: readonly Stretch[], begin: number): Stretch[] {
  const at = all.findLastIndex((stretch) => stretch.before.length < begin);
  const in_ = all[at]!;
  const end = in_.before.length + in_.events.length;
  const entered = { before: events.slice(0, begin), events: events.slice(begin, end), cut: in_.cut };
  const later = all.slice(at + 1);
  if (entered.events.length > 0) return [entered, ...later];
  if (later.length > 0) return later;
  throw new EdgeError('schema.invalid', {
    operation: 'replay',
    subject: String(begin),
    message: '--from: nothing comes after this entry',
  });
}

/** Throws `run.interrupted` where its application is not loaded. */
export function loadedApp({ load }: Pick<ReplayParts, 'load'>, { app: name, state }: RunView) {
  const found = load(name, state.harness);
  if (found) return found;
  throw new EdgeError('run.interrupted', {
    operation: 'replay',
    subject: name,
    message: `application ${name} is not here as ${state.harness}: its code is what a replay does again`,
    retryable: false,
  });
}

function isClip(event: AgentEvent): boolean {
  return event.kind === 'tool.called' && event.payload.tool === 'clip_recording';
}

/** Nobody is there. */
export const NO_BUS: RunParts['bus'] = {
  request: (_to: CellName, method: string) => Promise.reject(notHere(method)),
};

function notHere(subject: string): EdgeError {
  return new EdgeError('cell.unavailable', {
    operation: 'replay',
    subject,
    message: 'a replay reaches nobody',
  });
}

function neverBegan(runId: string): EdgeError {
  return new EdgeError('run.interrupted', {
    operation: 'replay',
    subject: runId,
    message: 'the run never began: there is nothing to do again',
    retryable: false,
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
