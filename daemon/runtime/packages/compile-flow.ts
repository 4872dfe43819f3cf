import type { FlowFile, FlowFileStep, FlowFileWay } from '../../../contract/apps/index.ts';
import {
  type Clock,
  durationMs,
  EdgeError,
  type Facts,
  type FlowDefinition,
  type FlowEnd,
  type FlowScope,
  type FlowState,
  type FlowStep,
  type FlowTransition,
  type JsonValue,
  pause,
} from '../../../contract/index.ts';
import { flowFaults } from '../flow/flow-check.ts';
import { matches } from '../gate/tool-names.ts';
import { isAnyRefusalOfLog } from '../runs/log-refusals.ts';
import { filled, type Known, picked, referencesIn, valueAt } from './references.ts';

export type FlowFault = { readonly path: readonly string[]; readonly problem: string };
export type CompiledFlow =
  | { readonly ok: true; readonly flow: FlowDefinition }
  | { readonly ok: false; readonly faults: readonly FlowFault[] };

export type CompileParts = {
  readonly name: string;
  /** Patterns of tools that the package may use. */
  readonly tools: readonly string[];
  /** Where a parameter is not given. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Names of parameters; a reference to another is a fault. */
  readonly params: ReadonlySet<string>;
  /** Of a step that sets none, milliseconds. */
  readonly deadlineMs: number;
};

const ASK = 'person.ask';
const STEPS_MAX = 10_000;
/** A wait is over a little after its time on a busy host, milliseconds. */
const WAIT_GRACE_MS = 60_000;
const ASK_MS = 300_000;
const RETRY = { delayMs: 500, delayMsMax: 10_000 };
/** Outcomes of motions after which the next step follows. */
const GOOD: ReadonlySet<unknown> = new Set(['reached', 'succeeded']);
const KINDS = ['tool', 'wait', 'ask', 'repeat', 'branch', 'end'] as const;

/** Makes of a checked flow.yaml what the flow harness runs: a state for each step, durable before it starts. Pure. */
export function compileFlow(file: FlowFile, parts: CompileParts): CompiledFlow {
  const faults = stepFaults(file, parts);
  if (faults.length > 0) return { ok: false, faults };
  const compiler = new Compiler(file, parts);
  const flow: FlowDefinition = {
    name: parts.name,
    start: file.steps[0]!.id,
    tools: [...new Set(file.steps.flatMap((step) => toolOf(step) ?? []))],
    stepsMax: file.steps_max ?? STEPS_MAX,
    begin: () => ({ steps: {}, counts: {} }),
    states: compiler.states(),
  };
  const broken = flowFaults(flow).map((problem) => ({ path: ['steps'], problem }));
  return broken.length > 0 ? { ok: false, faults: broken } : { ok: true, flow };
}

function toolOf({ tool, ask }: FlowFileStep): string | undefined {
  return ask === undefined ? tool : ASK;
}

