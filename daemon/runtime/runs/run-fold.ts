import {
  type AgentEvent,
  canonicalJson,
  type EventKind,
  type EventPayload,
  type RunState,
} from '../../../contract/index.ts';
import { nextStatus, type RunSignal, SIGNAL_OF } from './run-machine.ts';
import type { CallView, RunView } from './run-view.ts';

/** Kinds that say which runs there are and how they ended. What else is said of a run is the bulk of a log. */
export const LIFE_KINDS: readonly EventKind[] = [
  'intent.accepted',
  'run.queued',
  'run.started',
  'run.status',
  'run.finished',
];

/** Calls of one phase that are kept for its replay; later ones of the same phase count as new after a cut. */
const CALLS_KEPT_MAX = 256;

/**
 * The next view of a run after one more event of its log. Pure, exhaustive over kinds. What does not fit (an
 * event before the intent, a change after the end) changes nothing: a log may be read in pieces.
 */
export function foldRun(view: RunView | undefined, event: AgentEvent): RunView | undefined {
  if (event.kind === 'intent.accepted') return view ?? opened(event);
  if (!view) return undefined;
  switch (event.kind) {
    case 'run.queued':
      return queued(view, event.payload);
    case 'run.started':
      return started(view, event.payload, event.ts);
    case 'run.phase':
      return {
        ...active(view),
        phase: event.payload.phase,
        facts: event.payload.facts ?? {},
        calls: [],
        // Of a paused run the reason stays why it is paused.
        reason: view.state.status === 'paused' ? view.reason : event.payload.reason,
        state: at(view.state, event.event_id),
      };
    case 'run.status':
      return stated(view, event.payload);
    case 'run.finished':
      return finished(view, event.payload, event.ts);
    case 'tool.called':
      return called(view, event.payload);
    case 'tool.returned':
      return returned(view, event.payload);
    case 'session.entry':
      return { ...active(view), state: at(view.state, event.payload.entry_id) };
    case 'model.called':
      return { ...view, spent: { ...view.spent, turns: view.spent.turns + 1 } };
    case 'model.returned':
      return { ...view, spent: { ...view.spent, tokens: view.spent.tokens + tokensOf(event.payload) } };
    case 'run.message':
    case 'tools.offered':
    case 'robot.observed':
    case 'motion.ended':
    case 'model.state':
    case 'models.shed':
    case 'engine.state':
    case 'plan.made':
    case 'plan.step_started':
    case 'plan.step_ended':
    case 'plan.replanned':
    case 'approval.requested':
    case 'approval.answered':
    case 'question.asked':
    case 'question.answered':
    case 'grant.state':
    case 'config.trial':
    case 'schedule.fired':
    case 'webhook.received':
    case 'app.state':
    case 'extension.state':
    case 'intent.refused':
    case 'policy.decided':
    case 'cell.started':
    case 'cell.stopped':
    case 'cell.degraded':
    case 'cell.recovered':
    case 'clock.quality':
    case 'segment.opened':
    case 'segment.sealed':
    case 'segment.evicted':
    case 'log.cut':
    case 'recall.answered':
    case 'blobs.evicted':
    case 'clip.requested':
    case 'clip.recorded':
    case 'episode.started':
    case 'episode.ended':
    case 'episode.discarded':
    case 'episode.relabelled':
    case 'recording.annotated':
    case 'losses.recorded':
    case 'route.state':
    case 'lease.granted':
    case 'lease.released':
    case 'safety.stopped':
    case 'estop.engaged':
    case 'estop.released':
    case 'gate.limited':
    case 'command.refused':
    case 'controller.state':
    case 'control.chunk':
    case 'link.receipt':
    case 'link.state':
      return view;
    default:
      return unknownKind(event, view);
  }
}

/** A kind of a newer version changes nothing; the compiler complains if a known kind is forgotten. */
function unknownKind(_event: never, view: RunView): RunView {
  return view;
}

function opened(event: AgentEvent<'intent.accepted'>): RunView | undefined {
  const runId = event.run_id;
  if (runId === undefined) return undefined;
  return {
    state: {
      run_id: runId,
      intent_id: event.payload.intent.intent_id,
      tree_ref: { session_id: runId, leaf_id: event.event_id },
      status: 'queued',
      harness: 'flow',
      attempt: 1,
    },
    intent: event.payload.intent,
    app: event.payload.app,
    version: undefined,
    digest: undefined,
    concurrencyKey: undefined,
    forkedFrom: undefined,
    branch: undefined,
    round: undefined,
    budget: {},
    spent: { turns: 0, tokens: 0 },
    phase: undefined,
    facts: {},
    calls: [],
    queuedTs: event.ts,
    startedTs: undefined,
    finishedTs: undefined,
    reason: 'queued',
    summary: undefined,
    error: undefined,
    idleAttempts: 0,
  };
}

