import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { EdgeError, Policy } from '../../contract/core.ts';
import type { ExecutionPolicyDesk } from '../../daemon/execution/serving/policy-desk.ts';
import type { WireServerOptions } from '../../formats/policy-wire/wire-server.ts';
import { deskOf as knownDesk, specOf } from './desk.ts';

const clock = new SystemClock();

/** The real desk with these policies, each made anew for every session that needs its own. */
export async function deskOf(policies: Readonly<Record<string, () => Policy>>): Promise<ExecutionPolicyDesk> {
  const specs = Object.entries(policies).map(([name, make]) => specOf(name, make, { sessionsMax: 16 }));
  return (await knownDesk(clock, specs)).desk;
}

/** What a server of a wire is started with in tests, and the faults that it told. */
export function serverOptions(
  given: Partial<WireServerOptions> = {},
): WireServerOptions & { readonly faults: EdgeError[] } {
  const faults: EdgeError[] = [];
  return {
    ...{ host: '127.0.0.1', port: 0, token: undefined, clientsMax: 4, deadlineMs: 10_000, keys: {}, clock },
    onFault: (error) => faults.push(error),
    faults,
    ...given,
  };
}
