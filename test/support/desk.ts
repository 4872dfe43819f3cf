import type { Clock, Policy } from '../../contract/index.ts';
import { ExecutionPolicyDesk } from '../../daemon/execution/serving/policy-desk.ts';
import { PolicyDoor } from '../../daemon/execution/serving/policy-door.ts';
import type { PolicySpec } from '../../daemon/execution/serving/served-policy.ts';

let revisions = 0;

/** One line of a desk; `make` gives the policy, or one for each session. */
export function specOf(
  name: string,
  make: () => Policy | Promise<Policy>,
  more: Partial<PolicySpec> = {},
): PolicySpec {
  return {
    ...{ name, kind: 'test', sha256: undefined, memory: 'own' as const, sessionsMax: 64, queueMax: 8 },
    make: async () => make(),
    revision: String(++revisions),
    ...more,
  };
}

/** A desk that knows its policies, and the door for those who never say goodbye. */
export async function deskOf(clock: Clock, policies: readonly PolicySpec[]) {
  const told: string[] = [];
  const desk = new ExecutionPolicyDesk({ clock, policies, report: (_level, message) => told.push(message) });
  await desk.start();
  return { desk, door: new PolicyDoor(desk, clock), told };
}
