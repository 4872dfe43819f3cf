import {
  EdgeError,
  type Harness,
  type NewEvent,
  type RunContext,
  type RunOutcome,
} from '../../../contract/index.ts';
import type { PlanAsk, PlanStep } from '../../../contract/plan.ts';
import { type Made, type MakerParts, PlanMaker } from './plan-maker.ts';
import { ATTEMPTS_MAX, moveAfter } from './plan-moves.ts';
import { BEGIN, type PlanPosition, replanned, withFailure } from './plan-position.ts';
import { knownFacts, runStep, type StepEnd } from './step-runner.ts';
import type { WatchParts } from './step-watch.ts';

export type PlanHarnessParts = MakerParts & WatchParts;

const PLANNING = 'planning';
const EXECUTING = 'executing';

/**
 * Carries out plans: makes one (or takes that of the caller), checks it against the world and the policies, follows it
 * step by step through the gate, and asks for another one, with the reason, where a step fails. Each phase is durable
 * with all that the plan has come to before anything of it happens; after a cut the last one is entered again.
 */
export class PlanHarness implements Harness {
  readonly kind = 'flow';
  readonly #parts: PlanHarnessParts;
  readonly #maker: PlanMaker;

  constructor(parts: PlanHarnessParts) {
    this.#parts = parts;
    this.#maker = new PlanMaker(parts);
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const ask = context.intent.params as PlanAsk;
    let position = await this.#begin(context);
    let first = context.resume?.phase === EXECUTING;
    for (;;) {
      if (!position.plan) {
        const made = await this.#make(context, position);
        if ('status' in made) return made;
        position = made;
        first = true;
      }
      // Here and not where it was made: an interrupted run comes back with its plan.
      if (ask.dry_run === true) return drawn(position);
      const step = position.plan?.steps[position.at];
      if (!step) return reached(position);
      const resumed = first && context.resume?.phase === EXECUTING && position.attempt > 0;
      first = false;
      const { next, outcome } = await this.#step(context, position, step, resumed);
      if (outcome) return outcome;
      position = next;
    }
  }

  async #begin(context: RunContext): Promise<PlanPosition> {
    const { resume } = context;
    if (resume) return { ...BEGIN, ...(resume.facts as Partial<PlanPosition>) };
    await context.emit([phase(context, PLANNING, BEGIN, 'begin')]);
    return BEGIN;
  }

  /** The next plan, or how the run ends without one. */
  async #make(context: RunContext, from: PlanPosition): Promise<PlanPosition | RunOutcome> {
    let position = from;
    for (;;) {
      const made = await this.#maker.make(context, position);
      if (!('refused' in made)) return await this.#made(context, position, made);
      const { step, reason } = made.refused;
      const left = this.#replansMax(context) - position.replans;
      if (left <= 0 || !this.#canReplan(context))
        throw new EdgeError(reason.startsWith('quota.') ? 'quota.exceeded' : 'policy.denied', {
          operation: 'plan',
          subject: step.subgoal,
          message: `a step of the plan is not allowed: ${reason}`.slice(0, 2_000),
        });
      position = replanned(withFailure(position, step, reason));
      await context.emit([
        {
          kind: 'plan.replanned',
          run_id: context.runId,
          payload: { revision: position.revision, reason: reason.slice(0, 512), left: left - 1 },
        },
        phase(context, PLANNING, position, `${step.subgoal} is not allowed`),
      ]);
    }
  }

  async #made(context: RunContext, from: PlanPosition, made: Made): Promise<PlanPosition | RunOutcome> {
    const { plan, by, model, modelId, dropped } = made;
    if (!plan) {
      const summary = { ...figures(from), dropped: [...dropped] };
      return { status: 'succeeded', reason: 'the goal is reached already', score: 1, summary };
    }
    const position: PlanPosition = { ...from, plan, at: 0, attempt: 1, model };
    const told: NewEvent = {
      kind: 'plan.made',
      run_id: context.runId,
      payload: {
        revision: position.revision,
        plan,
        by,
        ...(model === '' ? {} : { model: model.slice(0, 256), model_id: modelId.slice(0, 256) }),
        dropped: [...dropped],
      },
    };
    const dry = (context.intent.params as PlanAsk).dry_run === true;
    const next = plan.steps[0]!;
    await context.emit([
      told,
      phase(context, EXECUTING, position, `${plan.steps.length} steps`),
      ...(dry ? [] : [started(context, position, next)]),
    ]);
    return position;
  }

  /** One step and what follows it. Its end, and the start of the next one, are one append. */
  async #step(
    context: RunContext,
    position: PlanPosition,
    step: PlanStep,
    resumed: boolean,
  ): Promise<{ readonly next: PlanPosition; readonly outcome?: RunOutcome }> {
    const { runId, signal } = context;
    await context.unpaused();
    const offered = this.#maker.offered(context, await knownFacts(context));
    const subgoal = offered.find(({ name }) => name === step.subgoal);
    const end = await runStep(context, step, subgoal, this.#parts);
    if (signal.aborted) throw new EdgeError('run.cancelled', { operation: 'plan', subject: runId });
    const left = this.#canReplan(context) ? this.#replansMax(context) - position.replans : 0;
    // A pause stops what moves: that is no fault of the step, it is started again when the run continues.
    const paused = end.outcome === 'failed' && end.paused;
    const cut = isCut(end);
    const again = (paused && position.attempt < ATTEMPTS_MAX) || (resumed && cut && position.attempt === 1);
    // What somebody else's tool may have done is not done again: a retry would be just that.
    const never = cut && !isOfHouse(context, step);
    const fallback = never && step.fallback === 'retry' ? 'replan' : step.fallback;
    const move = again && !never ? 'again' : moveAfter(end.outcome, fallback, position.attempt, left);
    const over = ended(context, position, step, end, move === 'skip');
    switch (move) {
      case 'next':
      case 'skip': {
        const counted =
          move === 'next'
            ? { ...position, done: position.done + 1 }
            : { ...position, skipped: position.skipped + 1 };
        const next = { ...counted, at: position.at + 1, attempt: 1 };
        await this.#goOn(context, next, over, `${step.step_id} ${end.outcome}`);
        return { next };
      }
      case 'again': {
        const next = { ...position, attempt: position.attempt + 1 };
        await this.#goOn(context, next, over, `${step.step_id} again: ${end.reason}`);
        return { next };
      }
      case 'replan': {
        const next = replanned(withFailure(position, step, end.reason));
        const payload = {
          revision: next.revision,
          step_id: step.step_id,
          reason: end.reason,
          left: Math.max(0, left - 1),
        };
        await context.emit([
          over,
          { kind: 'plan.replanned', run_id: runId, payload },
          phase(context, PLANNING, next, `${step.step_id} failed: ${end.reason}`),
        ]);
        return { next };
      }
      case 'fail': {
        await context.emit([over]);
        return { next: position, outcome: failed(position, step, end) };
      }
    }
  }

  async #goOn(context: RunContext, next: PlanPosition, over: NewEvent, reason: string): Promise<void> {
    const step = next.plan?.steps[next.at];
    await context.emit([
      over,
      phase(context, EXECUTING, next, reason),
      ...(step ? [started(context, next, step)] : []),
    ]);
  }

  #replansMax(context: RunContext): number {
    return (context.intent.params as PlanAsk).replans_max ?? this.#parts.rules.replansMax;
  }

  /** Another plan needs somebody who makes it. */
  #canReplan({ model }: RunContext): boolean {
    return model !== undefined;
  }
}

