import type { AgentEvent } from './agent-event.ts';
import { canonicalJson } from './canonical.ts';

/** The hash before the first event of a log. */
export const GENESIS_HASH = '0'.repeat(64);

/** The exact text whose SHA-256 is `hash`: the previous hash, a line feed, the canonical event without hashes. */
export function hashInput(event: Omit<AgentEvent, 'hash'>): string {
  const { prev_hash, ...rest } = event as Record<string, unknown> & { prev_hash: string };
  delete (rest as Record<string, unknown>)['hash'];
  return `${prev_hash}\n${canonicalJson(rest)}`;
}
