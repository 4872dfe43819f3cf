import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { zenohPeers } from './zenoh.ts';

const SCRIPTS = join(import.meta.dirname, '../peers');
const SCRIPT = 'zenoh_vla_peer.py';

export type PeerLine = Record<string, unknown>;

/** A Python process with eclipse-zenoh: real, independent, killable. */
export class ZenohPeer {
  readonly lines: PeerLine[] = [];
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #errors = '';
  #alive = true;

  constructor(...args: string[]) {
    // Another script than the usual one is named first.
    const script = args[0]?.endsWith('.py') ? args.shift()! : SCRIPT;
    this.#child = spawn(zenohPeers().python, [join(SCRIPTS, script), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line)));
    this.#child.stderr!.on('data', (text: Buffer) => {
      this.#errors += text.toString();
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        this.#alive = false;
        resolve(code);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Gives a puppet (`zenoh_puppet.py`) an order and waits until it is carried out. */
  async order(order: PeerLine): Promise<void> {
    const from = this.lines.length;
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
    await this.until((line) => line['done'] !== undefined, from);
  }

  /** The first line, from `from` on, that fits. Fails when the process ends or 20 s are over. */
  async until(fits: (line: PeerLine) => boolean, from = 0): Promise<PeerLine> {
    const end = performance.now() + 20_000;
    for (;;) {
      const found = this.lines.slice(from).find(fits);
      if (found) return found;
      if (!this.#alive || performance.now() > end) {
        throw new Error(`peer ${this.#alive ? 'is silent' : 'has ended'}: ${this.#errors.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal);
    await this.exited;
  }
}