/** An interrupted step is started again, once: what it left open says that it was interrupted. */
function isCut({ outcome, reason }: StepEnd): boolean {
  return outcome === 'failed' && reason.startsWith('run.interrupted');
}

/**
 * A motion of the robot that happened twice is seen and bounded; what a tool of somebody else did in the world is not
 * for us to do again.
 */
function isOfHouse({ toolBox }: RunContext, { subgoal }: PlanStep): boolean {
  const tool = toolBox.specs().find(({ name }) => name === subgoal);
  return tool === undefined || tool.origin === 'house';
}

function phase(context: RunContext, name: string, position: PlanPosition, reason: string): NewEvent {
  const facts = JSON.parse(JSON.stringify(position)) as Record<string, unknown>;
  return {
    kind: 'run.phase',
    run_id: context.runId,
    payload: { phase: name, reason: reason.slice(0, 512), facts },
  };
}

function started(context: RunContext, position: PlanPosition, step: PlanStep): NewEvent {
  return {
    kind: 'plan.step_started',
    run_id: context.runId,
    payload: {
      ...{ revision: position.revision, step_id: step.step_id, subgoal: step.subgoal },
      ...{ index: position.at, of: position.plan?.steps.length ?? 0, attempt: position.attempt },
    },
  };
}

function ended(
  context: RunContext,
  { revision, attempt }: PlanPosition,
  { step_id, subgoal }: PlanStep,
  { outcome, reason, facts }: StepEnd,
  skipped: boolean,
): NewEvent {
  return {
    kind: 'plan.step_ended',
    run_id: context.runId,
    payload: {
      ...{ revision, step_id, subgoal, attempt, reason },
      outcome: skipped ? 'skipped' : outcome,
      facts: { ...facts },
    },
  };
}

function figures({ done, skipped, replans, plan, model }: PlanPosition): Record<string, unknown> {
  return {
    ...{ steps: plan?.steps.length ?? 0, done, skipped, replans },
    ...(model === '' ? {} : { model }),
  };
}

function drawn(position: PlanPosition): RunOutcome {
  const steps = position.plan?.steps.length ?? 0;
  return {
    status: 'succeeded',
    reason: `a plan of ${steps} steps, not carried out`,
    summary: { ...figures(position), plan: position.plan },
  };
}

function reached(position: PlanPosition): RunOutcome {
  const { done, skipped } = position;
  return {
    status: 'succeeded',
    reason: skipped === 0 ? 'every step is done' : `done, ${skipped} steps were skipped`,
    score: done / Math.max(1, done + skipped),
    summary: { ...figures(position), goal: position.plan?.goal ?? '' },
  };
}

function failed(position: PlanPosition, step: PlanStep, { reason }: StepEnd): RunOutcome {
  const { done, plan } = position;
  return {
    status: 'failed',
    reason: `${step.step_id} (${step.subgoal}) failed: ${reason}`.slice(0, 512),
    score: done / Math.max(1, done + (plan?.steps.length ?? 1) - position.at),
    summary: { ...figures(position), goal: plan?.goal ?? '', failed_step: step.step_id },
  };
}
