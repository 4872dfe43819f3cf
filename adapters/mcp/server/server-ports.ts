import type {
  ApprovalApi,
  CellBus,
  Clock,
  EventReader,
  IdSource,
  PolicyContext,
  RuntimeApi,
  Tool,
  ToolAnswer,
  ToolReturn,
  ToolSpec,
} from '../../../contract/index.ts';

type ToolEffect = ToolSpec['effect'];

/** Everything that this robot calls as an MCP server. It owns nothing: every answer comes from one of these. */
export type RobotMcpPorts = {
  readonly robot: string;
  readonly version: string;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly runtime: RuntimeApi;
  readonly bus: Pick<CellBus, 'request'>;
  /** The MCP client, for intents and policies; its origin is `mcp`. */
  readonly who: PolicyContext;
  /** Built-in reading tools that are offered unchanged: robot.look, lake.query. */
  readonly houseTools: () => readonly Tool[];
  /** Adds the bytes of images that a tool named by their handle. */
  wholeAnswer(answer: ToolReturn, tool: string): Promise<ToolAnswer>;
  readonly approvals?: Pick<ApprovalApi, 'approvals'> | undefined;
  /** The log of the runtime cell. */
  openReader(): EventReader;
  /** Stops the robot and every run. */
  stopRobot(reason: string): Promise<void>;
  /**
   * Asks the policies about a call and logs the decision. If they require a person the call waits for the
   * answer; `waits` is called with the id of the question. `effect` is that of the tool. Rejects with `policy.denied`, and with the reason
   * of the signal.
   */
  judge(
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    waits: (approvalId: string) => void,
    effect: ToolEffect,
  ): Promise<void>;
  readonly report: (level: 'warn' | 'error', message: string, facts: Record<string, unknown>) => void;
};

/** One call as a tool of this server sees it. */
export type McpCall = {
  readonly signal: AbortSignal;
  /** W3C trace context of the client, where it sent one. */
  readonly traceparent: string | undefined;
  /** Reports progress to the client, where it asked for that. */
  progress(message: string): void;
  /** Whether the client requested the abort, as opposed to the end of its connection. */
  cancelled(): boolean;
};
