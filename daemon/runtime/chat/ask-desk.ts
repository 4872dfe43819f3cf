import {
  type Application,
  type AskApi,
  type AskIntent,
  type AskPlan,
  type ChatApi,
  type Clock,
  checker,
  EdgeError,
  type IdSource,
  isStopOrder,
  type ModelAnswer,
  type NamedPlace,
  type PolicyContext,
  parseJson,
  type StopCount,
  type Submitted,
  toWireTime,
  type Wanted,
} from '../../../contract/index.ts';
import { preempted } from '../law/preempted.ts';
import { type Meant, meant, sayable } from './ask-phrases.ts';
import { type AskChoice, askMessages, choicesFor, isRelative, NONE } from './ask-prompt.ts';

export type AskParts = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly chat: ChatApi;
  /** Applications that take intents now. */
  readonly apps: () => readonly Application[];
  readonly submit: (request: unknown, who: PolicyContext) => Promise<Submitted>;
  /** Places of the map that have names. */
  readonly places: readonly NamedPlace[];
  readonly stops: Pick<StopCount, 'now' | 'since'>;
  /** Whether a run of this type of intent may move the robot; unknown: true. */
  readonly moves: (type: string) => boolean;
  /** Stops the robot and every run. Rejects where the order may not have reached the robot. */
  readonly stop: (reason: string, by: string) => Promise<Stopped>;
};

type Stopped = { readonly confirmed: boolean; readonly warnings: readonly string[] };

/** A plan waits this long for its confirmation, milliseconds. */
const PLAN_MS = 5 * 60_000;
const MODEL_MS = 60_000;
/** Beyond this the oldest plans are forgotten. */
const PLANS_MAX = 256;
const AGENT = 'robot/chat';
const TOKENS = 512;

const NOTHING = {
  name: NONE,
  description: 'It is a question, or none of the others does exactly this',
  parameters: { type: 'object', properties: {}, additionalProperties: false },
};

type Waiting = {
  readonly plan: AskIntent;
  readonly who: PolicyContext;
  readonly untilMs: number;
  readonly wanted: Wanted;
};

/**
 * Words of a person as an intent. An order to stop is carried out. Otherwise the phrases of applications are matched,
 * and where none fits a model chooses. What was found is checked, shown, and done when it is confirmed.
 */
export class AskDesk implements AskApi {
  readonly #parts: AskParts;
  readonly #waiting = new Map<string, Waiting>();

  constructor(parts: AskParts) {
    this.#parts = parts;
  }

  async plan(words: string, who: PolicyContext, signal?: AbortSignal): Promise<AskPlan> {
    const { ids, apps, places, stop, stops } = this.#parts;
    if (isStopOrder(words)) {
      const stopped = await stop(`"${words.slice(0, 64)}"`, who.principal);
      return {
        ask_id: ids.next<string>(),
        words,
        kind: 'stopped',
        reason: 'it is an order to stop',
        ...stopped,
      };
    }
    const found = meant(words, apps(), places);
    if (found.length === 0) {
      const wanted = stops.now();
      const chosen = await this.#chosen(words, who, signal);
      // What was thought meanwhile counts, unless it would move the robot.
      if (this.#isStopped(wanted, chosen)) throw preempted('ask', words);
      return this.#kept(chosen, words, who, wanted);
    }
    const plans = found.map((one) => this.#kept(said(one), words, who));
    if (plans.length === 1) return plans[0]!;
    const reason = `the words mean ${plans.length} things: choose one, or say more`;
    return { ask_id: ids.next<string>(), words, kind: 'unclear', reason, candidates: plans };
  }

  #isStopped(wanted: Wanted, { intent: { type } }: Pick<AskIntent, 'intent'>): boolean {
    const { stops, moves } = this.#parts;
    return stops.since(wanted, { moves: () => moves(type) });
  }

  /** Remembered until it is confirmed, or for its time. */
  #kept(chosen: Chosen, words: string, who: PolicyContext, wanted = this.#parts.stops.now()): AskIntent {
    const { clock, ids } = this.#parts;
    const plan: AskIntent = {
      ...{ ask_id: ids.next<string>(), words, ...chosen },
      expires_ts: toWireTime(clock.now() + BigInt(PLAN_MS) * 1_000_000n),
    };
    if (this.#waiting.size >= PLANS_MAX) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(plan.ask_id, { plan, who, untilMs: clock.monotonicMs() + PLAN_MS, wanted });
    return plan;
  }

  /** What a model makes of words that no phrase fits. */
  async #chosen(words: string, who: PolicyContext, signal?: AbortSignal): Promise<Chosen> {
    const { chat, apps } = this.#parts;
    const choices = choicesFor(apps(), AGENT);
    const request: ChatRequest = {
      messages: askMessages(words),
      tools: [
        ...choices.map(({ name, description, parameters }) => ({ name, description, parameters })),
        NOTHING,
      ],
      toolChoice: 'auto',
      maxTokens: TOKENS,
      temperature: 0,
      deadlineMs: MODEL_MS,
      need: { tools: true },
    };
    const caller = `ask ${who.tenant}/${who.principal}`;
    const answer = await chat
      .complete({ caller, context: who, model: 'auto', request }, signal ? { signal } : {})
      .catch((thrown: unknown) => {
        throw this.#noModel(thrown);
      });
    const chosen = judged(words, answer, choices) ?? this.#agent(words, answer, choices);
    return { ...chosen, model: answer.model };
  }

