/** Foreign MCP servers as tools. The SDK is loaded when the first is started, not with this. */
export * from './mcp-servers.ts';
export type * from './server-config.ts';