function queued(view: RunView, payload: EventPayload<'run.queued'>): RunView {
  const parent = payload.parent_run_id === undefined ? {} : { parent_run_id: payload.parent_run_id };
  return {
    ...view,
    app: payload.app,
    version: payload.package?.version,
    digest: payload.package?.digest,
    concurrencyKey: payload.concurrency_key,
    forkedFrom: payload.forked_from,
    branch: payload.branch,
    round: payload.round,
    budget: payload.budget ?? {},
    state: { ...view.state, harness: payload.harness, ...parent },
  };
}

function started(view: RunView, payload: EventPayload<'run.started'>, ts: string): RunView {
  const status = nextStatus(view.state.status, 'start');
  if (status === undefined) return view;
  return {
    ...view,
    state: { ...view.state, status, attempt: payload.attempt },
    startedTs: view.startedTs ?? ts,
    reason: payload.resumed_from === undefined ? 'started' : `resumed in ${payload.resumed_from}`,
    idleAttempts: view.idleAttempts + 1,
  };
}

/**
 * A pause is over only when a person resumes the run: what says that another wait is over leaves it. An
 * attempt that came as far as its pause was not idle.
 */
function stated(view: RunView, payload: EventPayload<'run.status'>): RunView {
  const { status, previous, reason } = payload;
  if (view.state.status === 'paused' && previous !== 'paused') return view;
  const next = standing(moved(view, SIGNAL_OF[status], reason), payload);
  return status === 'paused' ? active(next) : next;
}

/** An answer from the cache costs nothing. */
function tokensOf({ tokens_in, tokens_out, cached }: EventPayload<'model.returned'>): number {
  return cached ? 0 : tokens_in + tokens_out;
}

function moved(view: RunView, signal: RunSignal, reason: string): RunView {
  const status = nextStatus(view.state.status, signal);
  return status === undefined ? view : { ...view, state: { ...view.state, status }, reason };
}

/** Whether the robot was measured to stand when the run paused or ended; the next event of a run replaces it. */
function standing(view: RunView, { stop_confirmed }: { readonly stop_confirmed?: false }): RunView {
  const { stop_confirmed: _, ...state } = view.state;
  return { ...view, state: stop_confirmed === false ? { ...state, stop_confirmed } : state };
}

function finished(view: RunView, payload: EventPayload<'run.finished'>, ts: string): RunView {
  const next = moved(view, SIGNAL_OF[payload.status], payload.reason);
  if (next === view) return view;
  const score = payload.score === undefined ? {} : { score: payload.score };
  return {
    ...next,
    state: { ...standing(next, payload).state, ...score },
    calls: [],
    finishedTs: ts,
    summary: payload.summary,
    error: payload.error,
  };
}

function called(view: RunView, payload: EventPayload<'tool.called'>): RunView {
  const call: CallView = {
    callId: payload.call_id,
    tool: payload.tool,
    args: canonicalJson(payload.args),
    effect: payload.effect,
    replay: payload.replay,
    originId: payload.origin_id,
    answer: undefined,
  };
  const calls = view.calls.length < CALLS_KEPT_MAX ? view.calls : view.calls.slice(-CALLS_KEPT_MAX + 1);
  return { ...active(view), calls: [...calls, call] };
}

function returned(view: RunView, payload: EventPayload<'tool.returned'>): RunView {
  const answer: CallView['answer'] =
    payload.ok || payload.error === undefined
      ? { ok: true, result: payload.result ?? {}, ...(payload.images ? { images: payload.images } : {}) }
      : { ok: false, error: payload.error };
  const calls = view.calls.map((call) => (call.callId === payload.call_id ? { ...call, answer } : call));
  return { ...active(view), calls };
}

/** The attempt has written something: it was not idle. */
function active(view: RunView): RunView {
  return view.idleAttempts === 0 ? view : { ...view, idleAttempts: 0 };
}

function at(state: RunState, leafId: string): RunState {
  return { ...state, tree_ref: { session_id: state.tree_ref.session_id, leaf_id: leafId } };
}
