import type { JSONRPCMessage, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { type Clock, type Timer, withDeadline } from '../../../contract/core.ts';

/** How often the daemon is checked while a client waits for it, milliseconds. */
const BEAT_MS = 3_000;
/**
 * A session is open again within this, milliseconds: a daemon that dies between head and body of its answer is silent.
 */
const OPEN_MS = 3 * BEAT_MS;

/** Address and token of the daemon's MCP endpoint. Read at each connection: the daemon may have been restarted. */
export type Endpoint = () => { readonly url: URL; readonly token: string | undefined };

type Request = {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
};

/**
 * Carries MCP between standard input and output and the daemon's `/mcp`. Speaks the protocol of 2025, which every
 * client that starts servers knows. When the daemon comes back after a restart the session is opened again as the
 * client opened it; requests in progress are answered with an error, and never sent twice. Resolves with an exit
 * code when the input ends.
 */
export async function bridgeStdio(endpoint: Endpoint, clock: Clock): Promise<number> {
  const [{ StreamableHTTPClientTransport }, { StdioServerTransport }] = await Promise.all([
    import('@modelcontextprotocol/client'),
    import('@modelcontextprotocol/server/stdio'),
  ]);
  const stdio = new StdioServerTransport();
  const bridge = new Bridge(
    clock,
    (message) => stdio.send(message),
    () => {
      const { url, token } = endpoint();
      return new StreamableHTTPClientTransport(url, {
        ...(token === undefined ? {} : { authProvider: { token: async () => token } }),
      });
    },
  );
  const ended = new Promise<number>((resolve) => {
    stdio.onclose = () => resolve(0);
  });
  stdio.onmessage = (message) => void bridge.fromClient(message);
  await stdio.start();
  const code = await ended;
  await bridge.close();
  return code;
}

/** Connects the two ends; `answer` writes to the client, `connect` opens a connection to the daemon. */
export class Bridge {
  readonly #clock: Clock;
  readonly #answer: (message: JSONRPCMessage) => Promise<void>;
  readonly #connect: () => StreamableHTTPClientTransport;
  readonly #beat: Timer;
  /** Requests of the client, by id; `sent` once the daemon took it. */
  readonly #waiting = new Map<string | number, { readonly method: string; sent: boolean }>();
  /** Questions of the bridge itself. */
  readonly #own = new Map<string, () => void>();
  #http: StreamableHTTPClientTransport | undefined;
  #opening: JSONRPCMessage | undefined;
  #again: Promise<void> | undefined;
  #ids = 0;

  constructor(
    clock: Clock,
    answer: (message: JSONRPCMessage) => Promise<void>,
    connect: () => StreamableHTTPClientTransport,
  ) {
    this.#clock = clock;
    this.#answer = answer;
    this.#connect = connect;
    // A daemon that dies ends a stream without an answer: this answers the waiting client.
    this.#beat = clock.every(BEAT_MS, () => void this.#check());
  }

  async fromClient(message: JSONRPCMessage): Promise<void> {
    const { id, method } = message as Request;
    if (id === undefined || method === undefined) return await this.#send(message).catch(() => {});
    // The client falls back to initialize.
    if (method === 'server/discover') return await this.#refuse(id, -32601, 'Method not found');
    const waiting = { method, sent: false };
    this.#waiting.set(id, waiting);
    try {
      if (method === 'initialize') {
        this.#opening = message;
        await this.#fresh();
      }
      await this.#send(message);
      waiting.sent = true;
    } catch (error) {
      if (this.#waiting.delete(id))
        await this.#refuse(id, -32000, `the robot's daemon does not answer: ${(error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    this.#beat.cancel();
    const http = this.#http;
    this.#http = undefined;
    await http?.terminateSession().catch(() => {});
    await http?.close().catch(() => {});
  }

  /** A session that the daemon no longer knows is opened again, once. */
  async #send(message: JSONRPCMessage): Promise<void> {
    try {
      // A connection that is being opened has no session yet.
      await this.#again;
      await (this.#http ?? (await this.#reopened())).send(message);
    } catch (error) {
      if ((message as Request).method === 'initialize' || !isUnsent(error)) throw error;
      await (await this.#reopened()).send(message);
    }
  }

  async #check(): Promise<void> {
    if (this.#waiting.size === 0 || !this.#http || this.#again) return;
    await this.#send({ jsonrpc: '2.0', id: `bridge-${++this.#ids}`, method: 'ping' }).catch(() => {});
  }

  async #reopened(): Promise<StreamableHTTPClientTransport> {
    this.#again ??= this.#reopen().finally(() => {
      this.#again = undefined;
    });
    await this.#again;
    return this.#http!;
  }

  /** A half-open connection is of no use: the next request opens another one. */
  async #reopen(): Promise<void> {
    const opening = this.#opening;
    if (!opening) throw new Error('initialize comes first');
    const http = await this.#fresh();
    const id = `bridge-${++this.#ids}`;
    try {
      const opened = this.#greet(http, { ...opening, id } as JSONRPCMessage, id);
      await withDeadline(this.#clock, OPEN_MS, opened, 'open session', 'daemon');
    } catch (error) {
      if (this.#http === http) this.#http = undefined;
      await http.close().catch(() => {});
      throw error;
    } finally {
      this.#own.delete(id);
    }
  }

  /** Repeats the client's handshake: `initialize`, whose answer is dropped, then `initialized`. */
  async #greet(http: StreamableHTTPClientTransport, opening: JSONRPCMessage, id: string): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#own.set(id, resolve));
    await http.send(opening);
    await answered;
    await http.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }

  /**
   * A new connection to the daemon. Open requests on the old one are answered with an error, and never sent twice.
   */
  async #fresh(): Promise<StreamableHTTPClientTransport> {
    const former = this.#http;
    this.#http = undefined;
    await former?.close().catch(() => {});
    for (const [id, { sent }] of [...this.#waiting]) {
      if (!sent) continue;
      this.#waiting.delete(id);
      await this.#refuse(
        id,
        -32000,
        'the daemon of the robot was restarted; what this call did is not known',
      );
    }
    const http = this.#connect();
    http.onmessage = (message) => void this.#fromDaemon(http, message);
    http.onerror = () => {};
    await http.start();
    this.#http = http;
    return http;
  }

  async #fromDaemon(http: StreamableHTTPClientTransport, message: JSONRPCMessage): Promise<void> {
    const { id, method } = message as Request;
    if (id !== undefined && method === undefined) {
      const { result } = message as { result?: { protocolVersion?: unknown } };
      const own = typeof id === 'string' && id.startsWith('bridge-');
      if (typeof result?.protocolVersion === 'string') http.setProtocolVersion(result.protocolVersion);
      if (own) {
        this.#own.get(id)?.();
        this.#own.delete(id);
        return;
      }
      if (!this.#waiting.delete(id)) return;
    }
    await this.#answer(message);
  }

  async #refuse(id: string | number, code: number, message: string): Promise<void> {
    await this.#answer({ jsonrpc: '2.0', id, error: { code, message } });
  }
}

/** The daemon did not take the message: no connection, or a session that it does not know. */
function isUnsent(error: unknown): boolean {
  const status =
    (error as { data?: { status?: number }; status?: number }).data?.status ??
    (error as { status?: number }).status;
  return status === 404 || (error as Error).message.includes('fetch failed');
}
