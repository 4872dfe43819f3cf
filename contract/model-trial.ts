import type { ModelAnswer, ModelRequest, ModelTool } from './ports/language-model.ts';

/** A tool without effect: whether a model can call one. It is never carried out. */
const TRIAL_TOOL: ModelTool = {
  name: 'turn',
  description: 'Turn the robot.',
  parameters: {
    type: 'object',
    properties: { direction: { enum: ['left', 'right'] } },
    required: ['direction'],
    additionalProperties: false,
  },
};

/** Whether it answers at all. `timeoutMs` in milliseconds. */
export function wordsTrial(timeoutMs: number): ModelRequest {
  return {
    messages: [{ role: 'user', text: 'Say hello in one short sentence.' }],
    ...{ maxTokens: 64, temperature: 0, deadlineMs: timeoutMs, purpose: 'test' },
  };
}

/** Whether it calls a tool. An answer without a fitting call rejects with `model.failed`. */
export function toolTrial(timeoutMs: number): ModelRequest {
  return {
    messages: [
      { role: 'system', text: 'You lead a robot by calling tools.' },
      { role: 'user', text: 'Turn left.' },
    ],
    tools: [TRIAL_TOOL],
    toolChoice: 'required',
    // Models that think first need room for it.
    ...{ maxTokens: 512, temperature: 0, deadlineMs: timeoutMs, purpose: 'test' },
  };
}

/** The call of a trial as people read it, for example `turn({"direction":"left"})`. */
export function trialCall({ toolCalls }: ModelAnswer): string {
  const call = toolCalls[0];
  return call === undefined ? '' : `${call.name}(${call.argumentsText.slice(0, 200)})`;
}
