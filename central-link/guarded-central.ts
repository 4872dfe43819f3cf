import {
  type Central,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type NewEvent,
  type PolicyHook,
} from '../contract/core.ts';

export type GuardedCentralParts = {
  readonly robot: string;
  readonly central: Central;
  readonly hook: PolicyHook;
  /** For the log of the link: a decision that differs from the one before. */
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
};

/**
 * Central behind the policies on data that leaves the robot: asked before each batch. A denied batch stays in its lane,
 * in order, and is tried again later; nothing is lost and nothing is skipped.
 */
export class GuardedCentral implements Central {
  readonly #parts: GuardedCentralParts;
  /** Last decision of each lane, with the policies that made it. */
  readonly #told = new Map<string, string>();

  constructor(parts: GuardedCentralParts) {
    this.#parts = parts;
  }

  async push(batch: Parameters<Central['push']>[0]): ReturnType<Central['push']> {
    const { robot, hook, central } = this.#parts;
    const kinds = [...new Set(batch.events.map(({ kind }) => kind))].sort();
    const question: HookQuestion = {
      point: 'egress',
      subject: `central/${batch.lane}`,
      context: { tenant: 'local', principal: robot, roles: ['robot'], origin: 'central' },
      facts: { events: batch.events.length, kinds },
      about: { destination: 'central', lane: batch.lane, kind: 'events' },
    };
    const decision = await decide(hook, question);
    await this.#note(question, decision);
    if (decision.decision !== 'allow')
      throw new EdgeError('policy.denied', {
        operation: 'sync events',
        subject: batch.lane,
        message: `data may not leave: ${decision.reason}`,
        retryable: true,
      });
    return await central.push(batch);
  }

  watermark(...where: Parameters<Central['watermark']>): ReturnType<Central['watermark']> {
    return this.#parts.central.watermark(...where);
  }

  close(): Promise<void> {
    return this.#parts.central.close();
  }

  /** Once per change: a line for each batch would itself be shipped, forever. */
  async #note({ subject, point }: HookQuestion, answer: HookDecision): Promise<void> {
    const { decision, reason, policySha256, request, determining } = answer;
    const told = `${decision} ${policySha256} ${reason}`;
    if (this.#told.get(subject) === told) return;
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
    this.#told.set(subject, told);
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
