/** This robot as an MCP server. The SDK is loaded with the first request. */
export { McpEndpoint } from './mcp-endpoint.ts';
export { type McpOffer, robotOffer } from './offer.ts';
export type { RobotMcpPorts } from './server-ports.ts';
