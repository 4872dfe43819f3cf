import type { FlowFile, FlowFileStep, FlowFileWay } from '../../../contract/apps/index.ts';
import {
  durationMs,
  EdgeError,
  type Facts,
  type FlowDefinition,
  type FlowEnd,
  type FlowScope,
  type FlowState,
  type FlowStep,
  type FlowTransition,
} from '../../../contract/index.ts';
import { flowFaults } from '../flow/flow-check.ts';
import { isAnyRefusalOfLog } from '../runs/log-refusals.ts';
import { ASK_MS, acted, counted, type Own, waitStates } from './flow-acts.ts';
import { type FaultParts, type FlowFault, stepFaults } from './flow-faults.ts';
import { endOfBranch, endsOpen, listsOf, type StepList, toolOf } from './flow-lists.ts';
import { filled, type Known, referencesIn, valueAt } from './references.ts';

export type { FlowFault } from './flow-faults.ts';

export type CompiledFlow =
  | { readonly ok: true; readonly flow: FlowDefinition }
  | { readonly ok: false; readonly faults: readonly FlowFault[] };

export type CompileParts = FaultParts & {
  readonly name: string;
  /** Where a parameter is not given. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Of a step that sets none, milliseconds. */
  readonly deadlineMs: number;
};

const STEPS_MAX = 10_000;
/** A step is over a little after its time on a busy host, milliseconds. */
const GRACE_MS = 60_000;
const RETRY = { delayMs: 500, delayMsMax: 10_000 };

/** Makes of a checked flow.yaml what the flow harness runs: a state for each step, durable before it starts. Pure. */
export function compileFlow(file: FlowFile, parts: CompileParts): CompiledFlow {
  const faults = stepFaults(file, parts);
  if (faults.length > 0) return { ok: false, faults };
  const lists = listsOf(file);
  const compiler = new Compiler(file, parts);
  const byIntent = referencesIn(file.steps).some(([root]) => root === 'intent');
  const flow: FlowDefinition = {
    name: parts.name,
    start: file.steps[0]!.id,
    tools: [...new Set(lists.flatMap(({ steps }) => steps.flatMap((step) => toolOf(step) ?? [])))],
    byTools: true,
    stepsMax: file.steps_max ?? STEPS_MAX,
    begin: (_params, type) => ({ steps: {}, counts: {}, ...(byIntent && type ? { intent: { type } } : {}) }),
    states: Object.fromEntries(lists.flatMap((list) => compiler.states(list))),
  };
  const broken = flowFaults(flow).map((problem) => ({ path: ['steps'], problem }));
  return broken.length > 0 ? { ok: false, faults: broken } : { ok: true, flow };
}

class Compiler {
  readonly #parts: CompileParts;
  /** By step: what others refer to of its result. */
  readonly #wanted = new Map<string, (readonly string[])[]>();

  constructor(file: FlowFile, parts: CompileParts) {
    this.#parts = parts;
    for (const [root, id, ...rest] of referencesIn(file.steps)) {
      if (root === 'steps' && id !== undefined) this.#wanted.set(id, [...(this.#wanted.get(id) ?? []), rest]);
    }
  }

