import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  EdgeError,
  type EncodedImage,
  type ErrorBody,
  type ImageEncoder,
  type Picture,
} from '../../contract/core.ts';
import type { DecodedPicture } from './sharp-decoder.ts';

type EncodeOptions = Parameters<ImageEncoder['encode']>[1];

/** A file to open, or an image to encode. */
export type PictureQuestion =
  | { readonly id: number; readonly file: Uint8Array }
  | { readonly id: number; readonly encode: Picture; readonly options: EncodeOptions };
export type PictureAnswer =
  | { readonly id: number; readonly picture: DecodedPicture | EncodedImage }
  | { readonly id: number; readonly error: ErrorBody };

type Asked = { readonly file: Uint8Array } | { readonly encode: Picture; readonly options: EncodeOptions };
type Open = { resolve(picture: unknown): void; reject(error: EdgeError): void };

/** Images that are being opened at a time; a controller has one camera each, or a few. */
const OPEN_MAX = 32;

/**
 * Opens and encodes images in a process of its own, started at the first one: a decoder that dies of what a camera,
 * or somebody in its name, sends takes no robot along. The next image restarts it.
 */
export class PictureProcess implements ImageEncoder {
  readonly #open = new Map<number, Open>();
  #child: ChildProcess | undefined;
  #ids = 0;

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Rejects with `sample.malformed`, `cell.restarted` (it died of one of them) and `cell.overloaded`. */
  decode(file: Uint8Array): Promise<DecodedPicture> {
    return this.#ask<DecodedPicture>({ file });
  }

  /** The same errors, and those of the port. */
  encode(picture: Picture, options: EncodeOptions): Promise<EncodedImage> {
    return this.#ask<EncodedImage>({ encode: picture, options });
  }

  close(): void {
    const child = this.#child;
    if (!child) return;
    this.#ended(child, 'closed');
    child.kill('SIGKILL');
  }

  #ask<T>(asked: Asked): Promise<T> {
    if (this.#open.size >= OPEN_MAX)
      return Promise.reject(failed('cell.overloaded', 'too many images are being worked on'));
    this.#child ??= this.#start();
    const child = this.#child;
    const id = ++this.#ids;
    return new Promise<T>((resolve, reject) => {
      this.#open.set(id, { resolve: resolve as (picture: unknown) => void, reject });
      const question: PictureQuestion = { id, ...asked };
      child.send(question, (error) => {
        if (error) this.#ended(child, error.message);
      });
    });
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
    for (const one of open) one.reject(failed('cell.restarted', `the process for images failed: ${reason}`));
  }
}

function failed(code: 'cell.overloaded' | 'cell.restarted', message: string): EdgeError {
  return new EdgeError(code, { operation: 'work on image', subject: 'image', message });
}
