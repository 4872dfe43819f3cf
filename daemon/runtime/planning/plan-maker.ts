import {
  type Clock,
  EdgeError,
  type IntentSpec,
  type ModelNeed,
  type NewEvent,
  type Planner,
  type RunContext,
  type SubgoalSpec,
  type ToolImage,
  type WorldFacts,
} from '../../../contract/index.ts';
import type { Plan, PlanAsk } from '../../../contract/plan.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import { LlmPlanner } from './llm-planner.ts';
import { checkedAsk } from './plan-ask.ts';
import { planFaults, withoutDone } from './plan-check.ts';
import type { Failed, PlanPosition } from './plan-position.ts';
import { knownFacts } from './step-runner.ts';
import { type Subgoal, subgoalsOf } from './subgoals.ts';

export type PlanningRules = {
  /** Subgoals that this robot offers: tools and intents by name or pattern. */
  readonly subgoals: readonly string[];
  readonly stepsMax: number;
  readonly replansMax: number;
  /** Robot time that one plan may take, milliseconds. */
  readonly budgetMs: number;
  /** Wall time for making one plan, milliseconds. */
  readonly planMs: number;
  readonly answersMax: number;
  readonly maxTokens: number;
  /** Whether the model is shown what the camera sees. */
  readonly camera: 'auto' | 'never';
  readonly need: ModelNeed;
};

export type MakerParts = {
  readonly clock: Clock;
  readonly rules: PlanningRules;
  readonly intents: readonly IntentSpec[];
  /** Asked for each step before any of them is carried out. */
  readonly hooks: PolicyGate;
  /** Decisions of hooks, into the log. */
  readonly note: (events: readonly NewEvent[]) => Promise<void>;
};

export type Made = {
  /** Undefined: the goal is reached already. */
  readonly plan: Plan | undefined;
  readonly by: 'model' | 'caller';
  readonly model: string;
  readonly modelId: string;
  readonly dropped: readonly { readonly subgoal: string; readonly reason: string }[];
};

/** A plan that fits and may not be carried out: the step, and why. A planner may find another way. */
export type Refused = { readonly refused: Failed };

/** Makes plans that can and may be carried out: by a model or as the caller wrote them, checked against world and policies. */
export class PlanMaker {
  readonly #parts: MakerParts;
  /** Of runs that continue: what was asked stays as it is, and is asked about again for each plan and step. */
  readonly #asks = new WeakMap<object, PlanAsk>();

  constructor(parts: MakerParts) {
    this.#parts = parts;
  }

  /** Rejects as `Planner` does, and with `schema.invalid` for a plan of the caller that does not fit. */
  async make(context: RunContext, position: PlanPosition): Promise<Made | Refused> {
    const ask = this.#ask(context);
    const world = ask.world ?? (await knownFacts(context));
    const subgoals = this.offered(context, world);
    const own = ask.plan !== undefined && position.revision === 0 ? ask.plan : undefined;
    const made = own
      ? { plan: this.#checked(own, subgoals, world), model: '', modelId: '' }
      : await this.#planned(context, position, subgoals, world);
    const { plan, dropped } = withoutDone(made.plan, world);
    const by = own ? ('caller' as const) : ('model' as const);
    if (plan && !ask.subgoals) {
      const refused = await this.#forbidden(context, plan, subgoals);
      if (refused) return { refused };
    }
    return { plan, by, model: made.model, modelId: made.modelId, dropped };
  }

  /** What a plan of this run may use, as things are now. */
  offered(context: RunContext, world: WorldFacts): readonly Subgoal[] {
    const { subgoals } = this.#ask(context);
    if (subgoals) return subgoals.map((spec) => ({ ...spec, by: 'tool' }));
    const { rules, intents } = this.#parts;
    return subgoalsOf(context.toolBox.specs(), intents, rules.subgoals, world);
  }

  /** Checked here however it came, once: the intent may have been sent as any other. */
  #ask({ intent: { params } }: RunContext): PlanAsk {
    const known = this.#asks.get(params);
    if (known) return known;
    const ask = checkedAsk(params);
    this.#asks.set(params, ask);
    return ask;
  }

