import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

type Line = { readonly ready?: boolean; readonly pressed_ms?: number };

/** Somebody at an emergency stop of ROS or Zenoh: a Python process of its own. */
export class StopButton {
  readonly #child: ChildProcess;
  #next = Promise.withResolvers<Line>();
  #errors = '';

  constructor(python: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(python, [join(import.meta.dirname, 'stop_button.py'), ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const { resolve } = this.#next;
      resolve(JSON.parse(line) as Line);
    });
    this.#child.stderr!.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-2_000);
    });
    this.#child.once('exit', () => this.#next.reject(new Error(`the button ended: ${this.#errors}`)));
    this.#next.promise.catch(() => {});
  }

  /** Somebody listens to it. */
  async ready(): Promise<void> {
    await this.#line();
  }

  /** When it was pressed, by the wall clock in milliseconds. */
  async press(): Promise<number> {
    this.#child.stdin!.write('\n');
    return (await this.#line()).pressed_ms!;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  async #line(): Promise<Line> {
    const line = await this.#next.promise;
    this.#next = Promise.withResolvers<Line>();
    this.#next.promise.catch(() => {});
    return line;
  }
}
