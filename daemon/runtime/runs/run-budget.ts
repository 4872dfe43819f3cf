import {
  EdgeError,
  isFinished,
  type LanguageModel,
  type ModelAnswer,
  type ModelHealth,
  type ModelInfo,
  type ModelOptions,
  type ModelRequest,
} from '../../../contract/index.ts';
import type { RunBudget, RunView } from './run-view.ts';

/** What runs have: undefined is without limit. */
export type Left = { readonly turns: number | undefined; readonly tokens: number | undefined };

/**
 * What a run has left: its budget, less what it spent, less what its children may spend, and of those that are over
 * what they did. So a tree never spends more than its root was given. `children` gives them whole. Pure.
 */
export function leftOf(view: RunView, children: (view: RunView) => readonly RunView[]): Left {
  const { budget } = view;
  if (budget.turns === undefined && budget.tokens === undefined)
    return { turns: undefined, tokens: undefined };
  const own = usedBy(view, children, false);
  return {
    turns: budget.turns === undefined ? undefined : Math.max(0, budget.turns - own.turns),
    tokens: budget.tokens === undefined ? undefined : Math.max(0, budget.tokens - own.tokens),
  };
}

/** What was spent in the tree below; of an unfinished run with a budget all that it was given, when `reserved`. */
function usedBy(
  view: RunView,
  children: (view: RunView) => readonly RunView[],
  reserved: boolean,
): Required<RunBudget> {
  let { turns, tokens } = view.spent;
  for (const child of children(view)) {
    const used = usedBy(child, children, !isFinished(child.state.status));
    turns += used.turns;
    tokens += used.tokens;
  }
  if (!reserved) return { turns, tokens };
  return {
    turns: Math.max(turns, view.budget.turns ?? 0),
    tokens: Math.max(tokens, view.budget.tokens ?? 0),
  };
}

/** What a run may spend that was given one budget and whose application sets another: the lesser; undefined: no limit. */
export function lesserBudget(
  given: RunBudget | undefined,
  own: RunBudget | undefined,
): RunBudget | undefined {
  if (!given || !own) return given ?? own;
  const turns = within(given.turns, own.turns);
  const tokens = within(given.tokens, own.tokens);
  return { ...(turns === undefined ? {} : { turns }), ...(tokens === undefined ? {} : { tokens }) };
}

/** The lesser of what is asked for and what is left. */
export function within(asked: number | undefined, left: number | undefined): number | undefined {
  if (asked === undefined) return left;
  return left === undefined ? asked : Math.min(asked, left);
}

export type Purse = {
  /** Calls of models that the log knows of this run. */
  turns(): number;
  /** What is left if at least so many calls were made. */
  left(turns: number): Left;
};

/** The model as a run has it: counted where the run has a budget. */
export function budgeted(
  model: LanguageModel | undefined,
  { state, budget }: Pick<RunView, 'state' | 'budget'>,
  purse: Purse | undefined,
): LanguageModel | undefined {
  const free = budget.turns === undefined && budget.tokens === undefined;
  return model && purse && !free ? new BudgetedModel(model, state.run_id, purse) : model;
}

/** A model for a run that has a budget: a call beyond it rejects with `run.budget`, an answer is cut to what is left. */
export class BudgetedModel implements LanguageModel {
  readonly #model: LanguageModel;
  readonly #runId: string;
  readonly #purse: Purse;
  /** Calls that were let through: a call is in the log only a moment later, and two at once are two. */
  #turns = 0;

  constructor(model: LanguageModel, runId: string, purse: Purse) {
    this.#model = model;
    this.#runId = runId;
    this.#purse = purse;
  }

  get info(): ModelInfo {
    return this.#model.info;
  }

  async complete(request: ModelRequest, options?: ModelOptions): Promise<ModelAnswer> {
    this.#turns = Math.max(this.#turns, this.#purse.turns());
    const { turns, tokens } = this.#purse.left(this.#turns);
    if (turns !== undefined && turns <= 0) throw this.#spent('calls of models');
    if (tokens !== undefined && tokens <= 0) throw this.#spent('tokens');
    this.#turns++;
    const maxTokens = tokens === undefined ? request.maxTokens : Math.min(request.maxTokens, tokens);
    return await this.#model.complete({ ...request, maxTokens }, options);
  }

  health(): Promise<ModelHealth> {
    return this.#model.health();
  }

  close(): Promise<void> {
    return this.#model.close();
  }

  #spent(what: string): EdgeError {
    return new EdgeError('run.budget', {
      operation: 'complete',
      subject: this.#runId,
      message: `this run has no ${what} left`,
    });
  }
}
