import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A process of ours at the far end of a network, asked by lines; each answer is one line of JSON. */
export class FarProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** `wrap` makes the command one that runs there. */
  constructor(script: string, args: readonly string[], wrap: (...command: string[]) => [string, string[]]) {
    const [command, all] = wrap(process.execPath, join(import.meta.dirname, script), ...args);
    this.#child = spawn(command, all, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the far end has ended');
    return JSON.parse(value as string);
  }

  report(): Promise<unknown> {
    this.#child.stdin!.write('report\n');
    return this.line();
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await gone;
  }
}