  #checked(plan: Plan, subgoals: readonly SubgoalSpec[], world: WorldFacts): Plan {
    const { stepsMax, budgetMs } = this.#parts.rules;
    const faults = planFaults(plan, { subgoals, world, stepsMax, budgetMs });
    if (faults.length === 0) return plan;
    throw new EdgeError('schema.invalid', {
      operation: 'check plan',
      subject: 'plan',
      message: `the plan cannot be carried out: ${faults.join('; ')}`,
    });
  }

  async #planned(
    context: RunContext,
    { failed }: PlanPosition,
    subgoals: readonly SubgoalSpec[],
    world: WorldFacts,
  ): Promise<{ plan: Plan; model: string; modelId: string }> {
    const { clock, rules } = this.#parts;
    const ask = context.intent.params as PlanAsk;
    const goal = ask.goal ?? ask.plan?.goal ?? '';
    if (!context.model) {
      throw new EdgeError('model.unavailable', {
        operation: 'plan',
        subject: goal.slice(0, 128),
        message: 'no model is configured that could plan',
        hint: '[[models]] in the configuration, see docs/models.md',
        retryable: false,
      });
    }
    const images = await this.#picture(context, ask);
    const planner: Planner = new LlmPlanner(context.model, {
      clock,
      stepsMax: rules.stepsMax,
      budgetMs: rules.budgetMs,
      answersMax: rules.answersMax,
      maxTokens: rules.maxTokens,
    });
    const plan = (shown: readonly ToolImage[]) =>
      planner.plan({
        goal,
        subgoals: subgoals.map(({ name, description, params }) => ({ name, description, params })),
        world,
        failed,
        ...(shown.length > 0 ? { images: shown } : {}),
        stepsMax: ask.steps_max ?? rules.stepsMax,
        deadlineMs: ask.deadline_ms ?? rules.planMs,
        need: { ...rules.need, ...(shown.length > 0 ? { vision: true } : {}) },
        signal: context.signal,
      });
    if (images.length === 0) return await plan([]);
    return await plan(images).catch((thrown: unknown) => {
      // No model that sees is available: a blind plan is better than none, except for a caller that requires images.
      const away = thrown instanceof EdgeError && thrown.code === 'model.unavailable';
      if (!away || ask.camera === true || context.signal.aborted) throw thrown;
      return plan([]);
    });
  }

  /** What the camera sees, where the model understands it; a robot without one is planned for by its facts. */
  async #picture(context: RunContext, ask: PlanAsk): Promise<readonly ToolImage[]> {
    const { camera } = this.#parts.rules;
    const wanted = ask.camera ?? camera === 'auto';
    if (!wanted || !context.toolBox.specs().some(({ name }) => name === 'robot.look')) return [];
    try {
      return (await context.toolBox.call('robot.look', {})).images ?? [];
    } catch (thrown) {
      // A caller that requires images gets no blind plan; else a blind plan is better than none.
      if (context.signal.aborted || ask.camera === true) throw thrown;
      return [];
    }
  }

  /** The first step that a policy does not let happen. What only needs a person is asked when its turn comes. */
  async #forbidden(
    context: RunContext,
    plan: Plan,
    subgoals: readonly Subgoal[],
  ): Promise<Failed | undefined> {
    const { hooks, note } = this.#parts;
    const { intent, runId, toolBox } = context;
    for (const step of plan.steps) {
      const by = subgoals.find(({ name }) => name === step.subgoal)?.by ?? 'tool';
      const subject = by === 'intent' ? 'run.delegate' : step.subgoal;
      const effect = toolBox.specs().find(({ name }) => name === subject)?.effect ?? 'actuate';
      const facts = by === 'intent' ? { intent: step.subgoal, params: step.params } : { ...step.params };
      // Not under the run: what a run decides by is done again from its record, and this is asked of the policies of now.
      const verdict = await hooks.ask({
        ...{ point: 'tool', subject, context: intent.policy_ctx, facts, runId },
        about: { effect, intent: intent.type },
      });
      if (verdict.events.length > 0) await note(verdict.events);
      if (verdict.refusal && !verdict.approval)
        return { step, reason: `${verdict.refusal.code}: ${verdict.refusal.message}` };
    }
    return undefined;
  }
}
