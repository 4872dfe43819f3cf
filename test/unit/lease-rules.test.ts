import { describe, expect, it } from 'vitest';
import { LEASE_PRIORITIES, LEASE_ROLES } from '../../daemon/execution/lease.ts';
import { endsLease, LEASE_CAUSES } from '../../daemon/execution/safety/lease-rules.ts';

/** By cause, for callers that do not hold the lease: the ranks of holders that each rank ends, weakest first. */
const ENDS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  take: {
    policy: [],
    agent: ['policy'],
    autonomy: ['policy', 'agent'],
    central: ['policy', 'agent', 'autonomy'],
    teleoperation: ['policy', 'agent', 'autonomy', 'central'],
  },
  stop: {
    policy: [],
    agent: ['policy'],
    autonomy: ['policy', 'agent'],
    central: ['policy', 'agent', 'autonomy'],
    teleoperation: ['policy', 'agent', 'autonomy', 'central'],
  },
};
const ALWAYS = new Set(['expiry', 'emergency']);

describe('who may end whose lease', () => {
  const cases = LEASE_CAUSES.flatMap((cause) =>
    LEASE_ROLES.flatMap((asker) => LEASE_ROLES.map((holder) => [cause, asker, holder] as const)),
  );

  it.each(cases)('%s by %s of a lease of %s', (cause, asker, holder) => {
    const rank = LEASE_PRIORITIES[asker];
    const ends = endsLease(cause, { rank, isHolder: false }, LEASE_PRIORITIES[holder]);
    expect(ends).toBe(ALWAYS.has(cause) || (ENDS[cause]?.[asker]?.includes(holder) ?? false));
  });

  it.each(LEASE_CAUSES)('%s by the holder itself', (cause) => {
    for (const role of LEASE_ROLES) {
      const rank = LEASE_PRIORITIES[role];
      expect(endsLease(cause, { rank, isHolder: true }, rank)).toBe(
        ALWAYS.has(cause) || cause === 'return' || cause === 'take',
      );
    }
  });
});
