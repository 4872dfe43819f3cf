import { type ChildProcess, spawn } from 'node:child_process';
import type { Shown } from '../../cli/chat/shown.ts';
import { AURAISON, until } from './daemon.ts';

type Of<K extends Shown['kind']> = K extends Shown['kind'] ? Extract<Shown, { readonly kind: K }> : never;

/** `auraison chat` as a process without a terminal: lines go in, what it writes is collected. */
export class ChatProcess {
  readonly #child: ChildProcess;
  readonly exit: Promise<number | null>;
  text = '';
  errors = '';

  constructor(dataDir: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(AURAISON, ['chat', ...args, '--data-dir', dataDir], {
      env: { ...process.env, ...env },
    });
    this.#child.stdout!.on('data', (data) => (this.text += data));
    this.#child.stderr!.on('data', (data) => (this.errors += data));
    this.exit = new Promise((resolve) => this.#child.on('close', resolve));
  }

  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  end(): void {
    this.#child.stdin!.end();
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** With `--json`: what it showed until now. */
  shown(): Shown[] {
    return this.text
      .slice(0, this.text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Shown);
  }

  async sees<K extends Shown['kind']>(kind: K, fits: (shown: Of<K>) => boolean = () => true): Promise<Of<K>> {
    const found = () => this.shown().find((one): one is Of<K> => one.kind === kind && fits(one as Of<K>));
    return (await until(async () => found(), `chat shows ${kind}`, 120_000).catch((error: Error) => {
      throw new Error(`${error.message}; it showed: ${this.text.slice(-2_000)} ${this.errors.slice(-500)}`);
    })) as Of<K>;
  }
}
