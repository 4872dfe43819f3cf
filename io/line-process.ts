import { type ChildProcess, spawn } from 'node:child_process';
import { type Clock, EdgeError, pause } from '../contract/core.ts';
import { leashGroup, signalGroup } from './leash.ts';

export type LineProcessParts = {
  readonly clock: Clock;
  /** What the process is, for errors: "MCP server". */
  readonly what: string;
  readonly file: string;
  readonly args: readonly string[];
  /** All of the environment that the process gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Bytes of one line of its output, and bytes that may wait unread at its input; beyond either it is ended. */
  readonly lineBytesMax: number;
  /** Milliseconds that the process has at each step of its end: after its input closed, and after SIGTERM. */
  readonly stopMs: number;
  readonly onLine: (line: Buffer) => void;
  readonly onStderr: (line: string) => void;
  readonly onTrouble: (error: Error) => void;
  /** Once: the process is gone, with its group. `how`: why, in words. */
  readonly onEnd: (how: string) => void;
};

/** Characters of one line of stderr. */
const STDERR_CHARS = 1_024;
/** The last output of a process that ended is still in the pipe, milliseconds. */
const REST_MS = 20;

/**
 * A child process that speaks in lines on its input and output. It leads a process group of its own, which ends with
 * this object, whatever it forked, and with the process that holds it, however that ends.
 */
export class LineProcess {
  readonly #parts: LineProcessParts;
  #child: ChildProcess | undefined;
  #leash: ChildProcess | undefined;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #closing: Promise<void> | undefined;
  #how = '';
  #ended = false;

  constructor(parts: LineProcessParts) {
    this.#parts = parts;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Rejects with `host.missing` where the program cannot be started. */
  async start(): Promise<void> {
    const { what, file, args, env, folder } = this.#parts;
    const child = spawn(file, [...args], {
      env: { ...env },
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
    });
    this.#child = child;
    child.stdin.on('error', (error) => this.#parts.onTrouble(error));
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#listenStderr(child);
    child.on('exit', (code, signal) => void this.#exited(signal ?? `exit code ${code}`));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        const message = `${file} cannot be started: ${cause.message}`;
        reject(new EdgeError('host.missing', { operation: `start ${what}`, subject: file, message, cause }));
      });
    });
    this.#leash = leashGroup(child.pid!, (error) => this.#parts.onTrouble(error));
  }

  /** Throws where the process is gone or reads nothing; the latter ends it. */
  send(line: string): void {
    const stdin = this.#child?.stdin;
    if (!stdin || this.#closing) throw new Error(`the ${this.#parts.what} is gone`);
    if (stdin.writableLength > this.#parts.lineBytesMax) {
      void this.close('it reads nothing');
      throw new Error(`the ${this.#parts.what} reads nothing`);
    }
    stdin.write(`${line}\n`);
  }

  /** Ends the process and its group; `how` is passed to `onEnd`. Settles when nothing of it is left. */
  close(how = 'closed'): Promise<void> {
    this.#closing ??= this.#end(how);
    return this.#closing;
  }

  /** As `close`, at once. */
  kill(how: string): Promise<void> {
    this.#closing ??= this.#end(how, true);
    this.#sweep();
    return this.#closing;
  }

  async #end(how: string, now = false): Promise<void> {
    this.#how ||= how;
    const child = this.#child;
    if (!now && child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new AbortController();
      child.once('exit', () => gone.abort());
      child.stdin?.end();
      await pause(this.#parts.clock, this.#parts.stopMs, gone.signal);
      if (!gone.signal.aborted) signalGroup(child.pid, 'SIGTERM');
      await pause(this.#parts.clock, this.#parts.stopMs, gone.signal);
    }
    this.#sweep();
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.onEnd(this.#how);
  }

  /** Nothing of the process group is left, including orphans of the process. */
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
    this.#how = how;
    this.#parts.onTrouble(new Error(`the ${this.#parts.what} ended: ${how}`));
    await pause(this.#parts.clock, REST_MS);
    await this.close(how);
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0 && !this.#ended; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, chunk.subarray(from, end)]);
      this.#rest = [];
      this.#restBytes = 0;
      from = end + 1;
      if (line.length > 0 && line.length <= this.#parts.lineBytesMax) this.#parts.onLine(line);
    }
    const left = chunk.subarray(from);
    if (left.length === 0) return;
    this.#rest.push(left);
    this.#restBytes += left.length;
    const { lineBytesMax } = this.#parts;
    if (this.#restBytes <= lineBytesMax) return;
    const error = `a message has more than ${lineBytesMax} bytes`;
    this.#parts.onTrouble(new Error(error));
    this.#rest = [];
    this.#restBytes = 0;
    this.#child?.stdout?.pause();
    void this.close(error);
  }

  #listenStderr(child: ChildProcess): void {
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!.slice(-STDERR_CHARS);
      for (const line of lines) if (line.trim() !== '') this.#parts.onStderr(line.slice(0, STDERR_CHARS));
    });
  }
}