function stepFaults({ steps }: FlowFile, { tools, params }: CompileParts): FlowFault[] {
  const ids = steps.map(({ id }) => id);
  const faults: FlowFault[] = [];
  steps.forEach((step, index) => {
    const fault = (key: string, problem: string) =>
      faults.push({ path: ['steps', `${index}`, key], problem });
    const kinds = KINDS.filter((kind) => step[kind] !== undefined);
    if (kinds.length !== 1)
      fault(
        'id',
        `"${step.id}" has ${kinds.join(' and ') || 'nothing to do'}; a step has one of ${KINDS.join(', ')}`,
      );
    if (ids.indexOf(step.id) !== index) fault('id', `"${step.id}" is there twice`);
    if (ids.includes(`${step.id}_until`) && step.wait !== undefined)
      fault(
        'id',
        `"${step.id}_until" is what the engine calls the second half of this wait; rename that step`,
      );
    const tool = toolOf(step);
    if (tool !== undefined && !tools.some((pattern) => matches(pattern, tool)))
      fault(
        step.ask === undefined ? 'tool' : 'ask',
        `"${tool}" is not among tools of app.toml: ${tools.join(', ') || 'none'}`,
      );
    for (const key of misplaced(step))
      fault(key, `does nothing in a step with ${kinds[0] ?? 'nothing to do'}`);
    if (step.repeat !== undefined && step.times === undefined) fault('repeat', 'needs times');
    if (typeof step.times === 'string' && referencesIn(step.times).length !== 1)
      fault('times', 'a number, or {/params/NAME}');
    if (step.repeat !== undefined && ids.indexOf(step.repeat) > index)
      fault('repeat', `"${step.repeat}" comes later; repeat leads back`);
    for (const [key, to] of targetsOf(step))
      if (!ids.includes(to)) fault(key, `"${to}" is no step: ${ids.join(', ')}`);
    const isLast = index === steps.length - 1;
    if (isLast && step.end === undefined && typeof step.next !== 'string' && !endsOpen(step))
      fault('id', 'the last step has end or next: nothing comes after it');
    waysOf(step).forEach((way, at) => {
      const tests = testsOf(way);
      if (tests > 0 && way.value === undefined)
        fault('next', `way ${at + 1} tests nothing: value is missing`);
      if (way.value !== undefined && tests !== 1)
        fault('next', `way ${at + 1} has one of is, is_not, above, below`);
      if (way.value !== undefined && !/^\{\/[^{}\s]+\}$/.test(way.value))
        fault('next', `way ${at + 1}: value is one reference, such as {/steps/ID/outcome}`);
    });
    for (const [root, name] of referencesIn(step)) {
      if (root === 'params' && name !== undefined && params.has(name)) continue;
      if (root === 'error' && ['step', 'code', 'message'].includes(name ?? '')) continue;
      if (root === 'steps' && steps.some((one) => one.id === name && toolOf(one) !== undefined)) continue;
      const problem =
        root === 'params'
          ? `{/params/${name ?? ''}} is no parameter of an intent: ${[...params].join(', ') || 'there are none'}`
          : root === 'steps'
            ? `{/steps/${name ?? ''}} is no step with a result`
            : `{/${root}} leads nowhere; references begin with /params, /steps or /error`;
      faults.push({ path: ['steps', `${index}`], problem });
    }
  });
  return faults;
}

/** Keys that have no meaning beside what the step does. */
function misplaced(step: FlowFileStep): readonly string[] {
  const { tool, ask, repeat, end } = step;
  const acts = tool !== undefined || ask !== undefined;
  return [
    ...(step.args !== undefined && tool === undefined ? ['args'] : []),
    ...(step.choices !== undefined && ask === undefined ? ['choices'] : []),
    ...(step.otherwise !== undefined && ask === undefined ? ['otherwise'] : []),
    ...(step.times !== undefined && repeat === undefined ? ['times'] : []),
    ...(step.reason !== undefined && end === undefined ? ['reason'] : []),
    ...(step.deadline !== undefined && !acts ? ['deadline'] : []),
    ...(step.retries !== undefined && !acts ? ['retries'] : []),
    ...(step.on_error !== undefined && !acts ? ['on_error'] : []),
    ...(step.next !== undefined && end !== undefined ? ['next'] : []),
  ];
}

function waysOf({ next }: FlowFileStep): readonly FlowFileWay[] {
  return Array.isArray(next) ? next : [];
}

function testsOf({ is, is_not, above, below }: FlowFileWay): number {
  return [is, is_not, above, below].filter((one) => one !== undefined).length;
}

/** Its ways leave nothing out. */
function endsOpen(step: FlowFileStep): boolean {
  const last = waysOf(step).at(-1);
  return last !== undefined && testsOf(last) === 0;
}

function targetsOf(step: FlowFileStep): readonly (readonly [string, string])[] {
  return [
    ...(typeof step.next === 'string' ? [['next', step.next] as const] : []),
    ...waysOf(step).map(({ to }) => ['next', to] as const),
    ...(step.on_error === undefined ? [] : [['on_error', step.on_error] as const]),
    ...(step.repeat === undefined ? [] : [['repeat', step.repeat] as const]),
  ];
}

type Own = Facts & {
  readonly steps?: Facts;
  readonly error?: Facts;
  readonly counts?: Readonly<Record<string, number>>;
};

