import type { HookDecision, HookQuestion, PolicyHook } from '../../contract/index.ts';

const ROLE = 'operator';

/**
 * The least policy there is, as the built-in policies of the daemon say it: only who has the role of an operator opens runs, and only in
 * their name is a tool called. Other questions are none of its business.
 */
export class OperatorRole implements PolicyHook {
  readonly name = 'operator-role';

  async decide({ point, context }: HookQuestion): Promise<HookDecision> {
    if (point !== 'intent' && point !== 'tool') return { decision: 'allow', reason: 'not asked for' };
    if (context.roles.includes(ROLE)) return { decision: 'allow', reason: `role ${ROLE}` };
    return { decision: 'deny', reason: `${context.principal} has not the role ${ROLE}` };
  }
}
