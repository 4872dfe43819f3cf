/** This robot as an MCP server. The SDK is loaded with the first request. */
export { McpEndpoint } from './mcp-endpoint.ts';
export { type McpOffer, robotOffer } from './offer.ts';
export { judgedSpecs, type RobotTool } from './robot-tools.ts';
export { openRunDoor, type RunDoor } from './run-door.ts';
export type { RobotMcpPorts } from './server-ports.ts';
