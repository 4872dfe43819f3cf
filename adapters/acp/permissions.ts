import type { RequestPermissionRequest, RequestPermissionResponse } from '@agentclientprotocol/sdk';
import { ACP_LIMITS, parseJson } from '../../contract/core.ts';
import { isRobotCall } from './robot-calls.ts';
import { PERMISSION, type RunTools } from './run-tools.ts';

/** Kinds that the daemon knows; newer ones are `other`. */
const KINDS = new Set([
  ...['read', 'edit', 'delete', 'move', 'search', 'execute', 'think', 'fetch', 'switch_mode'],
]);

/**
 * Answers an agent that wants to do something. A call that can only be one of the robot's tools is allowed here: the daemon
 * judges that call. All else is judged by the daemon as a call of `agent.permission`, where a Cedar policy or a person decides; it is refused
 * where the application does not name that tool. Nothing is allowed for more than one time.
 */
export async function permission(
  { toolCall, options }: RequestPermissionRequest,
  /** What the agent reported of this tool call before: some ask by its id alone. */
  known: Readonly<Record<string, unknown>>,
  tools: RunTools,
  signal: AbortSignal,
): Promise<RequestPermissionResponse> {
  const pick = (kind: string): RequestPermissionResponse | undefined => {
    const option = options.find((one) => one.kind === kind);
    return option && { outcome: { outcome: 'selected', optionId: option.optionId } };
  };
  const refused: RequestPermissionResponse = pick('reject_once') ?? { outcome: { outcome: 'cancelled' } };
  const allowed = pick('allow_once');
  if (!allowed) return refused;
  const { rawInput } = toolCall;
  const title = toolCall.title ?? String(known['title'] ?? '');
  const kind = toolCall.kind ?? String(known['kind'] ?? 'other');
  // What was reported before counts too: a request may leave out, or change, what the call is.
  const kinds = [kind, String(known['kind'] ?? kind)];
  const inputs = [rawInput, earlier(known['input'])];
  if (isRobotCall({ title, kinds, inputs }, tools.list())) return allowed;
  if (!tools.permits) return refused;
  const { SHOWN_CHARS } = ACP_LIMITS;
  const input = rawInput ? (JSON.stringify(rawInput) ?? '') : String(known['input'] ?? '');
  // A person should not agree to what is not shown whole.
  if (input.length > SHOWN_CHARS || title.length > SHOWN_CHARS) return refused;
  const args = { action: title || 'unnamed', kind: KINDS.has(kind) ? kind : 'other', input };
  try {
    const { ok } = await tools.ask(PERMISSION, args, signal);
    return ok === true ? allowed : refused;
  } catch {
    return { outcome: { outcome: 'cancelled' } };
  }
}

/** The input as it was reported before. One that is not kept whole may be a command. */
function earlier(input: unknown): unknown {
  if (typeof input !== 'string') return undefined;
  try {
    return parseJson(input);
  } catch {
    return { command: input };
  }
}
