import type { FlowFileStep } from '../../../contract/apps/index.ts';
import {
  type Clock,
  durationMs,
  EdgeError,
  type Facts,
  type FlowScope,
  type FlowState,
  type FlowStep,
  type JsonValue,
  pause,
} from '../../../contract/index.ts';
import { APPROVE, DENY, toolOf, waysOf } from './flow-lists.ts';
import { filled, type Known, picked } from './references.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a flow of a file knows. */
export type Own = Facts & {
  readonly steps?: Facts;
  readonly error?: Facts;
  /** Where steps refer to it. */
  readonly intent?: { readonly type: string };
  /** Of a round of an outer loop. */
  readonly loop?: { readonly round: number; readonly findings: readonly string[] };
  readonly counts?: Readonly<Record<string, number>>;
};

export type ActParts = {
  readonly known: Known;
  /** What others refer to of the result of a step. */
  readonly wanted: (id: string) => readonly (readonly string[])[] | undefined;
  /** As the step sets it, milliseconds. */
  readonly deadlineMs: number | undefined;
};

/** Of a question that sets none, milliseconds. */
export const ASK_MS = 300_000;
/** A wait is over a little after its time on a busy host, milliseconds. */
const WAIT_GRACE_MS = 60_000;
/** Longest wait by a reference, milliseconds. */
const WAIT_MS_MAX = 86_400_000;
const TIME_S_MAX = 86_400;
/** Outcomes of motions after which the next step follows. */
const GOOD: ReadonlySet<unknown> = new Set(['reached', 'succeeded']);

/** Does what a step that calls a tool is for. Throws where it failed and `next` does not say where that leads. */
export async function acted(step: FlowFileStep, scope: FlowScope, parts: ActParts): Promise<FlowStep> {
  const tool = toolOf(step)!;
  const result = await scope.tools.call(tool, argsOf(step, parts));
  const failure = waysOf(step).length === 0 ? failureOf(step, result) : undefined;
  if (failure !== undefined)
    throw new EdgeError('tool.failed', { operation: tool, subject: step.id, message: failure });
  const isDenied = step.approve !== undefined && result['answer'] !== APPROVE;
  const facts = factsOf(step, result, scope.facts, parts);
  if (isDenied) return { event: 'denied', reason: byWhom(result), facts };
  const { outcome } = result;
  return {
    event: 'done',
    reason: outcome === undefined ? (step.tool ?? wordsOf(step, result)) : String(outcome),
    facts,
  };
}

function argsOf(step: FlowFileStep, { known, deadlineMs }: ActParts): Json {
  const { ask, approve, run, parallel, args = {}, params = {}, turns, tokens } = step;
  const time =
    deadlineMs === undefined ? {} : { time_s: Math.min(TIME_S_MAX, Math.max(0.1, deadlineMs / 1_000)) };
  if (parallel) return time;
  if (run !== undefined) {
    const budget = { ...(turns === undefined ? {} : { turns }), ...(tokens === undefined ? {} : { tokens }) };
    return { intent: run, params: filled(params, known) as Json, ...budget, ...time };
  }
  const question = ask ?? approve;
  if (question === undefined) return filled(args, known) as Json;
  const { choices, otherwise } = step;
  const answers =
    approve === undefined
      ? { ...(choices ? { choices } : {}), ...(otherwise === undefined ? {} : { otherwise }) }
      : { choices: [APPROVE, DENY], otherwise: DENY, approval: true };
  const timeout_s = Math.max(5, Math.round((deadlineMs ?? ASK_MS) / 1_000));
  return { question: String(filled(question, known)), ...answers, timeout_s };
}

/** Why a result is no success; undefined: it is one, or says nothing about it. */
function failureOf(step: FlowFileStep, result: Json): string | undefined {
  const { outcome, message, status, reason, answer } = result;
  if (step.run !== undefined && status !== 'succeeded')
    return `run ${step.run} ended with ${String(status)}: ${String(reason)}`;
  if (step.parallel) return brokenBranch(step, result);
  if (step.approve !== undefined && step.on_denied === undefined && answer !== APPROVE)
    return `not approved (${byWhom(result)})`;
  // A robot that did not arrive does not continue as if it had, unless the flow says where to.
  if (outcome === undefined || GOOD.has(outcome)) return undefined;
  const words = typeof message === 'string' && message !== '' ? `: ${message}` : '';
  return `${step.tool ?? step.id} ended with ${String(outcome)}${words}`;
}

/** The branch that failed, or the newest of those that all did. One that was cancelled for it is not named. */
function brokenBranch({ until = 'all' }: FlowFileStep, result: Json): string | undefined {
  const ends = Object.entries(branchesOf(result));
  const bad = ends.filter(([, { status }]) => status !== 'succeeded');
  if (bad.length === 0 || (until === 'any' && bad.length < ends.length)) return undefined;
  const [name, { status, reason }] = bad.find(([, end]) => end.status === 'failed') ?? bad[0]!;
  return `part ${name} ended with ${status}: ${reason}`;
}

