import type { Client, jsonSchemaValidator, Transport } from '@modelcontextprotocol/client';
import { type Clock, EdgeError, LIMITS, withDeadline } from '../../contract/index.ts';
import { boundedFetch } from './bounded-fetch.ts';
import { proposedDefaults } from './elicitation.ts';
import { foreignText } from './foreign-text.ts';
import type { McpServerConfig } from './server-config.ts';
import { StdioTransport } from './stdio-transport.ts';
import type { ToolDefinition } from './tool-pins.ts';
import type { ForeignResult } from './tool-result.ts';
import { Unasked } from './unasked.ts';

export type ConnectionParts = {
  readonly config: McpServerConfig;
  readonly clock: Clock;
  readonly version: string;
  /** Uses the protocol of 2025 at once, without negotiation: some servers exit on unknown requests. */
  readonly legacy: boolean;
  readonly onStderr: (line: string) => void;
  readonly onListChanged: () => void;
  /** Called once with the reason of the end; not after `close`. */
  readonly onEnd: (reason: string) => void;
};

export type CallOptions = {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly traceparent: string | undefined;
};

/** The SDK never compiles a foreign schema: arguments and results are checked here, before and after the call. */
const UNCHECKED: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
};

/** One connection to one server. The SDK is loaded with the first. */
export class McpConnection {
  readonly #parts: ConnectionParts;
  readonly #client: Client;
  readonly #transport: Transport;
  #reason = '';
  #broken = false;
  #closing = false;
  #ended = false;

  private constructor(parts: ConnectionParts, client: Client, transport: Transport) {
    this.#parts = parts;
    this.#client = client;
    this.#transport = transport;
  }

