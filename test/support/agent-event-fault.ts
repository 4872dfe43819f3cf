import { AgentEvent, type Checker, checker, EVENT_KINDS } from '../../contract/index.ts';

type Member = (typeof AgentEvent.anyOf)[number];

/** A checker for each kind: the union as a whole is slow, and names no kind. */
const perKind = new Map<string, Checker<unknown>>();

/** `undefined` when the whole event fits its schema, else `path: problem`. */
export function agentEventFault(value: unknown): string | undefined {
  const kind = (value as { kind?: unknown } | null)?.kind;
  const index = (EVENT_KINDS as readonly unknown[]).indexOf(kind);
  if (index < 0) return `/kind: unknown event kind ${String(kind)}`;
  const check = perKind.get(String(kind)) ?? checker(AgentEvent.anyOf[index] as Member);
  perKind.set(String(kind), check);
  return check.fault(value);
}