type BranchEnd = {
  readonly status: string;
  readonly reason: string;
  readonly summary?: { readonly steps?: Json };
};

function branchesOf(result: Json): Readonly<Record<string, BranchEnd>> {
  return (result['branches'] ?? {}) as Readonly<Record<string, BranchEnd>>;
}

/** What later steps refer to. The results of the steps in its parts come with those of a parallel step. */
function factsOf(step: FlowFileStep, result: Json, facts: Facts, { wanted }: ActParts): Partial<Own> {
  const mine = wanted(step.id);
  const seen = step.parallel ? { ...branchesOf(result), first: result['first'] ?? null } : result;
  const own = mine ? { [step.id]: picked(seen, mine) } : {};
  const inner = Object.entries(step.parallel ?? {}).flatMap(([name, steps]) => {
    const done = branchesOf(result)[name]?.summary?.steps ?? {};
    return steps.flatMap(({ id }) => (Object.hasOwn(done, id) ? [[id, done[id] as JsonValue] as const] : []));
  });
  if (!mine && inner.length === 0) return {};
  return { steps: { ...((facts as Own).steps ?? {}), ...Object.fromEntries(inner), ...own } };
}

function wordsOf({ run, parallel }: FlowFileStep, result: Json): string {
  if (run !== undefined) return `${run}: ${String(result['status'])}`;
  if (!parallel) return 'answered';
  const ends = Object.entries(branchesOf(result)).map(([name, { status }]) => `${name} ${status}`);
  return ends.join(', ');
}

function byWhom({ answered, by }: Json): string {
  return answered === true ? `denied by ${String(by)}` : 'no answer in time';
}

/** How often a step led back, and whether it does again. */
export function counted({ id, times = 0 }: FlowFileStep, facts: Facts, known: Known): FlowStep {
  const wanted = filled(times, known);
  if (!Number.isSafeInteger(wanted) || (wanted as number) < 0 || (wanted as number) > 1_000)
    throw new EdgeError('schema.invalid', {
      operation: 'repeat',
      subject: id,
      message: `times is ${JSON.stringify(wanted)}: a whole number from 0 to 1000 is expected`,
      retryable: false,
    });
  const counts = (facts as Own).counts ?? {};
  const done = (counts[id] ?? 0) + 1;
  const again = done < (wanted as number);
  const news = { counts: { ...counts, [id]: again ? done : 0 } };
  return { event: again ? 'again' : 'over', reason: `${done} of ${wanted}`, facts: news };
}

export type WaitParts = {
  readonly about: string;
  readonly onward: FlowState['on'][string];
  readonly known: (facts: Facts, params: Json) => Known;
};

/** Two states: the first writes down until when, so that a cut does not make it wait again. */
export function waitStates(
  { id, wait }: FlowFileStep,
  { about, onward, known }: WaitParts,
): [string, FlowState][] {
  const key = `${id}_due_ns`;
  const until = `${id}_until`;
  const isFixed = !wait!.startsWith('{');
  const longest = isFixed ? durationMs(wait!) : WAIT_MS_MAX;
  return [
    [
      id,
      {
        about,
        deadlineMs: WAIT_GRACE_MS,
        on: { set: until },
        enter: async ({ clock, facts, params }) =>
          dueStep(clock, key, isFixed ? longest : waitMs(id, filled(wait, known(facts, params)))),
      },
    ],
    [
      until,
      {
        about: `until ${about} is over`,
        deadlineMs: longest + WAIT_GRACE_MS,
        on: { over: onward },
        async enter({ facts, clock, signal }) {
          const left = Number((BigInt(String(facts[key])) - clock.now()) / 1_000_000n);
          if (left > 0) await pause(clock, Math.min(left, longest), signal);
          return { event: 'over', reason: isFixed ? `${longest} ms` : 'the time is over' };
        },
      },
    ],
  ];
}

/** Seconds, or a text with its unit. */
function waitMs(id: string, value: unknown): number {
  const isText = typeof value === 'string' && /^[0-9]+(\.[0-9]+)? ?(ms|s|min|h)$/.test(value);
  const ms = isText ? durationMs(value) : typeof value === 'number' ? value * 1_000 : Number.NaN;
  if (ms >= 0 && ms <= WAIT_MS_MAX) return ms;
  throw new EdgeError('schema.invalid', {
    operation: 'wait',
    subject: id,
    message: `wait is ${JSON.stringify(value)}: expected seconds or a text such as "90 s", at most 24 h`,
    retryable: false,
  });
}

function dueStep(clock: Clock, key: string, ms: number): FlowStep {
  const due = clock.now() + BigInt(Math.round(ms * 1e6));
  return { event: 'set', reason: `${ms} ms`, facts: { [key]: due.toString() as JsonValue } };
}
