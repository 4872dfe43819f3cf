import { type ApprovalApi, type CellBus, type GovernanceApi, METHODS } from '../../../contract/index.ts';

/** What other cells ask for central: the questions that wait, the answer to one, a signed grant. */
export function serveGovernanceRequests(
  bus: Pick<CellBus, 'handle'>,
  approvals: ApprovalApi,
  governance: Pick<GovernanceApi, 'install'>,
): void {
  const { approvalList, approvalAnswer, grantInstall } = METHODS.runtime;
  bus.handle(approvalList, async (body) => approvals.approvals(body ?? {}));
  bus.handle(approvalAnswer, async (body) => {
    const { approvalId, decision, who, reason } = body;
    return await approvals.answer(approvalId, decision, who, reason);
  });
  bus.handle(grantInstall, async (body) => await governance.install(body));
}
