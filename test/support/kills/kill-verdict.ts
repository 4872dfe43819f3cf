import { logPath, openEventReader, verifyLogFile } from '../../../adapters/event-log/index.ts';
import type { AgentEvent, EventPayload } from '../../../contract/index.ts';
import type { Campaign } from './kill-campaign.ts';
import { clipKey, maneuverKey, navigateKey } from './kill-world.ts';

/** One call as the log holds it. */
type Call = {
  readonly runId: string;
  readonly called: EventPayload<'tool.called'>;
  readonly returned: EventPayload<'tool.returned'>[];
};

export type Verdict = {
  /** What must not be; empty is what a campaign is for. */
  readonly broken: readonly string[];
  readonly events: number;
  readonly runs: number;
  readonly succeeded: number;
  /** Settled by the rule for attempts that die before they do anything. */
  readonly failedByRule: number;
  readonly attempts: number;
  readonly effects: Readonly<Record<'never' | 'safe' | 'probe', number>>;
  /** Calls that a cut left open: nobody knows (`never`), the world knew (`probe`). */
  readonly interrupted: number;
  readonly foundInWorld: number;
};

const EFFECTS = /^(do\.(never|safe|probe)|robot\.(maneuver|navigate)|clip_recording)$/;

/** Compares the log with the book of the world and with what was acknowledged and told outside. */
export function judge({ world, seen, dataDir }: Campaign): Verdict {
  const broken = [...seen.faults];
  const whole = verifyLogFile(logPath(dataDir, 'runtime'));
  if (!whole.ok) broken.push(`the chain of the log is broken: ${whole.fault?.message}`);
  const events = readAll(dataDir);
  const runs = Map.groupBy(
    events.filter(({ run_id }) => run_id !== undefined),
    ({ run_id }) => run_id!,
  );
  const calls = callsOf(events);
  broken.push(...brokenRuns(runs), ...brokenMissions(events, seen), ...brokenCalls(calls));
  broken.push(...brokenEffects(calls, world), ...brokenWords(calls, seen));
  const of = <K extends AgentEvent['kind']>(kind: K) =>
    events.filter((event) => event.kind === kind) as AgentEvent<K>[];
  const ends = of('run.finished').map(({ payload }) => payload);
  const succeeded = ends.filter(({ status }) => status === 'succeeded').length;
  const byRule = ends.filter(({ error }) => /before they did anything/.test(error?.message ?? '')).length;
  if (succeeded + byRule !== ends.length)
    for (const { status, reason } of ends.filter((end) => end.status !== 'succeeded'))
      broken.push(`a run ended as ${status}: ${reason}`);
  const answers = of('tool.returned').map(({ payload }) => payload);
  const deeds = (kind: string) => world.deeds.filter((deed) => deed.kind === kind).length;
  return {
    broken,
    events: events.length,
    runs: runs.size,
    succeeded,
    failedByRule: byRule,
    attempts: of('run.started').length,
    effects: { never: deeds('never'), safe: deeds('safe'), probe: deeds('probe') },
    interrupted: answers.filter(({ error }) => error?.code === 'run.interrupted').length,
    foundInWorld: answers.filter(
      ({ result }) => result?.['found'] === true || result?.['message'] === 'was there after the cut',
    ).length,
  };
}

function readAll(dataDir: string): AgentEvent[] {
  const reader = openEventReader(dataDir, 'runtime');
  const events: AgentEvent[] = [];
  for (let read = reader.read(0, 5_000); read.length > 0; read = reader.read(events.at(-1)!.seq, 5_000))
    events.push(...read);
  reader.close();
  return events;
}

function callsOf(events: readonly AgentEvent[]): Map<string, Call> {
  const calls = new Map<string, Call>();
  for (const { kind, payload, run_id } of events) {
    if (kind === 'tool.called') calls.set(payload.call_id, { runId: run_id!, called: payload, returned: [] });
    if (kind === 'tool.returned') calls.get(payload.call_id)?.returned.push(payload);
  }
  return calls;
}

