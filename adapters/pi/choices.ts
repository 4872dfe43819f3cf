import {
  type AgentChoice,
  type AgentDefinition,
  type AgentStep,
  EdgeError,
  type ModelMessage,
  type ModelTool,
  parseJson,
  type ToolSpec,
} from '../../contract/core.ts';

/** Stopping is offered in every turn. */
export const STOP = 'robot.stop';

/** Built-in tools that every agent has besides those of its application; the application's choices do not list them. */
const ADDED: ReadonlySet<string> = new Set([
  'skill.load',
  'run.spawn',
  'run.wait',
  'run.cancel',
  'run.delegate',
]);

/**
 * The tools that a model may choose in this turn, as the application decides; undefined: all of them. A choice never
 * hides `robot.stop`, nor the tools that extensions, skills, sub-runs and MCP servers add. Depends only on the
 * conversation, so that a replay makes the same requests. A choice that names no tool of the run is left out.
 */
export function choicesOf(
  agent: Pick<AgentDefinition, 'choices'>,
  messages: readonly ModelMessage[],
  specs: ReadonlyMap<string, ToolSpec>,
  tools: readonly ModelTool[],
): readonly ModelTool[] | undefined {
  const steps = lastSteps(messages, specs);
  const wanted = steps && asked(agent, steps);
  const choices = wanted?.flatMap(({ tool, input }) => {
    const known = tools.find(({ name }) => specs.get(name)?.name === tool);
    return known
      ? [input ? { ...known, parameters: input as unknown as ModelTool['parameters'] } : known]
      : [];
  });
  if (!choices || choices.length === 0) return undefined;
  const chosen = new Set(choices.map(({ name }) => name));
  const loaded = steps?.some(({ tool, ok }) => ok && tool === 'skill.load');
  const always = tools.filter(({ name }) => {
    const spec = specs.get(name);
    if (!spec || chosen.has(name)) return false;
    // A skill that was just loaded is not offered again: a weak model would load it again and again.
    if (spec.name === 'skill.load' && loaded) return false;
    return spec.name === STOP || isAdded(spec);
  });
  return [...choices, ...always];
}

function isAdded({ name, origin }: ToolSpec): boolean {
  return origin === 'extension' || origin === 'mcp' || ADDED.has(name);
}

function asked(
  agent: Pick<AgentDefinition, 'choices'>,
  steps: readonly AgentStep[],
): readonly AgentChoice[] | undefined {
  try {
    return agent.choices?.(steps);
  } catch (cause) {
    const message = `the choices of the application threw: ${(cause as Error | undefined)?.message}`;
    throw new EdgeError('internal.fault', { operation: 'choose', subject: 'agent', message, cause });
  }
}

/** The calls of the last answer with their results; undefined when a person has said something since. */
function lastSteps(
  messages: readonly ModelMessage[],
  specs: ReadonlyMap<string, ToolSpec>,
): readonly AgentStep[] | undefined {
  const from = messages.findLastIndex(({ role }) => role === 'assistant');
  if (from < 0) return [];
  const after = messages.slice(from + 1);
  if (after.some(({ role }) => role === 'user')) return undefined;
  const { toolCalls = [] } = messages[from]!;
  return toolCalls.map(({ id, name }) => {
    const text = after.find(({ callId }) => callId === id)?.text ?? '';
    const result = parsed(text);
    return { tool: specs.get(name)?.name ?? name, ok: result !== undefined, result: result ?? text };
  });
}

/** Results of tools are objects; anything else is the text of a failure. */
function parsed(text: string): unknown {
  try {
    const value: unknown = parseJson(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
