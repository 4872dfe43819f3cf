import {
  type Clock,
  EdgeError,
  type LanguageModel,
  type ModelAnswer,
  type ModelMessage,
  type PlanAnswer,
  type Planner,
  type PlanRequest,
} from '../../../contract/index.ts';
import type { Plan } from '../../../contract/plan.ts';
import { type PlanRules, planFaults } from './plan-check.ts';
import { mendMessage, planMessages } from './plan-prompt.ts';
import { planSchema } from './plan-schema.ts';

export type PlannerOptions = {
  readonly clock: Clock;
  readonly stepsMax: number;
  /** Robot time of all steps together, milliseconds. */
  readonly budgetMs: number;
  /** Answers of models that are looked at for one plan: what is wrong with one is sent for the next. */
  readonly answersMax: number;
  readonly maxTokens: number;
};

/**
 * Plans by a language model. The answer is held to a schema of nothing but what is offered and known, by the server
 * where it can, and is checked again here: a server that ignores a constraint makes no plan.
 */
export class LlmPlanner implements Planner {
  readonly #model: LanguageModel;
  readonly #options: PlannerOptions;

  constructor(model: LanguageModel, options: PlannerOptions) {
    this.#model = model;
    this.#options = options;
  }

  async plan(request: PlanRequest): Promise<PlanAnswer> {
    const { clock, answersMax, budgetMs } = this.#options;
    const stepsMax = Math.min(request.stepsMax ?? this.#options.stepsMax, this.#options.stepsMax);
    const rules: PlanRules = { subgoals: request.subgoals, world: request.world, stepsMax, budgetMs };
    if (request.subgoals.length === 0)
      throw unplanned('no subgoal is offered: there is nothing to plan with');
    const until = clock.monotonicMs() + request.deadlineMs;
    const messages: ModelMessage[] = [...planMessages(request)];
    let faults: readonly string[] = [];
    for (let asked = 1; asked <= answersMax; asked++) {
      const leftMs = until - clock.monotonicMs();
      if (leftMs <= 0) throw late(request.goal);
      const answer = await this.#ask(request, messages, stepsMax, asked, leftMs).catch((thrown: unknown) => {
        // One that does not fit is as good as a plan with faults: it may do better when it gets the faults.
        if (thrown instanceof EdgeError && thrown.code === 'model.failed' && asked < answersMax)
          return thrown;
        throw thrown;
      });
      if (answer instanceof EdgeError) {
        faults = [answer.message];
        messages.push(mendMessage(faults));
        continue;
      }
      const plan = named(request.goal, answer.json);
      faults = planFaults(plan, rules);
      if (faults.length === 0) return told(plan as Plan, answer);
      messages.push({ role: 'assistant', text: answer.text }, mendMessage(faults));
    }
    throw unplanned(`no plan that can be carried out came: ${faults.join('; ')}`);
  }

  #ask(
    request: PlanRequest,
    messages: readonly ModelMessage[],
    stepsMax: number,
    asked: number,
    leftMs: number,
  ): Promise<ModelAnswer> {
    const { subgoals, world, need, signal, traceparent } = request;
    const limits = { stepsMax, deadlineMsMax: this.#options.budgetMs };
    return this.#model.complete(
      {
        messages,
        answerSchema: planSchema(subgoals, world, limits),
        maxTokens: this.#options.maxTokens,
        // The same question again would get the same answer from a cache.
        temperature: asked === 1 ? 0 : 0.7,
        seed: asked,
        deadlineMs: Math.max(1, Math.floor(leftMs)),
        purpose: 'plan',
        ...(need === undefined ? {} : { need }),
      },
      { ...(signal ? { signal } : {}), ...(traceparent === undefined ? {} : { traceparent }) },
    );
  }
}

/** Steps get their names here: a model that gives two of them the same one makes no fault by it. */
function named(goal: string, json: unknown): unknown {
  const { steps } = (json ?? {}) as { readonly steps?: unknown };
  if (!Array.isArray(steps)) return { goal, steps };
  return {
    goal,
    steps: steps.map((step: unknown, index) =>
      typeof step === 'object' && step !== null ? { step_id: `step-${index + 1}`, ...step } : step,
    ),
  };
}

function told(plan: Plan, { model, modelId, tokensIn, tokensOut }: ModelAnswer): PlanAnswer {
  return { plan, model, modelId, tokensIn, tokensOut };
}

function unplanned(message: string): EdgeError {
  return new EdgeError('model.failed', {
    operation: 'plan',
    subject: 'plan',
    message: message.slice(0, 2_000),
  });
}

function late(goal: string): EdgeError {
  return new EdgeError('deadline.exceeded', {
    operation: 'plan',
    subject: goal.slice(0, 128),
    message: 'no plan by the deadline',
  });
}
