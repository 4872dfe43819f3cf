import { type AgentEvent, isFinished, type RunDetails } from '../../contract/core.ts';
import { alertsOf } from './alerts.ts';
import type { CallSeen, DecisionSeen, EventSeen, Look, RunSeen, WatchView } from './view.ts';

const EVENTS_KEPT = 100;
const CALLS_KEPT = 16;
const RUNS_KEPT = 32;
const TEXT_MAX = 200;

type Heard = { calls: CallSeen[]; decisions: DecisionSeen[]; phaseReason?: string };

/** Folds answers of the API and events into what `auraison watch` shows. Bounded, pure. */
export class WatchBook {
  readonly #url: string;
  /** By run, the run with the newest event last. */
  readonly #heard = new Map<string, Heard>();
  #events: EventSeen[] = [];
  #look: Look | undefined;
  #asOfMs: number | undefined;
  #away: WatchView['away'];
  #back: WatchView['back'];

  constructor(url: string) {
    this.#url = url;
  }

  /** The daemon answered. */
  seen(look: Look, nowMs: number): void {
    if (this.#away) this.#back = { at_ms: nowMs, after_ms: nowMs - this.#away.since_ms };
    this.#away = undefined;
    this.#look = look;
    this.#asOfMs = nowMs;
  }

  /** The daemon did not answer. What was seen stays, with its time. */
  missed(reason: string, nowMs: number): void {
    this.#away = { since_ms: this.#away?.since_ms ?? nowMs, reason };
  }

  /** Events in their order, each once. */
  take(event: AgentEvent): void {
    const at_ms = Number(BigInt(event.ts) / 1_000_000n);
    // What a run looked at comes many times a second, and says nothing to a person.
    if (event.kind !== 'robot.observed')
      this.#events.push({ at_ms, cell: event.cell, kind: event.kind, text: factsOf(event.payload) });
    if (this.#events.length > EVENTS_KEPT) this.#events = this.#events.slice(-EVENTS_KEPT);
    if (event.run_id !== undefined) this.#ofRun(event.run_id, event);
  }

  view(nowMs: number): WatchView {
    const runs = this.#look?.runs ?? [];
    const open = runs.filter(({ run }) => !isFinished(run.status));
    const shown = open.toSorted((a, b) => rank(a) - rank(b))[0] ?? runs[0];
    return {
      now_ms: nowMs,
      ...(this.#asOfMs === undefined ? {} : { as_of_ms: this.#asOfMs }),
      ...(this.#away ? { away: this.#away } : {}),
      ...(this.#back ? { back: this.#back } : {}),
      url: this.#url,
      ...(this.#look ? { status: this.#look.status } : {}),
      alerts: this.#look ? alertsOf(this.#look.status) : [],
      ...(shown ? { run: this.#runSeen(shown) } : {}),
      others: open
        .filter((one) => one !== shown)
        .map(({ run, intent }) => ({ intent: intent.type, status: run.status })),
      events: this.#events,
    };
  }

  #runSeen({ run, intent, phase, reason, started_ts, finished_ts }: RunDetails): RunSeen {
    const heard = this.#heard.get(run.run_id);
    const started = msOf(started_ts);
    const finished = msOf(finished_ts);
    return {
      run_id: run.run_id,
      intent: intent.type,
      status: run.status,
      phase: phase ?? '',
      reason: reason || heard?.phaseReason || '',
      ...(started === undefined ? {} : { started_ms: started }),
      ...(finished === undefined ? {} : { finished_ms: finished }),
      calls: heard?.calls ?? [],
      decisions: heard?.decisions ?? [],
    };
  }

  #ofRun(runId: string, event: AgentEvent): void {
    const heard = this.#heard.get(runId) ?? { calls: [], decisions: [] };
    this.#heard.delete(runId);
    this.#heard.set(runId, heard);
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > RUNS_KEPT && oldest !== undefined) this.#heard.delete(oldest);
    switch (event.kind) {
      case 'run.phase':
        heard.phaseReason = event.payload.reason;
        break;
      case 'tool.called': {
        const { call_id, tool, args } = event.payload;
        heard.calls = [...heard.calls, { call_id, tool, args: oneLine(args) }].slice(-CALLS_KEPT);
        break;
      }
      case 'tool.returned': {
        const { call_id, tool, ok, result, error, duration_ms } = event.payload;
        const text = ok ? oneLine(result) : `${error?.code ?? 'failed'}: ${error?.message ?? ''}`;
        const done = { ok, result: text, duration_ms };
        const isKnown = heard.calls.some((call) => call.call_id === call_id);
        heard.calls = isKnown
          ? heard.calls.map((call) => (call.call_id === call_id ? { ...call, ...done } : call))
          : [...heard.calls, { call_id, tool, args: '', ...done }].slice(-CALLS_KEPT);
        break;
      }
      case 'policy.decided': {
        const { decision, point, subject, reason } = event.payload;
        if (decision === 'allow') break;
        heard.decisions = [...heard.decisions, { decision, point, subject, reason }].slice(-CALLS_KEPT);
        break;
      }
      default:
    }
  }
}

/** What a person watches first: what moves, then what waits for a person. */
function rank({ run }: RunDetails): number {
  return ['running', 'waiting_approval', 'paused', 'queued'].indexOf(run.status);
}

const msOf = (ns: string | undefined | null) =>
  ns === undefined || ns === null ? undefined : Number(BigInt(ns) / 1_000_000n);

/** Names of values that identify, and figures of machines: `--json` has them. */
const NOT_FOR_PEOPLE = /(?:_id|_sha256|_ms|_us|_ns|_hash)$/;

/** The plain values of a payload, as far as a person reads them. */
function factsOf(payload: object): string {
  return cut(
    Object.entries(payload)
      .filter(([key, value]) => (typeof value !== 'object' || value === null) && !NOT_FOR_PEOPLE.test(key))
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(' '),
  );
}

function oneLine(value: unknown): string {
  return cut(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
}

const cut = (text: string) => (text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}…`);