  states(list: StepList): [string, FlowState | FlowEnd][] {
    const { branch, steps } = list;
    const made = steps.flatMap((step, index) => this.#statesOf(step, index, list));
    if (!branch || !this.#fallsOff(steps)) return made;
    const id = endOfBranch(branch);
    const end = { id, end: 'succeeded', reason: `${branch.name} is done` } as const;
    return [...made, [id, this.#end(end, 'succeeded', `end of ${branch.name}`)]];
  }

  /** Whether its last step leads below it, or the step above does by one of its ways. */
  #fallsOff(steps: readonly FlowFileStep[]): boolean {
    const last = steps.at(-1)!;
    return last.end === undefined && typeof last.next !== 'string' && !endsOpen(last);
  }

  #statesOf(step: FlowFileStep, index: number, list: StepList): [string, FlowState | FlowEnd][] {
    const { id } = step;
    const about =
      step.about ?? step.tool ?? step.ask ?? step.approve ?? step.run ?? (step.parallel ? partsOf(step) : id);
    const onward = this.#onward(step, index, list);
    if (step.end !== undefined) return [[id, this.#end(step, step.end, about)]];
    const known = (facts: Facts, params: Readonly<Record<string, unknown>>) => this.#known(facts, params);
    if (step.wait !== undefined) return waitStates(step, { about, onward, known, ...this.#parts });
    const simple = { about, deadlineMs: GRACE_MS };
    if (step.branch)
      return [[id, { ...simple, on: { on: onward }, enter: async () => ({ event: 'on', reason: about }) }]];
    if (step.repeat !== undefined)
      return [
        [
          id,
          {
            ...simple,
            on: { again: step.repeat, over: onward },
            enter: async ({ facts, params }) => counted(step, facts, known(facts, params)),
          },
        ],
      ];
    const deadlineMs = step.deadline === undefined ? undefined : durationMs(step.deadline);
    const failing =
      step.on_error === undefined
        ? {}
        : { error: step.on_error, deadline: step.on_error, failed: step.on_error };
    const denied = step.on_denied === undefined ? {} : { denied: step.on_denied };
    const enter = (scope: FlowScope) => this.#tried(step, scope, deadlineMs);
    const retry = step.retries === undefined ? {} : { retry: { times: step.retries, ...RETRY } };
    const isAsked = step.ask !== undefined || step.approve !== undefined;
    const last = deadlineMs ?? (isAsked ? ASK_MS : this.#parts.deadlineMs);
    // Questions and other runs end by their own deadline; that of the step is the safety net behind it.
    const grace = step.tool === undefined ? GRACE_MS : 0;
    const on = { done: onward, ...denied, ...failing };
    return [[id, { about, deadlineMs: last + grace, enter, ...retry, on, ...parallelOf(step) }]];
  }

  /** Where a step leads that did what it is for. */
  #onward(
    step: FlowFileStep,
    index: number,
    { steps, branch }: StepList,
  ): string | readonly FlowTransition[] {
    if (typeof step.next === 'string') return step.next;
    const below = steps[index + 1]?.id ?? (branch && endOfBranch(branch));
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
    const { steps = {}, error = { message: 'see the log' }, loop: told, intent } = facts as Own;
    const { round = 1, findings = [] } = told ?? {};
    const loop = { round, findings: findings.join('\n') };
    return {
      params: { ...this.#parts.defaults, ...params },
      steps,
      error,
      loop,
      ...(intent ? { intent } : {}),
    };
  }

  /** Where a step says what follows an error, that is known there as {/error/message}. */
  async #tried(step: FlowFileStep, scope: FlowScope, deadlineMs: number | undefined): Promise<FlowStep> {
    try {
      const wanted = (id: string) => this.#wanted.get(id);
      return await acted(step, scope, { known: this.#known(scope.facts, scope.params), wanted, deadlineMs });
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'internal.fault', 'step', step.id);
      // Retries, aborts and a log that refuses are the engine's.
      const isEngines = step.retries !== undefined || scope.signal.aborted || isAnyRefusalOfLog(thrown);
      if (step.on_error === undefined || isEngines) throw thrown;
      const error = { step: step.id, code, message: message.slice(0, 400) };
      return { event: 'failed', reason: message, facts: { error } };
    }
  }

  #end(step: Pick<FlowFileStep, 'id' | 'reason'>, end: FlowEnd['end'], about: string): FlowEnd {
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

/** What its parts are called, for the drawing. */
function partsOf({ parallel = {}, until = 'all' }: FlowFileStep): string {
  return `${until} of ${Object.keys(parallel).join(', ')}`;
}

function parallelOf({ parallel, until = 'all' }: FlowFileStep): Pick<FlowState, 'parallel'> {
  if (!parallel) return {};
  const branches = Object.fromEntries(Object.entries(parallel).map(([name, steps]) => [name, steps[0]!.id]));
  return { parallel: { branches, until } };
}
