import {
  type CellBus,
  METHODS,
  neededText,
  type PolicyInferReply,
  type PolicyListReply,
} from '../../../contract/core.ts';
import type { ExecutionPolicyDesk } from './policy-desk.ts';
import type { PolicyDoor } from './policy-door.ts';

/** What other cells ask of the policies: the API for programs, the command line for people. */
export function servePolicyRequests(
  bus: Pick<CellBus, 'handle'>,
  desk: Pick<ExecutionPolicyDesk, 'policies' | 'reload'>,
  door: PolicyDoor,
): void {
  const { policyList, policyInfer, policyDescribe, policyReload, policyCancel } = METHODS.execution;
  bus.handle(policyCancel, async (body) => ({
    cancelled: door.cancel(neededText(policyCancel, body, 'call')),
  }));
  bus.handle(policyList, async () => ({ policies: desk.policies() }) satisfies PolicyListReply);
  bus.handle(policyDescribe, async (body) => door.describe(body.policy));
  bus.handle(policyReload, async (body) => desk.reload(body.name));
  bus.handle(policyInfer, async (body) => {
    const { caller, policy, session, reset, observation, deadlineMs, prefix, call } = body;
    const chunk = await door.infer(caller, {
      ...{ observation, deadlineMs, policy, session, prefix, call },
      reset: reset ?? false,
    });
    return { chunk } satisfies PolicyInferReply;
  });
}
