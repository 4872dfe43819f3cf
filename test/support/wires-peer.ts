import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PEERS = join(import.meta.dirname, '..', 'peers');
/** A peer that says nothing for this long has died or hangs, milliseconds; Python imports numpy on a busy machine. */
const SILENT_MS = 120_000;

let python: string | undefined;

/** The Python with the stock peers; installed by the first who asks. */
export function wiresPython(): string {
  python ??= execFileSync('bash', [join(PEERS, 'wires.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  return python;
}

export type WireArray = { readonly shape: number[]; readonly dtype: string; readonly data: number[] };
export type PeerReply = {
  readonly port?: number;
  readonly metadata?: Record<string, unknown>;
  readonly actions?: Record<string, WireArray>;
  readonly timing?: Record<string, number>;
  readonly reply?: unknown;
  readonly error?: string;
};

/** One `wires_peer.py`: a line in, a line out. */
export class WiresPeer {
  readonly #child: ChildProcess;
  readonly #lines: PeerReply[] = [];
  readonly #waiting: { resolve(line: PeerReply): void; reject(error: Error): void }[] = [];
  #stderr = '';

  constructor(...args: string[]) {
    this.#child = spawn(wiresPython(), [join(PEERS, 'wires_peer.py'), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const body = JSON.parse(line) as PeerReply;
      const first = this.#waiting.shift();
      if (first) first.resolve(body);
      else this.#lines.push(body);
    });
    this.#child.stderr!.on('data', (data) => {
      this.#stderr = `${this.#stderr}${data}`.slice(-4_000);
    });
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`wires_peer.py ${args[0]} ended with ${code}: ${this.#stderr}`));
    });
  }

  ask(question: unknown): Promise<PeerReply> {
    this.#child.stdin!.write(`${JSON.stringify(question)}\n`);
    return this.next();
  }

  next(): Promise<PeerReply> {
    const first = this.#lines.shift();
    if (first) return Promise.resolve(first);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`wires_peer.py is silent: ${this.#stderr}`)),
        SILENT_MS,
      );
      this.#waiting.push({
        resolve: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}
