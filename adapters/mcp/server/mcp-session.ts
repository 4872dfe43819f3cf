import type { CallToolResult, Server, ServerContext } from '@modelcontextprotocol/server';
import {
  type Checker,
  type Clock,
  checker,
  EdgeError,
  isStopTool,
  LIMITS,
  parseJson,
  type ToolAnswer,
  withDeadline,
} from '../../../contract/index.ts';
import type { TSchema } from '../../../contract/schema-kit.ts';
import { effectOf, RESOURCE_READ } from './judged-specs.ts';
import type { McpOffer } from './offer.ts';
import type { RobotTool } from './robot-tools.ts';
import type { McpCall } from './server-ports.ts';

type Sdk = typeof import('@modelcontextprotocol/server');

/** Compiled once for all sessions; tools of the house keep their schemas. */
const compiled = new WeakMap<TSchema, Checker<unknown>>();
const TRACE = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export type SessionParts = {
  readonly sdk: Sdk;
  readonly clock: Clock;
  readonly offer: McpOffer;
  /** The whole endpoint is stopping: calls interrupted by that were not cancelled by a client. */
  readonly closing: () => boolean;
  readonly modern: boolean;
};

/** A server of the SDK for one session or request, with the tools and resources of the offer. */
export function mcpSession(parts: SessionParts): Server {
  const { sdk, offer } = parts;
  const { name, version, instructions } = offer;
  const server = new sdk.Server(
    { name, version },
    { capabilities: { tools: {}, resources: {} }, instructions },
  );
  const failed = (thrown: unknown): never => {
    const { code, message } = EdgeError.from(thrown, 'internal.fault', 'mcp', name);
    const missing = code === 'api.not_found' || code === 'run.not_found';
    throw new sdk.ProtocolError(missing ? -32602 : -32603, `${code}: ${message}`.slice(0, 512));
  };
  server.setRequestHandler('tools/list', () => ({ tools: offer.tools().map(toolView) }));
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const tool = offer.tools().find((one) => one.name === params.name);
    if (!tool) throw new sdk.ProtocolError(-32602, `there is no tool ${params.name.slice(0, 128)}`);
    return await callTool(tool, params.arguments ?? {}, parts, context);
  });
  server.setRequestHandler('resources/list', () => ({
    resources: offer.resources.map((one) => ({ ...one })),
  }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: offer.templates.map((one) => ({ ...one })),
  }));
  server.setRequestHandler('resources/read', async ({ params }, context) => {
    try {
      const call = callOf(context, parts);
      await offer.judge(RESOURCE_READ, { uri: params.uri }, call.signal, waiting(call), 'read');
      return { contents: [await offer.read(params.uri)] };
    } catch (thrown) {
      return failed(thrown);
    }
  });
  return server;
}

function toolView({ name, title, description, input, readOnly, destructive }: RobotTool) {
  return {
    name,
    title,
    description,
    inputSchema: input as unknown as { type: 'object' },
    annotations: { readOnlyHint: readOnly, destructiveHint: destructive, openWorldHint: false },
  };
}

/** Failures of a tool are data for the model that called it: they never break the session. */
async function callTool(
  tool: RobotTool,
  args: unknown,
  parts: SessionParts,
  context: ServerContext,
): Promise<CallToolResult> {
  const { clock, offer } = parts;
  try {
    const size = Buffer.byteLength(JSON.stringify(args));
    // A stop is never refused because of its arguments.
    if (size > LIMITS.TOOL_ARGS_BYTES_MAX && !isStopTool(tool.subject))
      throw invalid(tool.name, `/: ${size} bytes, at most ${LIMITS.TOOL_ARGS_BYTES_MAX}`);
    const fault = tool.checkedElsewhere ? undefined : compile(tool.input).fault(args);
    if (fault !== undefined) throw invalid(tool.name, fault);
    const plain = args as Record<string, unknown>;
    const call = callOf(context, parts);
    if (tool.judged)
      await offer.judge(tool.subject, plain, call.signal, waiting(call), effectOf(tool.readOnly));
    const work = tool.run(plain, call);
    return resultOf(await withDeadline(clock, tool.deadlineMs, work, 'call', tool.name));
  } catch (thrown) {
    const { code, message, hint } = EdgeError.from(thrown, 'tool.failed', 'call', tool.name);
    const text = `${code}: ${message}${hint === '' ? '' : ` (${hint})`}`;
    return { isError: true, content: [{ type: 'text', text: text.slice(0, 4_096) }] };
  }
}

/** Sent to the client, so that it does not time out while a person decides. */
function waiting(call: McpCall): (approvalId: string) => void {
  return (approvalId) => call.progress(`waits for a person: approval ${approvalId}`);
}

function callOf(context: ServerContext, { closing, modern, sdk }: SessionParts): McpCall {
  const { signal, _meta, notify } = context.mcpReq;
  const token = _meta?.progressToken;
  const traceparent = _meta?.['traceparent'];
  let progress = 0;
  return {
    signal,
    traceparent: typeof traceparent === 'string' && TRACE.test(traceparent) ? traceparent : undefined,
    progress(message) {
      if (token === undefined) return;
      const params = { progressToken: token, progress: ++progress, message: message.slice(0, 512) };
      notify({ method: 'notifications/progress', params }).catch(() => {});
    },
    // A broken connection is no cancel. In the newer protocol it means that the client no longer waits.
    cancelled: () => !closing() && (modern || !(signal.reason instanceof sdk.SdkError)),
  };
}

function resultOf({ result, images }: ToolAnswer): CallToolResult {
  const text = JSON.stringify(result, (_key, one: unknown) =>
    typeof one === 'bigint' ? one.toString() : one,
  );
  return {
    content: [
      { type: 'text', text },
      ...(images ?? []).map(({ mime, data }) => ({
        type: 'image' as const,
        mimeType: mime,
        data: Buffer.from(data).toString('base64'),
      })),
    ],
    structuredContent: parseJson(text) as Record<string, unknown>,
  };
}

function compile(schema: TSchema): Checker<unknown> {
  const known = compiled.get(schema);
  if (known) return known;
  const made = checker(schema);
  compiled.set(schema, made);
  return made;
}

function invalid(tool: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'check arguments', subject: tool, message });
}
