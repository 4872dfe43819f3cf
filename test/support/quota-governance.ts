import { Governance } from '../../daemon/runtime/governance/governance.ts';
import { GrantBook } from '../../daemon/runtime/governance/grant-book.ts';
import type { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import type { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';

/** Governance that rules by quotas alone: no policies, no grants. */
export function quotaGovernance(clock: ManualClock, time: LatestTime, quotas: QuotaBook): Governance {
  return new Governance({
    policies: { view: () => ({}) as never, reload: async () => false },
    quotas,
    grants: new GrantBook({ ...{ robot: 'r', clock, time, report: () => {} }, keys: () => new Map() }),
    localGrants: () => [],
    rejudge: async () => ({}) as never,
    onChange: () => {},
    report: () => {},
  });
}
