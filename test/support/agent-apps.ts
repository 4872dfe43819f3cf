import { Type } from 'typebox';
import type { AgentDefinition, Application, Tool, ToolSpec } from '../../contract/index.ts';

const closed = { additionalProperties: false } as const;

export function tool(
  name: string,
  spec: Partial<ToolSpec>,
  run: Tool['run'],
  more: Partial<Tool> = {},
): Tool {
  return {
    spec: {
      name,
      description: name,
      input: Type.Object({}, closed),
      effect: 'read',
      replay: 'safe',
      deadlineMs: 5_000,
      origin: 'app',
      ...spec,
    },
    run,
    ...more,
  };
}

/** Ends a run as the house tool of this name does. */
export const finish: Tool = tool(
  'run.finish',
  {
    input: Type.Object(
      {
        status: Type.Enum(['succeeded', 'failed']),
        reason: Type.String({ maxLength: 256 }),
        score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      },
      closed,
    ),
  },
  async (args) => ({ result: { ...args } }),
);

export function agentApp(
  tools: readonly Tool[],
  agent: Partial<AgentDefinition> = {},
  more: Partial<Application> = {},
): Application {
  return {
    name: 'agent',
    version: '1.0.0',
    description: 'an agent',
    harness: 'pi',
    intents: [{ type: 'agent/go', description: 'go', params: Type.Object({}, closed) }],
    deadlineMs: 600_000,
    afterCut: 'resume',
    tools: [...tools, finish],
    agent: {
      instructions: 'You are a test.',
      prompt: () => 'Go.',
      tools: ['*'],
      turnsMax: 50,
      ...agent,
    },
    ...more,
  };
}
