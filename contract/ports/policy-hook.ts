import type { PolicyContext } from '../intent.ts';

export type HookPoint = 'intent' | 'tool' | 'model' | 'egress';

export type HookQuestion = {
  readonly point: HookPoint;
  readonly subject: string;
  readonly context: PolicyContext;
  readonly facts: Readonly<Record<string, unknown>>;
};

export type HookDecision = {
  readonly decision: 'allow' | 'deny' | 'needs_approval';
  readonly reason: string;
};

/**
 * Asked before an intent is accepted, a tool or model is called, and data leaves the robot. A hook that
 * throws, answers with anything else, or is later than `LIMITS.POLICY_HOOK_MS` denies.
 */
export interface PolicyHook {
  readonly name: string;
  decide(question: HookQuestion): Promise<HookDecision>;
}
