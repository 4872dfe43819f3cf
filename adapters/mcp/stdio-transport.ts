import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { type Clock, LIMITS, parseJson } from '../../contract/index.ts';
import { LineProcess } from '../../io/line-process.ts';

export type StdioParts = {
  readonly clock: Clock;
  readonly file: string;
  readonly args: readonly string[];
  /** All of the environment that the process gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder?: string;
  readonly onStderr: (line: string) => void;
  /** Called once when the process is gone or could not be started. Never rejects. */
  readonly release?: () => Promise<void>;
};

/**
 * A server as a child process: JSON lines on its input and output. Messages to it wait in memory up to the limit of one
 * message; then the server counts as unresponsive and is closed.
 */
export class StdioTransport implements Transport {
  readonly #process: LineProcess;
  #released: Promise<void> | undefined;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: Transport['onmessage'];
  /** The SDK knows pipes of its own kind by this name. */
  readonly stderr = null;

  constructor(parts: StdioParts) {
    this.#process = new LineProcess({
      ...parts,
      ...{ what: 'MCP server', lineBytesMax: LIMITS.MCP_MESSAGE_BYTES_MAX, stopMs: LIMITS.MCP_STOP_MS },
      onLine: (line) => this.#line(line),
      onTrouble: (error) => this.onerror?.(error),
      onEnd: () => {
        this.#released = parts.release?.();
        this.onclose?.();
      },
    });
  }

  get pid(): number | null {
    return this.#process.pid;
  }

  /** Rejects with `host.missing` where the program cannot be started. */
  async start(): Promise<void> {
    await this.#process.start();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    this.#process.send(JSON.stringify(message));
  }

  async close(): Promise<void> {
    await this.#process.close();
    await this.#released;
  }

  #line(line: Buffer): void {
    let message: unknown;
    try {
      message = parseJson(line.toString());
    } catch {
      // Some servers print to their output what belongs on stderr.
      this.onerror?.(new Error('a line is no JSON'));
      return;
    }
    if (isMessage(message)) this.onmessage?.(message);
    else this.onerror?.(new Error('a line is no JSON-RPC message'));
  }
}

function isMessage(value: unknown): value is JSONRPCMessage {
  return typeof value === 'object' && value !== null && (value as { jsonrpc?: unknown }).jsonrpc === '2.0';
}
