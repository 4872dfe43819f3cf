/**
 * Names of spans and attributes. OpenTelemetry's GenAI conventions still change: this file is the only one that knows
 * them. Read in November 2026 (semantic conventions 1.37, `gen_ai.*` in development); what is of this project starts
 * with `auraison.`.
 */
export const ATTRIBUTES = {
  operation: 'gen_ai.operation.name',
  agent: 'gen_ai.agent.name',
  conversation: 'gen_ai.conversation.id',
  tool: 'gen_ai.tool.name',
  toolCall: 'gen_ai.tool.call.id',
  modelAsked: 'gen_ai.request.model',
  modelAnswered: 'gen_ai.response.model',
  tokensIn: 'gen_ai.usage.input_tokens',
  tokensOut: 'gen_ai.usage.output_tokens',
  errorType: 'error.type',
  runId: 'auraison.run.id',
  callId: 'auraison.call.id',
  intent: 'auraison.intent.type',
  tenant: 'auraison.tenant',
  principal: 'auraison.principal',
  origin: 'auraison.origin',
  app: 'auraison.app',
  harness: 'auraison.harness',
  attempt: 'auraison.attempt',
  status: 'auraison.status',
  reason: 'auraison.reason',
  phase: 'auraison.phase',
  effect: 'auraison.tool.effect',
  purpose: 'auraison.model.purpose',
  cached: 'auraison.model.cached',
  decision: 'auraison.approval.decision',
  outcome: 'auraison.motion.outcome',
} as const;

export const SPAN_NAMES = {
  intent: (type: string) => `intent ${type}`,
  run: (app: string) => `invoke_agent ${app}`,
  phase: (phase: string) => `phase ${phase}`,
  tool: (tool: string) => `execute_tool ${tool}`,
  model: (model: string) => `chat ${model}`,
  approval: (subject: string) => `approval ${subject}`,
  motion: (motion: string) => `motion ${motion}`,
} as const;

export const OPERATIONS = { run: 'invoke_agent', tool: 'execute_tool', model: 'chat' } as const;