class Compiler {
  readonly #file: FlowFile;
  readonly #parts: CompileParts;
  /** By step: what others refer to of its result. */
  readonly #wanted = new Map<string, (readonly string[])[]>();

  constructor(file: FlowFile, parts: CompileParts) {
    this.#file = file;
    this.#parts = parts;
    for (const [root, id, ...rest] of referencesIn(file.steps)) {
      if (root === 'steps' && id !== undefined) this.#wanted.set(id, [...(this.#wanted.get(id) ?? []), rest]);
    }
  }

  states(): Record<string, FlowState | FlowEnd> {
    return Object.fromEntries(this.#file.steps.flatMap((step, index) => this.#statesOf(step, index)));
  }

  #statesOf(step: FlowFileStep, index: number): [string, FlowState | FlowEnd][] {
    const { id } = step;
    const about = step.about ?? step.tool ?? step.ask ?? id;
    const onward = this.#onward(step, index);
    if (step.end !== undefined) return [[id, this.#end(step, step.end, about)]];
    if (step.wait !== undefined) return this.#wait(id, durationMs(step.wait), about, onward);
    const simple = { about, deadlineMs: WAIT_GRACE_MS };
    if (step.branch)
      return [[id, { ...simple, on: { on: onward }, enter: async () => ({ event: 'on', reason: about }) }]];
    if (step.repeat !== undefined)
      return [
        [
          id,
          {
            ...simple,
            on: { again: step.repeat, over: onward },
            enter: async (scope) => this.#count(step, scope),
          },
        ],
      ];
    const deadlineMs = step.deadline === undefined ? undefined : durationMs(step.deadline);
    const failing =
      step.on_error === undefined
        ? {}
        : { error: step.on_error, deadline: step.on_error, failed: step.on_error };
    const enter = (scope: FlowScope) => this.#tried(step, scope, deadlineMs);
    const retry = step.retries === undefined ? {} : { retry: { times: step.retries, ...RETRY } };
    const last = deadlineMs ?? (step.ask === undefined ? this.#parts.deadlineMs : ASK_MS);
    const grace = step.ask === undefined ? 0 : WAIT_GRACE_MS;
    return [[id, { about, deadlineMs: last + grace, enter, ...retry, on: { done: onward, ...failing } }]];
  }

  /** Where a step leads that did what it is for. */
  #onward(step: FlowFileStep, index: number): string | readonly FlowTransition[] {
    if (typeof step.next === 'string') return step.next;
    const below = this.#file.steps[index + 1]?.id;
    if (!step.next) return below ?? step.id;
    const ways: FlowTransition[] = step.next.map((way) => ({ to: way.to, ...this.#guard(way) }));
    return endsOpen(step) || below === undefined ? ways : [...ways, { to: below }];
  }

  #guard(way: FlowFileWay): Pick<FlowTransition, 'when'> {
    if (way.value === undefined) return {};
    const [parts] = referencesIn(way.value);
    const { is, is_not, above, below } = way;
    const name = `${way.value} ${is !== undefined ? `is ${is}` : is_not !== undefined ? `is not ${is_not}` : above !== undefined ? `above ${above}` : `below ${below}`}`;
    const test = (facts: Facts, params: Readonly<Record<string, unknown>>): boolean => {
      const value = valueAt(this.#known(facts, params), parts!);
      if (is !== undefined) return (value ?? null) === is;
      if (is_not !== undefined) return (value ?? null) !== is_not;
      return typeof value === 'number' && (above !== undefined ? value > above : value < below!);
    };
    return { when: { name: name.slice(0, 128), test } };
  }

  #known(facts: Facts, params: Readonly<Record<string, unknown>>): Known {
    const { steps = {}, error = { message: 'see the log' } } = facts as Own;
    return { params: { ...this.#parts.defaults, ...params }, steps, error };
  }

  /** Where a step says what follows an error, that is known there as {/error/message}. */
  async #tried(step: FlowFileStep, scope: FlowScope, deadlineMs: number | undefined): Promise<FlowStep> {
    try {
      return await this.#act(step, scope, deadlineMs);
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'step', step.id);
      // Retries, aborts and a log that refuses are the engine's.
      const isEngines = step.retries !== undefined || scope.signal.aborted || isAnyRefusalOfLog(thrown);
      if (step.on_error === undefined || isEngines) throw thrown;
      const error = { step: step.id, code, message: message.slice(0, 400) };
      return { event: 'failed', reason: message, facts: { error } };
    }
  }

  async #act(step: FlowFileStep, scope: FlowScope, deadlineMs: number | undefined): Promise<FlowStep> {
    const known = this.#known(scope.facts, scope.params);
    const args =
      step.ask === undefined ? filled(step.args ?? {}, known) : askArgs(step, known, deadlineMs ?? ASK_MS);
    const result = await scope.tools.call(toolOf(step)!, args as Record<string, unknown>);
    const { outcome, message } = result;
    // A robot that did not arrive does not go on as if it had, unless the flow says where to.
    if (outcome !== undefined && !GOOD.has(outcome) && waysOf(step).length === 0)
      throw new EdgeError('tool.failed', {
        operation: step.tool ?? ASK,
        subject: step.id,
        message: `${step.tool} ended with ${String(outcome)}${typeof message === 'string' && message !== '' ? `: ${message}` : ''}`,
      });
    const wanted = this.#wanted.get(step.id);
    const steps = (scope.facts as Own).steps ?? {};
    const facts = wanted ? { steps: { ...steps, [step.id]: picked(result, wanted) } } : {};
    const reason = outcome === undefined ? (step.tool ?? 'answered') : String(outcome);
    return { event: 'done', reason, facts };
  }

  #count({ id, times = 0 }: FlowFileStep, { facts, params }: FlowScope): FlowStep {
    const wanted = filled(times, this.#known(facts, params));
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

  /** Two states: the first writes down until when, so that a cut does not make it wait again. */
  #wait(id: string, ms: number, about: string, onward: FlowState['on'][string]): [string, FlowState][] {
    const key = `${id}_due_ns`;
    const until = `${id}_until`;
    return [
      [
        id,
        {
          about,
          deadlineMs: WAIT_GRACE_MS,
          on: { set: until },
          enter: async ({ clock }) => dueStep(clock, key, ms),
        },
      ],
      [
        until,
        {
          about: `until ${about} is over`,
          deadlineMs: ms + WAIT_GRACE_MS,
          on: { over: onward },
          async enter({ facts, clock, signal }) {
            const left = Number((BigInt(String(facts[key])) - clock.now()) / 1_000_000n);
            if (left > 0) await pause(clock, Math.min(left, ms), signal);
            return { event: 'over', reason: `${ms} ms` };
          },
        },
      ],
    ];
  }

  #end(step: FlowFileStep, end: FlowEnd['end'], about: string): FlowEnd {
    return {
      about,
      end,
      conclude: (facts, params) => {
        const known = this.#known(facts, params);
        const score = end === 'cancelled' ? {} : { score: end === 'succeeded' ? 1 : 0 };
        const steps = (facts as Own).steps ?? {};
        return {
          reason: String(filledOr(step.reason ?? step.id, known)).slice(0, 512),
          ...score,
          summary: { steps },
        };
      },
    };
  }
}

/** A reason is words: what leads nowhere is left as it is written. */
function filledOr(text: string, known: Known): unknown {
  try {
    return filled(text, known);
  } catch {
    return text;
  }
}

function dueStep(clock: Clock, key: string, ms: number): FlowStep {
  const due = clock.now() + BigInt(Math.round(ms * 1e6));
  return { event: 'set', reason: `${ms} ms`, facts: { [key]: due.toString() as JsonValue } };
}

function askArgs(
  { ask, choices, otherwise }: FlowFileStep,
  known: Known,
  ms: number,
): Record<string, unknown> {
  return {
    question: String(filled(ask, known)),
    ...(choices ? { choices } : {}),
    ...(otherwise === undefined ? {} : { otherwise }),
    timeout_s: Math.max(5, Math.round(ms / 1_000)),
  };
}