/** Each run begins once, ends once, and nothing of it comes after. */
function* brokenRuns(runs: ReadonlyMap<string, readonly AgentEvent[]>): Generator<string> {
  for (const [runId, events] of runs) {
    const kinds = events.map(({ kind }) => kind);
    const ends = kinds.filter((kind) => kind === 'run.finished').length;
    if (kinds[0] !== 'intent.accepted' || ends !== 1 || kinds.at(-1) !== 'run.finished')
      yield `run ${runId} has ${ends} ends, begins with ${kinds[0]} and ends with ${kinds.at(-1)}`;
    const attempts = events.flatMap(({ kind, payload }) => (kind === 'run.started' ? [payload.attempt] : []));
    if (attempts.some((attempt, i) => attempt !== i + 1)) yield `run ${runId} counts attempts ${attempts}`;
  }
}

/** What was acknowledged to who asked is there, once. */
function* brokenMissions(
  events: readonly AgentEvent[],
  { accepted, missions }: Campaign['seen'],
): Generator<string> {
  const runs = new Map<string, string>();
  for (const { kind, payload, run_id } of events) {
    if (kind !== 'intent.accepted') continue;
    const key = payload.intent.idempotency_key ?? '';
    if (runs.has(key)) yield `${key} became two runs`;
    runs.set(key, run_id!);
  }
  for (const [n, runId] of accepted)
    if (runs.get(`mission-${n}`) !== runId) yield `mission ${n} was acknowledged as ${runId} and is lost`;
  if (accepted.size !== missions) yield `${missions} missions, ${accepted.size} were acknowledged`;
}

function* brokenCalls(calls: ReadonlyMap<string, Call>): Generator<string> {
  for (const { called, returned } of calls.values())
    if (returned.length !== 1) yield `call ${called.call_id} of ${called.tool} has ${returned.length} ends`;
}

function keyOf({ called: { tool, args } }: Call): string {
  if (tool === 'robot.navigate') return navigateKey(Number(args['x']), Number(args['y']));
  if (tool === 'robot.maneuver')
    return maneuverKey({ kind: args['kind'], distance: args['distance_m'], angle: args['angle_rad'] });
  if (tool === 'clip_recording') return clipKey(String(args['name']));
  return `${tool.replace('do.', '')} ${String(args['n'])}`;
}

/** No effect twice; none without its record; none lost that was acknowledged. */
function* brokenEffects(calls: ReadonlyMap<string, Call>, world: Campaign['world']): Generator<string> {
  const wanted = Map.groupBy(
    [...calls.values()].filter(({ called }) => EFFECTS.test(called.tool)),
    keyOf,
  );
  for (const { key, callId } of world.deeds) {
    const known = wanted.get(key);
    if (!known) yield `${key} happened and the log knows of no such call`;
    else if (callId !== undefined && !known.some(({ called }) => called.call_id === callId))
      yield `${key} happened under call ${callId}, which the log does not know`;
  }
  for (const [key, ofKey] of wanted) {
    const times = world.count(key);
    if (times > 1) yield `${key} happened ${times} times`;
    // A drive that was stopped on its way has an answer and no arrival.
    const did = ofKey.some(
      ({ returned: [end] }) => end?.ok === true && end.result?.['outcome'] !== 'stopped',
    );
    if (did && times !== 1) yield `${key} was acknowledged and happened ${times} times`;
  }
}

/** Who was told how a call ended was told the same ever after, and what the log says. */
function* brokenWords(calls: ReadonlyMap<string, Call>, { told }: Campaign['seen']): Generator<string> {
  const byOrigin = new Map(
    [...calls.values()].map((call) => [`${call.runId} ${call.called.origin_id ?? ''}`, call]),
  );
  for (const [name, texts] of told) {
    if (texts.size > 1) yield `an agent was told two things of call ${name}: ${[...texts].join(' | ')}`;
    const end = byOrigin.get(name)?.returned[0];
    const says = end?.ok ? JSON.stringify(end.result) : (end?.error?.code ?? 'nothing');
    for (const text of texts)
      if (!text.includes(says) && !sameJson(text, says))
        yield `an agent was told of call ${name}: ${text}; the log says ${says}`;
  }
}

function sameJson(text: string, says: string): boolean {
  try {
    const sorted = (json: string) => JSON.stringify(Object.entries(JSON.parse(json) as object).sort());
    return sorted(text) === sorted(says);
  } catch {
    return false;
  }
}