  /** Where no model can choose, it is said what needs none. */
  #noModel(thrown: unknown): EdgeError {
    const error = EdgeError.from(thrown, 'internal.fault', 'ask', 'models');
    const { apps, places } = this.#parts;
    const examples = sayable(apps(), places);
    if (error.code !== 'model.unavailable' || examples === '') return error;
    return new EdgeError(error.code, {
      ...{ operation: 'ask', subject: error.subject, retryable: error.retryable, cause: thrown },
      message: `no phrase of an application fits these words, and no model can choose: ${error.message}`,
      hint: `without a model say for example ${examples}; docs/chat.md`,
    });
  }

  async confirm(askId: string, who: PolicyContext): Promise<Submitted> {
    const known = this.#waiting.get(askId);
    const theirs = known?.who.tenant === who.tenant && known.who.principal === who.principal;
    const { clock } = this.#parts;
    const isOver = !known || clock.monotonicMs() > known.untilMs || this.#isStopped(known.wanted, known.plan);
    if (isOver || !theirs)
      throw new EdgeError('intent.expired', {
        operation: 'confirm',
        subject: askId.slice(0, 64),
        message:
          'no plan of this id waits for you: it is older than five minutes, or the robot was stopped or the daemon started since',
        hint: 'ask again',
      });
    const { type, params } = known.plan.intent;
    return await this.#parts.submit({ type, params, idempotency_key: `ask:${askId}` }, who);
  }

  /** No application fits: the words go to the general agent. */
  #agent(words: string, answer: ModelAnswer, choices: readonly AskChoice[]): Chosen {
    const { apps } = this.#parts;
    const app = apps().find(({ intents }) => intents.some(({ type }) => type === AGENT));
    if (!app)
      throw new EdgeError('run.not_supported', {
        operation: 'ask',
        subject: 'words',
        message: `no application fits, and there is no general agent (${AGENT})`,
        hint: `there are: ${choices.map(({ type }) => type).join(', ') || 'none'}; auraison intent send`,
      });
    const about = app.intents.find(({ type }) => type === AGENT)!.description;
    const reason = faultOf(answer, choices) ?? 'no application fits';
    return { kind: 'agent', app: app.name, intent: { type: AGENT, params: { words } }, about, reason };
  }
}

type Chosen = Pick<AskIntent, 'kind' | 'app' | 'intent' | 'about' | 'reason' | 'model'>;
type ChatRequest = Parameters<ChatApi['complete']>[0]['request'];

/** The intent whose phrase the words are. */
function said({ choice: { type, app, description: about }, params }: Meant): Chosen {
  return { kind: 'intent', app, intent: { type, params }, about, reason: 'the words are a phrase of it' };
}

/** The intent that the model chose, where it holds against its schema and the words. */
function judged(words: string, answer: ModelAnswer, choices: readonly AskChoice[]): Chosen | undefined {
  const [call] = answer.toolCalls;
  const choice = choices.find(({ name }) => name === call?.name);
  const params = call && parsed(call.argumentsText);
  if (!choice || !params || checker(choice.params).fault(params) !== undefined) return undefined;
  // "Forward" is seen from where the robot stands; a place of the map is not what was said.
  if (isRelative(words) && choice.ofMap) return undefined;
  const { type, app, description } = choice;
  return { kind: 'intent', app, intent: { type, params }, about: description, reason: 'it fits the words' };
}

/** Why the choice of the model does not count; undefined: it chose none. */
function faultOf({ toolCalls }: ModelAnswer, choices: readonly AskChoice[]): string | undefined {
  const [call] = toolCalls;
  if (!call || call.name === NONE) return undefined;
  const choice = choices.find(({ name }) => name === call.name);
  if (!choice) return 'the model chose an application that is not there';
  const params = parsed(call.argumentsText);
  const fault = params && checker(choice.params).fault(params);
  if (!params || fault !== undefined) return `${choice.type} was chosen with parameters that do not fit it`;
  return `${choice.type} takes a place of the map, and the words are meant from where the robot stands`;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = parseJson(text === '' ? '{}' : text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said by faultOf
  }
  return undefined;
}
