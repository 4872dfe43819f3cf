/** A tool of an MCP server as people see it. */
export type McpToolView = {
  /** As its server names it. */
  readonly tool: string;
  /** Its name for agents; undefined where it is refused. */
  readonly name: string | undefined;
  readonly state: 'offered' | 'denied' | 'refused' | 'waiting' | 'changed';
  /** Why it is not offered; empty when it is. */
  readonly reason: string;
  readonly effect: 'read' | 'write' | 'actuate';
  /** Hash of its description by the server now: name, description, schemas. */
  readonly sha256: string;
};

export type McpServerView = {
  readonly server: string;
  readonly kind: 'stdio' | 'http';
  /** `idle`: not started, or stopped because it was not used; its tools are known from an earlier start. */
  readonly state: 'idle' | 'starting' | 'up' | 'failed';
  readonly reason: string;
  /** The version that it reports; empty before its first start. */
  readonly version: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly apps: readonly string[];
  readonly tools: readonly McpToolView[];
};

/** Foreign MCP servers, as API and command line use them. */
export interface McpServers {
  servers(): readonly McpServerView[];
  /**
   * Accepts the current description of a tool (absent: of all tools that wait or changed). Durable. `tool.not_found`.
   */
  allow(server: string, tool?: string): Promise<McpServerView>;
  /** Starts it, asks for its tools again. `tool.not_found` where there is no such server, `mcp.failed`. */
  refresh(server: string): Promise<McpServerView>;
}
