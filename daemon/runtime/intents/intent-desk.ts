import { createHash } from 'node:crypto';
import {
  type Application,
  type Checker,
  type Clock,
  canonicalJson,
  checker,
  EdgeError,
  fieldsOf,
  fromWireTime,
  type IdSource,
  type Intent,
  type IntentRequest,
  intentRequestChecker,
  LIMITS,
  type NewEvent,
  NORMAL_PRIORITY,
  type PolicyContext,
} from '../../../contract/index.ts';
import type { PolicyGate, Verdict } from '../law/policy-gate.ts';
import { safeCopy } from './json-safety.ts';

export type Judged =
  | {
      readonly accepted: true;
      readonly intent: Intent;
      readonly app: Application;
      readonly events: readonly NewEvent[];
      /** A person has to agree before its first step. */
      readonly approval: Verdict['approval'];
    }
  | { readonly accepted: false; readonly error: EdgeError; readonly events: readonly NewEvent[] };

/** A checked request and the application that serves it; nothing was decided yet. */
export type Admitted = { readonly intent: Intent; readonly app: Application };

/** Envelope of a request around its params. */
const ENVELOPE_BYTES_MAX = 16 * 1024;

/**
 * Where intents come in. `admit` is strict and raw: nothing is coerced, unknown fields are refused, and each
 * refusal names the path. `judge` asks the hooks. Neither writes anything: the cell appends what they return.
 */
export class IntentDesk {
  readonly #robot: string;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #hooks: PolicyGate;
  readonly #whyNot: (type: string) => string | undefined;
  #served: ReadonlyMap<string, { readonly app: Application; readonly params: Checker<unknown> }> = new Map();

  constructor(
    parts: {
      readonly robot: string;
      readonly clock: Clock;
      readonly ids: IdSource;
      readonly hooks: PolicyGate;
      /** Why an application that would serve this type takes no intents; undefined where none would. */
      readonly whyNot?: ((type: string) => string | undefined) | undefined;
    },
    apps: readonly Application[],
  ) {
    this.#robot = parts.robot;
    this.#clock = parts.clock;
    this.#ids = parts.ids;
    this.#hooks = parts.hooks;
    this.#whyNot = parts.whyNot ?? (() => undefined);
    this.serve(apps);
  }

  /** From now on these serve intents. Throws `config.invalid`, and nothing has changed then. */
  serve(apps: readonly Application[]): void {
    const served = new Map<string, { readonly app: Application; readonly params: Checker<unknown> }>();
    for (const app of apps) {
      for (const spec of app.intents) {
        const other = served.get(spec.type);
        if (other) throw twice(spec.type, other.app.name, app.name);
        served.set(spec.type, { app, params: checker(spec.params) });
      }
    }
    this.#served = served;
  }

  /** Throws `schema.invalid`, `intent.unknown_type` or `run.not_supported`. */
  admit(raw: unknown, context: PolicyContext): Admitted {
    const limit = LIMITS.INTENT_PARAMS_BYTES_MAX;
    const copy = safeCopy(raw, limit + ENVELOPE_BYTES_MAX, 'intent');
    const request: IntentRequest = intentRequestChecker.parse(copy, 'intent');
    const served = this.#served.get(request.type);
    if (!served) throw this.#unknownType(request.type);
    const params = request.params ?? {};
    const bytes = Buffer.byteLength(canonicalJson(params));
    if (bytes > limit) throw invalid(`/params: ${bytes} bytes, at most ${limit} are allowed`);
    const fault = served.params.fault(params);
    if (fault !== undefined) throw invalid(`/params${fault}`);
    if (request.attended === true && served.app.harness !== 'pi') throw unattended(request.type);
    const targets = request.targets ?? [];
    if (targets.length > 0 && !targets.includes(this.#robot)) {
      throw invalid(`/targets: this robot is ${this.#robot}, found ${targets.join(', ')}`);
    }
    const intent: Intent = {
      intent_id: this.#ids.next(),
      type: request.type,
      params,
      policy_ctx: context,
      targets,
      priority: request.priority ?? NORMAL_PRIORITY,
      ...(request.deadline === undefined ? {} : { deadline: request.deadline }),
      ...(request.idempotency_key === undefined ? {} : { idempotency_key: request.idempotency_key }),
      ...(request.attended === undefined ? {} : { attended: request.attended }),
      ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
    };
    return { intent, app: served.app };
  }

  /** The hooks' word on an admitted intent, with the events to log. Never rejects. */
  async judge({ intent, app }: Admitted): Promise<Judged> {
    const verdict = await this.#hooks.ask({
      point: 'intent',
      subject: intent.type,
      about: { app: app.name, intent: intent.type, intent_id: intent.intent_id },
      context: intent.policy_ctx,
      facts: { type: intent.type, params: intent.params, targets: intent.targets, priority: intent.priority },
    });
    const { refusal, events, approval } = verdict;
    return refusal && !approval
      ? { accepted: false, error: refusal, events }
      : { accepted: true, intent, app, events, approval };
  }

  /** Throws `intent.expired`. */
  refuseExpired(intent: Intent): void {
    if (intent.deadline === undefined || fromWireTime(intent.deadline) > this.#clock.now()) return;
    throw new EdgeError('intent.expired', {
      operation: 'submit',
      subject: intent.type,
      message: `/deadline: ${intent.deadline} has passed`,
    });
  }

  #unknownType(type: string): EdgeError {
    const known = [...this.#served.keys()];
    const why = this.#whyNot(type);
    return new EdgeError('intent.unknown_type', {
      operation: 'submit',
      subject: type,
      message: `/type: no application serves ${type}${why === undefined ? '' : `: ${why}`}`,
      hint: known.length > 0 ? `served: ${known.join(', ')}` : 'no application is loaded',
    });
  }
}

