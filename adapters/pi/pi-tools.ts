import type { ToolDefinition } from '@earendil-works/pi-coding-agent';
import {
  CALL_NOT_MADE,
  EdgeError,
  LIMITS,
  type RunContext,
  type ToolAnswer,
  type ToolSpec,
} from '../../contract/core.ts';

type Content = Awaited<ReturnType<ToolDefinition['execute']>>['content'];

/** The result of one call, as the model gets it. */
export type CallResult = {
  readonly content: Content;
  readonly isError: boolean;
  /** The result of the tool, for tools whose result matters to the run. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
};

/** Why calls end when a person stops a session. */
export const STOP = 'a person stopped it';

/** The tool by which an agent says that it is done. */
export const FINISH = 'run.finish';

/**
 * One call of a tool, with its arguments as the model sent them. A refused or failed call is a result: the model
 * gets the reason. Rejects only when the run is over.
 */
export async function callTool(
  context: Pick<RunContext, 'toolBox' | 'signal'>,
  name: string,
  args: unknown,
  originId: string,
  signal?: AbortSignal,
): Promise<CallResult> {
  try {
    const answer = await context.toolBox.call(name, args, { originId, ...(signal ? { signal } : {}) });
    return { content: contentOf(answer), isError: false, result: answer.result };
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    const error = EdgeError.from(thrown, 'tool.failed', 'call', name);
    return error.operation === CALL_NOT_MADE ? notMade(STOP) : refusedCall(error);
  }
}

/** A call that was not made, as the model gets it. */
export function notMade(why: string): CallResult {
  return {
    content: [{ type: 'text', text: `this call was not made: ${why}` }],
    isError: true,
    result: undefined,
  };
}

/** A call that was refused or failed, as the model gets it. */
export function refusedCall({ code, message, hint }: EdgeError): CallResult {
  const text = hint === '' ? `${code}: ${message}` : `${code}: ${message} (${hint})`;
  return { content: [{ type: 'text', text }], isError: true, result: undefined };
}

function contentOf({ result, images = [] }: ToolAnswer): Content {
  const text = JSON.stringify(result);
  const shown =
    text.length <= LIMITS.AGENT_RESULT_CHARS
      ? text
      : `${text.slice(0, LIMITS.AGENT_RESULT_CHARS)}… [cut: ${text.length} characters]`;
  return [
    { type: 'text', text: shown },
    ...images.map(({ mime, data }) => ({
      type: 'image' as const,
      mimeType: mime,
      data: Buffer.from(data).toString('base64'),
    })),
  ];
}

export type ToolParts = {
  readonly pi: { readonly object: ToolDefinition['parameters'] };
  /** Tools by the names that models see. */
  readonly specs: ReadonlyMap<string, ToolSpec>;
  /** Executes the call with this id. */
  readonly call: (name: string, callId: string, signal: AbortSignal | undefined) => Promise<CallResult>;
};

/**
 * Tools as Pi takes them. Their parameters say only that they are an object: Pi would coerce what it checks (null
 * becomes 0, "15" becomes 15). Models get the real schemas from `ModelDoor`, and the gate checks the arguments.
 */
export function toolDefinitions({ pi, specs, call }: ToolParts): ToolDefinition[] {
  return [...specs].map(([name, spec]) => ({
    name,
    label: spec.name,
    description: spec.description,
    parameters: pi.object,
    executionMode: 'sequential',
    execute: async (callId, _coerced, signal) => {
      const { content, isError, result } = await call(name, callId, signal);
      // Pi expects a failure to be thrown.
      if (isError) throw new Error(content.map((part) => (part.type === 'text' ? part.text : '')).join('\n'));
      const finished = spec.name === FINISH;
      return { content, details: finished ? { result } : {}, ...(finished ? { terminate: true } : {}) };
    },
  }));
}
