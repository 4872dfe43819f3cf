export { type A2aParts, a2aRun } from './client/a2a-run.ts';
export { type AgentAddress, openAgent, type RemoteAgent } from './client/remote-agent.ts';
export { TOOLS_EXTENSION } from './client/tool-turns.ts';
