/** Limits of the Model Context Protocol, as a client and as a server; part of LIMITS. */
export const MCP_LIMITS = {
  /** Servers of the Model Context Protocol that one daemon uses, and the tools it takes from one. */
  MCP_SERVERS_MAX: 32,
  MCP_TOOLS_MAX: 256,
  /** Schema and description of one tool of such a server: they are part of every prompt. */
  MCP_SCHEMA_BYTES_MAX: 64 * 1024,
  MCP_DESCRIPTION_CHARS_MAX: 1_024,
  /** One message of such a server; beyond it the connection is closed. Images come as base64. */
  MCP_MESSAGE_BYTES_MAX: 8 * 1024 * 1024,
  /** One image of a result, and how many of them are kept. */
  MCP_IMAGE_BYTES_MAX: 4 * 1024 * 1024,
  MCP_IMAGES_MAX: 4,
  /** Unsolicited messages within a second; a server that sends more is disconnected. */
  MCP_UNASKED_PER_SECOND_MAX: 500,
  /** From the start of a server to its answer, one listing of its tools, and a ping, milliseconds. */
  MCP_CONNECT_MS: 20_000,
  MCP_LIST_MS: 10_000,
  MCP_PING_MS: 2_000,
  /** Stop of its process: from the end of its input to SIGTERM, and from there to SIGKILL, milliseconds. */
  MCP_STOP_MS: 500,
  /** First and longest wait before a server that failed is started again, milliseconds. */
  MCP_RETRY_FIRST_MS: 500,
  MCP_RETRY_MAX_MS: 60_000,
  /** Lines of a server's stderr that are logged within a minute; the rest is counted. */
  MCP_STDERR_LINES_MAX: 60,
  /** Sessions of MCP clients on this robot, and how long an idle one is kept, milliseconds. */
  MCP_SESSIONS_MAX: 64,
  MCP_SESSION_IDLE_MS: 30 * 60_000,
  /** Longest that a tool of the robot waits for the end of a run, milliseconds. */
  MCP_WAIT_MS_MAX: 600_000,
} as const;
