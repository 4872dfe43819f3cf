/** This robot as an MCP server. The SDK is loaded with the first request. */

export { judgedSpecs } from './judged-specs.ts';
export { McpEndpoint } from './mcp-endpoint.ts';
export { type McpOffer, robotOffer } from './offer.ts';
export type { RobotTool } from './robot-tools.ts';
export { openRunDoor, type RunDoor } from './run-door.ts';
export type { RobotMcpPorts } from './server-ports.ts';
