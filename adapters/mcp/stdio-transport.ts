import { type ChildProcess, spawn } from 'node:child_process';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { type Clock, EdgeError, LIMITS, pause } from '../../contract/index.ts';
import { leashGroup, signalGroup } from '../../io/leash.ts';

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
 * A server as a child process: JSON lines on its input and output. It leads a process group of its own, which ends
 * with this connection, whatever it forked, and with the daemon, however that ends. Messages to it wait in
 * memory up to the limit of one message; then the server counts as unresponsive and is closed.
 */
export class StdioTransport implements Transport {
  readonly #parts: StdioParts;
  #child: ChildProcess | undefined;
  #leash: ChildProcess | undefined;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #closing: Promise<void> | undefined;
  #told = false;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: Transport['onmessage'];
  /** The SDK knows pipes of its own kind by this name. */
  readonly stderr = null;

  constructor(parts: StdioParts) {
    this.#parts = parts;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Rejects with `host.missing` where the program cannot be started. */
  async start(): Promise<void> {
    const { file, args, env, folder } = this.#parts;
    const child = spawn(file, [...args], {
      env: { ...env },
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
    });
    this.#child = child;
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#listenStderr(child);
    child.on('exit', (code, signal) => void this.#exited(signal ?? `exit code ${code}`));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        const message = `${file} cannot be started: ${cause.message}`;
        reject(
          new EdgeError('host.missing', { operation: 'start MCP server', subject: file, message, cause }),
        );
      });
    });
    this.#leash = leashGroup(child.pid!, (error) => this.onerror?.(error));
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (!stdin || this.#closing) throw new Error('the server is gone');
    if (stdin.writableLength > LIMITS.MCP_MESSAGE_BYTES_MAX) {
      void this.close();
      throw new Error('the server reads nothing');
    }
    stdin.write(`${JSON.stringify(message)}\n`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new AbortController();
      child.once('exit', () => gone.abort());
      child.stdin?.end();
      await pause(this.#parts.clock, LIMITS.MCP_STOP_MS, gone.signal);
      if (!gone.signal.aborted) signalGroup(child.pid, 'SIGTERM');
      await pause(this.#parts.clock, LIMITS.MCP_STOP_MS, gone.signal);
    }
    this.#sweep();
    this.#tell();
    await this.#parts.release?.();
  }

  /** Nothing of the process group is left, including orphans of the server. */
  #sweep(): void {
    const child = this.#child;
    if (child?.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    this.#leash?.kill('SIGKILL');
    this.#leash = undefined;
    for (const stream of [child?.stdin, child?.stdout, child?.stderr]) stream?.destroy();
    this.#rest = [];
  }

  async #exited(how: string): Promise<void> {
    if (this.#closing) return;
    this.onerror?.(new Error(`the server ended: ${how}`));
    // Its last output is still in the pipe.
    await pause(this.#parts.clock, 20);
    await this.close();
  }

  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    this.onclose?.();
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0 && !this.#told; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, chunk.subarray(from, end)]);
      this.#rest = [];
      this.#restBytes = 0;
      from = end + 1;
      this.#line(line);
    }
    const left = chunk.subarray(from);
    if (left.length === 0) return;
    this.#rest.push(left);
    this.#restBytes += left.length;
    if (this.#restBytes <= LIMITS.MCP_MESSAGE_BYTES_MAX) return;
    this.onerror?.(new Error(`a message has more than ${LIMITS.MCP_MESSAGE_BYTES_MAX} bytes`));
    this.#rest = [];
    this.#restBytes = 0;
    this.#child?.stdout?.pause();
    void this.close();
  }

  #line(line: Buffer): void {
    if (line.length === 0 || line.length > LIMITS.MCP_MESSAGE_BYTES_MAX) return;
    let message: unknown;
    try {
      message = JSON.parse(line.toString());
    } catch {
      // Some servers print to their output what belongs on stderr.
      this.onerror?.(new Error('a line is no JSON'));
      return;
    }
    if (isMessage(message)) this.onmessage?.(message);
    else this.onerror?.(new Error('a line is no JSON-RPC message'));
  }

  #listenStderr(child: ChildProcess): void {
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!.slice(-1_024);
      for (const line of lines) if (line.trim() !== '') this.#parts.onStderr(line.slice(0, 1_024));
    });
  }
}

function isMessage(value: unknown): value is JSONRPCMessage {
  return typeof value === 'object' && value !== null && (value as { jsonrpc?: unknown }).jsonrpc === '2.0';
}
