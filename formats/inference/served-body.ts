import type { ServedPolicy } from '../../contract/core.ts';
import { descriptionBody } from './vla.ts';

/** One policy as shown to clients, names as on the wire. */
export function servedBody(served: ServedPolicy): Record<string, unknown> {
  const { kind, state, reason, sessions, waiting, calls, failures, p50Ms, p99Ms } = served;
  return {
    ...descriptionBody(served),
    ...{ kind, state, reason, sessions, waiting, calls, failures },
    ...(p50Ms === undefined ? {} : { p50_ms: p50Ms }),
    ...(p99Ms === undefined ? {} : { p99_ms: p99Ms }),
  };
}