  /** Rejects with `mcp.failed`, `host.missing` or `deadline.exceeded`; nothing is left running then. */
  static async open(parts: ConnectionParts): Promise<McpConnection> {
    const { config, clock, legacy, version } = parts;
    const sdk = await import('@modelcontextprotocol/client');
    const asks = config.elicitation === 'defaults';
    const client = new sdk.Client(
      { name: 'auraison-edge', version },
      {
        capabilities: asks ? { elicitation: { form: { applyDefaults: true } } } : {},
        jsonSchemaValidator: UNCHECKED,
        versionNegotiation: legacy ? { mode: 'legacy' } : { mode: 'auto', probe: { timeoutMs: 3_000 } },
        inputRequired: { autoFulfill: asks },
        listMaxPages: 16,
        listChanged: {
          tools: { autoRefresh: false, debounceMs: 500, onChanged: () => parts.onListChanged() },
        },
      },
    );
    if (asks) {
      client.setRequestHandler('elicitation/create', async ({ params }) => proposedDefaults(params));
    }
    const transport = config.command ? await stdioTransport(parts) : httpTransport(parts, sdk);
    const connection = new McpConnection(parts, client, transport);
    const unasked = new Unasked(clock, () => connection.#fail('it floods us with unsolicited messages'));
    unasked.guard(transport);
    client.onerror = (error) => {
      if (!connection.#broken) connection.#reason = foreignText(error.message, 256);
      unasked.note();
    };
    client.onclose = () => connection.#end();
    try {
      const connecting = client.connect(transport, { timeout: LIMITS.MCP_CONNECT_MS });
      await withDeadline(clock, LIMITS.MCP_CONNECT_MS, connecting, 'connect', config.name);
    } catch (thrown) {
      await connection.close();
      throw failure(thrown, 'connect', config.name, connection.#reason);
    }
    return connection;
  }

  /** As the server calls itself. */
  get version(): string {
    const { name = '', version = '' } = this.#client.getServerVersion() ?? {};
    return foreignText(`${name} ${version}`.trim(), 128);
  }

  get pid(): number | undefined {
    return this.#transport instanceof StdioTransport ? (this.#transport.pid ?? undefined) : undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Every page, as far as the limits go. */
  async list(): Promise<readonly ToolDefinition[]> {
    const { clock, config } = this.#parts;
    const ms = LIMITS.MCP_LIST_MS;
    try {
      const asked = this.#client.listTools(undefined, {
        timeout: ms,
        maxTotalTimeout: ms,
        cacheMode: 'refresh',
      });
      const { tools } = await withDeadline(clock, ms, asked, 'list tools', config.name);
      return tools.map(({ name, description = '', inputSchema, outputSchema }) => ({
        name,
        description,
        inputSchema,
        ...(outputSchema === undefined ? {} : { outputSchema }),
      }));
    } catch (thrown) {
      this.#endIfForgotten(thrown);
      throw failure(thrown, 'list tools', config.name, this.#reason);
    }
  }

  /** Settles by the deadline and soon after an abort; the server is notified of both. */
  async call(
    definition: ToolDefinition,
    args: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<ForeignResult> {
    const { signal, deadlineMs, traceparent } = options;
    const { clock, config } = this.#parts;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () =>
      reject(new EdgeError('run.cancelled', { operation: 'call', subject: definition.name }));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const asked = this.#client.callTool(
        {
          name: definition.name,
          arguments: { ...args },
          ...(traceparent === undefined ? {} : { _meta: { traceparent } }),
        },
        {
          signal,
          timeout: deadlineMs + 1_000,
          maxTotalTimeout: deadlineMs + 1_000,
          toolDefinition: definition as never,
        },
      );
      const work = Promise.race([asked, aborted]);
      asked.catch(() => {});
      return await withDeadline(clock, deadlineMs, work, 'call', `mcp.${config.name}.${definition.name}`);
    } catch (thrown) {
      this.#endIfForgotten(thrown);
      throw failure(thrown, 'call', `mcp.${config.name}.${definition.name}`, this.#reason);
    } finally {
      aborted.catch(() => {});
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Closes the connection if a request that every server knows is not answered: an unresponsive server is replaced. */
  async checkAlive(): Promise<void> {
    const { clock, config } = this.#parts;
    const timeout = LIMITS.MCP_PING_MS;
    // The newer protocol has no ping.
    const modern = this.#client.getProtocolEra() === 'modern';
    const asked: Promise<unknown> = modern
      ? this.#client.listTools(undefined, { timeout, cacheMode: 'bypass' })
      : this.#client.ping({ timeout });
    const late = await withDeadline(clock, timeout, asked, 'ping', config.name).then(
      () => false,
      (thrown: unknown) => isLate(thrown),
    );
    if (late) this.#fail('it does not answer');
  }

  /** Ends it and its process; may be called twice. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#transport.close().catch(() => {});
    await this.#client.close().catch(() => {});
  }

  /** This session is not opened again: the next caller makes another connection. */
  #endIfForgotten(thrown: unknown): void {
    if (isForgotten(thrown, this.#transport.sessionId)) this.#fail('it no longer knows our session');
  }

  #fail(reason: string): void {
    // Messages after it are ignored.
    this.#broken = true;
    this.#reason = reason;
    void this.#transport.close().catch(() => {});
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#closing) this.#parts.onEnd(this.#reason || 'it closed the connection');
  }
}

async function stdioTransport({ config, clock, onStderr }: ConnectionParts): Promise<Transport> {
  const { sandboxed, ...plain } = config.command!;
  const held = await sandboxed?.();
  const { file, args, env, folder } = held ?? plain;
  return new StdioTransport({
    clock,
    file,
    args,
    env,
    onStderr,
    ...(folder === undefined ? {} : { folder }),
    ...(held === undefined ? {} : { release: () => held.release() }),
  });
}

function httpTransport(
  { config }: ConnectionParts,
  sdk: typeof import('@modelcontextprotocol/client'),
): Transport {
  const { url, token, client } = config.http!;
  const authProvider = client
    ? new sdk.ClientCredentialsProvider({ clientId: client.id, clientSecret: client.secret() })
    : token && { token: async () => token() };
  return new sdk.StreamableHTTPClientTransport(new URL(url), {
    fetch: boundedFetch(LIMITS.MCP_MESSAGE_BYTES_MAX),
    redirectPolicy: 'same-origin',
    onInsufficientScope: 'throw',
    ...(authProvider ? { authProvider } : {}),
  });
}

function isLate(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown }).code;
  return code === 'deadline.exceeded' || code === 'REQUEST_TIMEOUT';
}

/**
 * A server that was restarted forgets its sessions: it answers 404, as the protocol requires, or 400 with a message
 * about it.
 */
function isForgotten(thrown: unknown, session: string | undefined): boolean {
  const { status, message } = thrown as { readonly status?: unknown; readonly message?: unknown };
  if (session === undefined) return false;
  return status === 404 || (status === 400 && /session/i.test(String(message)));
}

/** An error of a server or the SDK as an EdgeError. */
function failure(thrown: unknown, operation: string, subject: string, reason: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const why = reason === '' || message.includes(reason) ? '' : ` (${reason})`;
  return new EdgeError('mcp.failed', {
    operation,
    subject,
    message: `${foreignText(message, 1_024)}${why}`,
    cause: thrown,
  });
}
