import { checker } from '../../contract/check.ts';
import {
  EdgeError,
  type ExtensionContent,
  type ExtensionTool,
  LIMITS,
  parseJson,
  plainSchema,
  type Tool,
  type ToolAnswer,
  type ToolImage,
  type ToolScope,
  type ToolSpec,
} from '../../contract/core.ts';

const EFFECTS = ['read', 'write', 'actuate'] as const;
const DEADLINE_MS_MAX = 3_600_000;

/**
 * A tool of an extension as the gate takes it: origin `extension`, `write` and `never` where it does not say, and a
 * closed schema. `call` runs it guarded. Throws `extension.failed` where it says something that cannot be.
 */
export function toolOf(
  tool: ExtensionTool,
  call: (tool: ExtensionTool, args: Readonly<Record<string, unknown>>, scope: ToolScope) => Promise<unknown>,
): Tool {
  const { effect = 'write', replay = 'never', deadlineMs = LIMITS.EXTENSION_CALL_MS } = tool.edge ?? {};
  const fits = deadlineMs >= 1 && deadlineMs <= DEADLINE_MS_MAX;
  if (!EFFECTS.includes(effect) || !['never', 'safe'].includes(replay) || !fits)
    throw failed(tool.name, 'edge says an effect, a replay class or a deadline that does not exist');
  return {
    spec: {
      name: `ext.${tool.name}`,
      description: tool.description,
      input: closed(tool.parameters, tool.name),
      effect,
      replay,
      deadlineMs,
      origin: 'extension',
    },
    run: async (args, scope) => answerOf(await call(tool, structuredClone(args), scope), tool.name),
  };
}

/** The schema as plain JSON, its references followed where they can be, with every object of it closed. */
function closed(schema: ToolSpec['input'], name: string): ToolSpec['input'] {
  let given: unknown;
  try {
    given = parseJson(JSON.stringify(schema));
  } catch (cause) {
    throw failed(name, `its parameters are no JSON Schema: ${(cause as Error).message}`);
  }
  const plain = isObject(given) ? withoutReferences(given) : given;
  if (!isObject(plain) || plain['type'] !== 'object')
    throw failed(name, 'its parameters are not those of an object');
  const input = close(plain) as ToolSpec['input'];
  try {
    // Compiled now: a schema that cannot be is a fault of the load, not of the first call.
    checker(input).fault({});
  } catch (cause) {
    throw failed(name, `its parameters are no JSON Schema: ${(cause as Error).message}`);
  }
  return input;
}

/**
 * What refers in a circle or by name, as `Type.Cyclic` does, stays as it is: the operator trusts it, and our checker
 * follows it.
 */
function withoutReferences(given: Record<string, unknown>): unknown {
  try {
    return plainSchema(given);
  } catch {
    return given;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close);
  if (typeof node !== 'object' || node === null) return node;
  const all = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, close(value)]));
  const opens =
    all['type'] === 'object' && all['additionalProperties'] === undefined && !all['patternProperties'];
  return opens ? { ...all, additionalProperties: false } : all;
}

function answerOf(value: unknown, name: string): ToolAnswer {
  const { content, details } = (value ?? {}) as { content?: unknown; details?: unknown };
  if (!Array.isArray(content)) throw failed(name, 'it gave no content');
  const texts: string[] = [];
  const images: ToolImage[] = [];
  for (const part of content as readonly ExtensionContent[]) {
    if (part?.type === 'text' && typeof part.text === 'string') texts.push(part.text);
    else if (part?.type === 'image' && /^image\/(jpeg|png)$/.test(part.mimeType))
      images.push({ mime: part.mimeType, data: Buffer.from(part.data, 'base64') });
    else throw failed(name, 'its content is neither text nor a JPEG or PNG image');
  }
  const result = { text: texts.join('\n'), ...(details === undefined ? {} : { details }) };
  return images.length === 0 ? { result } : { result, images };
}

function failed(name: string, message: string): EdgeError {
  return new EdgeError('extension.failed', { operation: 'call', subject: `ext.${name}`, message });
}
