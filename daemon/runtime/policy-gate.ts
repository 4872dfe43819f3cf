import {
  type Clock,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  LIMITS,
  type NewEvent,
  type PolicyHook,
  withDeadline,
} from '../../contract/index.ts';

export type Verdict = {
  /** Why not; undefined when every hook allowed it. */
  readonly refusal: EdgeError | undefined;
  /** One `policy.decided` per hook that was asked, to be logged with what it judged. */
  readonly events: readonly NewEvent[];
};

const DECISIONS = new Set(['allow', 'deny', 'needs_approval']);

/**
 * Asks the policy hooks in their order; the first that does not allow decides. A hook that throws, is late or
 * answers with anything but a decision denies. Hooks get a copy of the facts: they judge, they do not change.
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
    for (const hook of this.#hooks) {
      const began = this.#clock.monotonicMs();
      const answer = await this.#decision(hook, question);
      events.push({
        kind: 'policy.decided',
        ...(runId === undefined ? {} : { run_id: runId }),
        payload: {
          hook: hook.name,
          point: question.point,
          subject: question.subject.slice(0, 256),
          decision: answer.decision,
          reason: answer.reason.slice(0, 512),
          duration_us: Math.max(0, Math.round((this.#clock.monotonicMs() - began) * 1000)),
        },
      });
      if (answer.decision !== 'allow') return { refusal: refusal(hook, question, answer), events };
    }
    return { refusal: undefined, events };
  }

  async #decision(hook: PolicyHook, question: HookQuestion): Promise<HookDecision> {
    try {
      // The call itself may throw before it returns a promise: keep it inside the race.
      const asked = Promise.resolve().then(() => hook.decide(structuredClone(question)));
      const answer: unknown = await withDeadline(
        this.#clock,
        LIMITS.POLICY_HOOK_MS,
        asked,
        'policy-hook',
        hook.name,
      );
      return checked(answer);
    } catch (thrown) {
      const late = thrown instanceof EdgeError && thrown.code === 'deadline.exceeded';
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      return {
        decision: 'deny',
        reason: late
          ? `the hook gave no answer within ${LIMITS.POLICY_HOOK_MS} ms`
          : `the hook failed: ${message}`,
      };
    }
  }
}

function checked(answer: unknown): HookDecision {
  const { decision, reason } = (answer ?? {}) as Partial<HookDecision>;
  if (typeof decision !== 'string' || !DECISIONS.has(decision)) {
    return { decision: 'deny', reason: 'the hook did not answer with a decision' };
  }
  return { decision, reason: typeof reason === 'string' ? reason : '' };
}

function refusal(hook: PolicyHook, question: HookQuestion, answer: HookDecision): EdgeError {
  const code = answer.decision === 'deny' ? 'policy.denied' : 'policy.needs_approval';
  return new EdgeError(code, {
    operation: `policy-${question.point}`,
    subject: question.subject,
    message: `${hook.name}: ${answer.reason === '' ? answer.decision : answer.reason}`,
  });
}
