import type { PolicyContext } from '../intent.ts';

/** `approval`: may this person answer a question. */
export type HookPoint = 'intent' | 'tool' | 'model' | 'egress' | 'approval';

export type HookQuestion = {
  readonly point: HookPoint;
  readonly subject: string;
  readonly context: PolicyContext;
  /** The arguments of a tool, or the request of an intent. The content is not trusted. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** What the daemon itself knows: effect of a tool, intent of its run. Plain, trusted texts. */
  readonly about?: Readonly<Record<string, string>>;
  readonly runId?: string;
};

/** How a person is asked, where a policy requires that. */
export type ApprovalTerms = {
  /** Wall time without an answer that counts as a denial, milliseconds. */
  readonly timeoutMs: number;
  /** Only people with one of these roles may answer; empty: anybody whom a policy permits. */
  readonly roles: readonly string[];
};

export type HookDecision = {
  readonly decision: 'allow' | 'deny' | 'needs_approval';
  /** Without times and ids: equal questions give equal reasons. */
  readonly reason: string;
  /** Code of the refusal, where it is not `policy.denied`. */
  readonly code?: 'quota.exceeded' | 'lease.lost';
  /** Hash of the policies that judged. */
  readonly policySha256?: string;
  /** The complete question: enough to judge it again under other policies. */
  readonly request?: Readonly<Record<string, unknown>>;
  /** Ids of the policies that decided. */
  readonly determining?: readonly string[];
  /** The application whose package decided; absent: the site did. */
  readonly app?: string;
  /** Of `needs_approval`. */
  readonly approval?: ApprovalTerms;
};

/**
 * Asked before an intent is accepted, a tool or model is called, data leaves the robot, and somebody answers an
 * approval. A hook that throws, answers with anything else, or is later than `LIMITS.POLICY_HOOK_MS` denies.
 */
export interface PolicyHook {
  readonly name: string;
  decide(question: HookQuestion): Promise<HookDecision>;
}
