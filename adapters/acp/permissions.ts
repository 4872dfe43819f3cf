import type { RequestPermissionRequest, RequestPermissionResponse } from '@agentclientprotocol/sdk';
import { ACP_LIMITS } from '../../contract/core.ts';
import { PERMISSION, type RunTools } from './run-tools.ts';

/** Kinds that the daemon knows; newer ones are `other`. */
const KINDS = new Set([
  ...['read', 'edit', 'delete', 'move', 'search', 'execute', 'think', 'fetch', 'switch_mode'],
]);

/** Name of the MCP server with the tools of the run. */
export const SERVER = 'robot';

/**
 * True for the title under which stock agents show a tool of the robot: `robot_robot_look`, `mcp__robot__robot_look`,
 * `robot.robot_look`, `robot_look (robot MCP Server)`. Pure.
 */
export function isRobotTool(title: string, names: readonly string[]): boolean {
  const plain = title.toLowerCase().trim();
  return names.some((name) =>
    [
      ...[`${SERVER}_${name}`, `mcp__${SERVER}__${name}`, `mcp_${SERVER}_${name}`, `${SERVER}.${name}`],
      ...[`${SERVER}/${name}`, `mcp.${SERVER}.${name}`, `${name} (${SERVER} mcp server)`],
    ].includes(plain),
  );
}

/**
 * Answers an agent that wants to do something. A tool of the robot is allowed here: its call is judged by the daemon. All
 * else is judged by the daemon as a call of `agent.permission`, where a Cedar policy or a person decides; it is refused
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
  const names = tools.list().map(({ name }) => name);
  // The title of a command is the command: it counts only where the agent says that it is a call of the robot's server.
  const server = (rawInput as { readonly server?: unknown } | null | undefined)?.server ?? known['server'];
  if (isRobotTool(title, names) && (kind !== 'execute' || server === SERVER)) return allowed;
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
