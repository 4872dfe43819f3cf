export { type AcpParts, acpRun, type Offered } from './acp-run.ts';
export { AgentGuard, type AgentLink } from './agent-link.ts';
export { startAgent } from './agent-process.ts';
export type { HostedRun, RunOutcome } from './hosted-run.ts';
export { robotTool, SERVER } from './robot-calls.ts';
export { FINISH, type OfferedTool, PERMISSION, RunTools } from './run-tools.ts';
export { objectSchema } from './tool-schema.ts';
