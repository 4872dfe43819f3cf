import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EdgeError, type ErrorBody } from '../../contract/core.ts';
import type { DecodedPicture } from './sharp-decoder.ts';

export type PictureQuestion = { readonly id: number; readonly file: Uint8Array };
export type PictureAnswer =
  | { readonly id: number; readonly picture: DecodedPicture }
  | { readonly id: number; readonly error: ErrorBody };

type Open = { resolve(picture: DecodedPicture): void; reject(error: EdgeError): void };

/** Pictures that are being opened at a time; a controller has one camera each, or a few. */
const OPEN_MAX = 32;

/**
 * Opens compressed pictures in a process of its own, started at the first one: a decoder that dies of what a camera,
 * or somebody in its name, sends takes no robot along. The next picture restarts it.
 */
export class PictureProcess {
  readonly #open = new Map<number, Open>();
  #child: ChildProcess | undefined;
  #ids = 0;

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Rejects with `sample.malformed`, `cell.restarted` (it died of one of them) and `cell.overloaded`. */
  decode(file: Uint8Array): Promise<DecodedPicture> {
    if (this.#open.size >= OPEN_MAX)
      return Promise.reject(failed('cell.overloaded', 'too many images are being decoded'));
    this.#child ??= this.#start();
    const child = this.#child;
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      const question: PictureQuestion = { id, file };
      child.send(question, (error) => {
        if (error) this.#ended(child, error.message);
      });
    });
  }

  close(): void {
    const child = this.#child;
    if (!child) return;
    this.#ended(child, 'closed');
    child.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(new URL('./picture-main.ts', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (answer: PictureAnswer) => {
      const open = this.#open.get(answer.id);
      this.#open.delete(answer.id);
      if ('picture' in answer) open?.resolve(answer.picture);
      else open?.reject(EdgeError.fromBody(answer.error));
    });
    child.on('error', (error) => this.#ended(child, error.message));
    child.on('exit', (code, signal) => this.#ended(child, `it ended with ${signal ?? code}`));
    child.unref();
    child.channel?.unref();
    return child;
  }

  #ended(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const one of open) one.reject(failed('cell.restarted', `the image decoder failed: ${reason}`));
  }
}

function failed(code: 'cell.overloaded' | 'cell.restarted', message: string): EdgeError {
  return new EdgeError(code, { operation: 'decode picture', subject: 'picture', message });
}
