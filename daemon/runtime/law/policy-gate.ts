import {
  type ApprovalTerms,
  type Clock,
  canonicalJson,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  LIMITS,
  type NewEvent,
  type PolicyHook,
  withDeadline,
} from '../../../contract/index.ts';

export type Verdict = {
  /** Why it was refused. Undefined when every hook allowed it. */
  readonly refusal: EdgeError | undefined;
  /** One `policy.decided` for each hook that was asked. They are logged together with the judged call. */
  readonly events: readonly NewEvent[];
  /** Present where only the approval of a person is missing. */
  readonly approval?: ApprovalTerms & { readonly reason: string };
};

/** Terms for a hook that requires a person and gives no terms. */
const PLAIN_TERMS: ApprovalTerms = { timeoutMs: 5 * 60_000, roles: [] };
/** A larger request is logged without its facts, which are in the event of the call. */
const REQUEST_BYTES_MAX = 64 * 1024;

/** The word of the gate where a hook gave none; `isUnanswered` says that a later question may be answered. */
type Answer = HookDecision & { readonly isUnanswered?: boolean };

const DECISIONS = new Set(['allow', 'deny', 'needs_approval']);

/**
 * Asks the policy hooks in their order. The first denial decides. A person is asked only if no hook denies. A hook that
 * throws, is late or answers with anything but a decision denies. Hooks get a copy of the facts and cannot change them.
 * The refusal of an intent for lack of an answer is retryable: nothing was decided about it.
 */
export class PolicyGate {
  readonly #hooks: readonly PolicyHook[];
  readonly #clock: Clock;

  constructor(hooks: readonly PolicyHook[], clock: Clock) {
    this.#hooks = hooks;
    this.#clock = clock;
  }

  /** Never rejects. */
  async ask(question: HookQuestion, runId?: string): Promise<Verdict> {
    const events: NewEvent[] = [];
    let asks: (ApprovalTerms & { reason: string }) | undefined;
    let first: EdgeError | undefined;
    for (const hook of this.#hooks) {
      const began = this.#clock.monotonicMs();
      const answer = await this.#decision(hook, question);
      const took = this.#clock.monotonicMs() - began;
      events.push({
        kind: 'policy.decided',
        ...(runId === undefined ? {} : { run_id: runId }),
        payload: {
          hook: hook.name,
          point: question.point,
          subject: question.subject.slice(0, 256),
          decision: answer.decision,
          reason: answer.reason.slice(0, 512),
          duration_us: Math.max(0, Math.round(took * 1000)),
          ...noted(answer),
        },
      });
      if (answer.decision === 'deny') return { refusal: refusal(hook, question, answer), events };
      if (answer.decision === 'needs_approval') {
        // Later hooks are still asked: a person must not be asked about something that a later hook forbids.
        first ??= refusal(hook, question, answer);
        asks = stricter(asks, answer);
      }
    }
    return asks ? { refusal: first, events, approval: asks } : { refusal: undefined, events };
  }

  async #decision(hook: PolicyHook, question: HookQuestion): Promise<Answer> {
    const began = this.#clock.monotonicMs();
    try {
      // The hook may throw before it returns a promise, so the call is made inside the race.
      const asked = Promise.resolve().then(() => hook.decide(structuredClone(question)));
      const answer: unknown = await withDeadline(
        this.#clock,
        LIMITS.POLICY_HOOK_MS,
        asked,
        'policy-hook',
        hook.name,
      );
      // A hook that blocked this thread kept the timer from firing. It is late even so.
      if (this.#clock.monotonicMs() - began > LIMITS.POLICY_HOOK_MS) throw tooLate(hook);
      return checked(answer);
    } catch (thrown) {
      const late = thrown instanceof EdgeError && thrown.code === 'deadline.exceeded';
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      return {
        decision: 'deny',
        isUnanswered: late || (thrown instanceof EdgeError && thrown.retryable),
        reason: late
          ? `the hook gave no answer within ${LIMITS.POLICY_HOOK_MS} ms`
          : `the hook failed: ${message}`,
      };
    }
  }
}

function checked(answer: unknown): HookDecision {
  const given = (answer ?? {}) as Partial<HookDecision>;
  const { decision, reason } = given;
  if (typeof decision !== 'string' || !DECISIONS.has(decision)) {
    return { decision: 'deny', reason: 'the hook did not answer with a decision' };
  }
  return { ...given, decision, reason: typeof reason === 'string' ? reason : '' };
}

/** Joins the terms of two hooks that require a person: the shorter wait, and only roles that both name. */
function stricter(known: (ApprovalTerms & { reason: string }) | undefined, answer: HookDecision) {
  const next = answer.approval ?? PLAIN_TERMS;
  if (!known) return { ...next, reason: answer.reason };
  const either = known.roles.length === 0 ? next.roles : known.roles;
  const both = known.roles.filter((role) => next.roles.includes(role));
  const roles = known.roles.length === 0 || next.roles.length === 0 ? either : both;
  return {
    timeoutMs: Math.min(known.timeoutMs, next.timeoutMs),
    // No single person can satisfy both hooks. `nobody` is no role, so no person can approve.
    roles: roles.length === 0 && either.length > 0 ? ['nobody'] : roles,
    reason: `${known.reason}; ${answer.reason}`,
  };
}

/** The part of a decision that is logged besides its outcome. Values of a hook that do not fit are left out. */
function noted({ policySha256, request, determining, app }: HookDecision): object {
  return {
    ...(typeof policySha256 === 'string' && /^[0-9a-f]{64}$/.test(policySha256)
      ? { policy_sha256: policySha256 }
      : {}),
    ...(request === undefined ? {} : { request: bounded(request) }),
    ...(Array.isArray(determining)
      ? { determining: determining.slice(0, 64).map((id) => String(id).slice(0, 256)) }
      : {}),
    ...(typeof app === 'string' ? { app: app.slice(0, 128) } : {}),
  };
}

function bounded(request: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    if (Buffer.byteLength(canonicalJson(request)) <= REQUEST_BYTES_MAX) return { ...request };
  } catch {
    // The facts come from outside and may be no JSON.
  }
  const { facts: _, ...rest } = request;
  try {
    const text = canonicalJson(rest);
    return Buffer.byteLength(text) <= REQUEST_BYTES_MAX ? { ...rest, facts_left_out: true } : {};
  } catch {
    return {};
  }
}

function tooLate(hook: PolicyHook): EdgeError {
  return new EdgeError('deadline.exceeded', { operation: 'policy-hook', subject: hook.name });
}

function refusal(hook: PolicyHook, question: HookQuestion, answer: Answer): EdgeError {
  // Calls of a run keep their plain refusal, which its replay repeats from the recorded decision.
  const isUndecided = answer.isUnanswered === true && question.point === 'intent';
  const code = answer.decision === 'deny' ? (answer.code ?? 'policy.denied') : 'policy.needs_approval';
  return new EdgeError(code, {
    operation: `policy-${question.point}`,
    subject: question.subject,
    message: `${hook.name}: ${answer.reason === '' ? answer.decision : answer.reason}`,
    ...(isUndecided ? { retryable: true, hint: 'nothing was decided: send it again' } : {}),
  });
}
