import {
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type NewEvent,
  type PolicyHook,
  ROBOT_ROLES,
} from '../contract/core.ts';

export type EgressGuardParts = {
  readonly robot: string;
  readonly hook: PolicyHook;
  /** For the log of the link: a decision that differs from the one before. */
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
};

/** The policies on data that leaves the robot, for the lanes of the link. */
export class EgressGuard {
  readonly #parts: EgressGuardParts;
  /** Last decision of each lane, with the policies that made it. */
  readonly #noted = new Map<string, string>();

  constructor(parts: EgressGuardParts) {
    this.#parts = parts;
  }

  /** Rejects with `policy.denied`, which is to be tried again, where data of this lane may not leave. */
  async require(lane: string, kind: 'events' | 'files', facts: HookQuestion['facts']): Promise<void> {
    const { robot, hook } = this.#parts;
    const question: HookQuestion = {
      point: 'egress',
      subject: `central/${lane}`,
      context: { tenant: 'local', principal: robot, roles: [...ROBOT_ROLES], origin: 'central' },
      facts,
      about: { destination: 'central', lane, kind },
    };
    const decision = await decide(hook, question);
    await this.#note(question, decision);
    if (decision.decision !== 'allow')
      throw new EdgeError('policy.denied', {
        operation: `sync ${kind}`,
        subject: lane,
        message: `data may not leave: ${decision.reason}`,
        retryable: true,
      });
  }

  /** Once per change: a line for each batch would itself be shipped, forever. */
  async #note({ subject, point }: HookQuestion, answer: HookDecision): Promise<void> {
    const { decision, reason, policySha256, request, determining } = answer;
    const said = `${decision} ${policySha256} ${reason}`;
    if (this.#noted.get(subject) === said) return;
    await this.#parts.emit([
      {
        kind: 'policy.decided',
        payload: {
          ...{
            hook: this.#parts.hook.name,
            point,
            subject,
            decision,
            reason: reason.slice(0, 512),
            duration_us: 0,
          },
          ...(policySha256 === undefined ? {} : { policy_sha256: policySha256 }),
          ...(request === undefined ? {} : { request: { ...request } }),
          ...(determining === undefined ? {} : { determining: [...determining] }),
        },
      },
    ]);
    this.#noted.set(subject, said);
  }
}

/**
 * A hook that fails denies. The link tries again later. No person can be asked here, so "needs approval" denies too.
 */
async function decide(hook: PolicyHook, question: HookQuestion): Promise<HookDecision> {
  try {
    return await hook.decide(question);
  } catch (thrown) {
    return {
      decision: 'deny',
      reason: `the hook failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    };
  }
}