/** What makes two requests the same: everything that was asked, without the ids that we gave it. */
export function intentBody(intent: Intent): string {
  const { type, params, targets, priority, deadline, attended } = intent;
  return createHash('sha256')
    .update(canonicalJson({ type, params, targets, priority, deadline, ...(attended ? { attended } : {}) }))
    .digest('hex');
}

/** Keys belong to their sender: one principal cannot find or block another's. */
export function keyOf(intent: Intent): string | undefined {
  if (intent.idempotency_key === undefined) return undefined;
  const { tenant, principal } = intent.policy_ctx;
  return JSON.stringify([tenant, principal, intent.idempotency_key]);
}

/** The intent of the general agent, which gets the words of a person as they are. */
const TO_AGENT = 'robot/chat';

/** The first words of a person to an agent, of a request that was not checked yet. */
export function wordsToAgent(request: unknown): unknown {
  const { type, attended, params } = fieldsOf(request);
  return attended === true || type === TO_AGENT ? fieldsOf(params)['words'] : undefined;
}

/** What a person is asked where an intent needs an approval. */
export function questionOf<T>(runId: string, { type, params, policy_ctx: context }: Intent, terms: T) {
  return { runId, point: 'intent', subject: type, facts: { params }, context, terms } as const;
}

/** The event of a refused request, whatever it was. */
export function refusedEvent(raw: unknown, error: EdgeError): NewEvent {
  const type = (raw as { type?: unknown } | null | undefined)?.type;
  return {
    kind: 'intent.refused',
    payload: { type: typeof type === 'string' ? type.slice(0, 256) : '', error: error.toBody() },
  };
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'check', subject: 'intent', message });
}

/** Its run takes no messages, not even a stop. */
function unattended(type: string): EdgeError {
  return new EdgeError('run.not_supported', {
    operation: 'submit',
    subject: type,
    message: `/attended: no agent serves ${type}, so its run takes no messages`,
    hint: `send it as an intent: auraison intent send ${type}`,
  });
}

function twice(type: string, first: string, second: string): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'load-applications',
    subject: type,
    message: `intent type ${type} is served by both ${first} and ${second}`,
  });
}

/** Throws `internal.fault` where the function of the application does. */
export function concurrencyKey({ app, intent }: Admitted): string | undefined {
  try {
    const key: unknown = app.sharing?.concurrencyKey?.(intent.params);
    if (key === undefined || key === '') return undefined;
    if (typeof key === 'string') return key.slice(0, 256);
    throw new Error(`concurrencyKey gave ${typeof key} where text is expected`);
  } catch (thrown) {
    throw EdgeError.from(thrown, 'internal.fault', 'concurrency key', app.name);
  }
}

/** The error of a key that was used for another intent. */
export function duplicate(intent: Intent): EdgeError {
  return new EdgeError('intent.duplicate', {
    operation: 'submit',
    subject: intent.type,
    message: `/idempotency_key: ${intent.idempotency_key} was used for another intent`,
    hint: 'use a new key for a new intent',
  });
}
