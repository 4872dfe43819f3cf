import { createHash, timingSafeEqual } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../contract/index.ts';
import type { Caller } from './require-own.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TOKEN = /^[\x21-\x7e]{16,512}$/;

/**
 * Robots and their tokens. A robot with a file of its own in the folder `robots` is known by that token only, and what it
 * sends and asks for is its own; the token that the coordinator made is for all others. The folder is read again when it
 * changes: a token is replaced, or withdrawn, without a restart.
 */
export class Robots {
  readonly #shared: Buffer;
  readonly #sharedToken: string;
  readonly #folder: string;
  #known: readonly { readonly name: string; readonly digest: Buffer }[] = [];
  #stamp = '';

  /** `folder`: a file for each robot, named as it is. Throws `config.invalid`. */
  constructor(shared: string, folder: string) {
    this.#sharedToken = shared;
    this.#shared = digest(shared);
    this.#folder = folder;
    this.#read();
  }

  /** Undefined: the token is no robot's. */
  find(token: string): Caller | undefined {
    try {
      this.#read();
    } catch {
      // A file that is being written: what was read before counts.
    }
    const shown = digest(token);
    // Compares with all of them, to take constant time.
    const own = this.#known.filter((one) => timingSafeEqual(one.digest, shown))[0];
    const isShared = timingSafeEqual(this.#shared, shown);
    if (own) return { name: own.name, mayActFor: (robot) => robot === own.name };
    const hasOwn = (robot: string) => this.#known.some(({ name }) => name === robot);
    return isShared
      ? { name: 'robots without a token of their own', mayActFor: (robot) => !hasOwn(robot) }
      : undefined;
  }

  #read(): void {
    const names = existsSync(this.#folder) ? readdirSync(this.#folder).sort() : [];
    const stamp = names.map((name) => `${name} ${statSync(join(this.#folder, name)).mtimeMs}`).join('\n');
    if (stamp === this.#stamp) return;
    const tokens = names.map((name) => ({
      name,
      token: readFileSync(join(this.#folder, name), 'utf8').trim(),
    }));
    const all = [this.#sharedToken, ...tokens.map(({ token }) => token)];
    for (const { name, token } of tokens) {
      if (!NAME.test(name)) throw unfit(name, 'this is not the name of a robot');
      if (!TOKEN.test(token)) throw unfit(name, 'a token of 16 to 512 characters without spaces expected');
      if (all.filter((one) => one === token).length > 1) throw unfit(name, 'another robot has this token');
    }
    this.#known = tokens.map(({ name, token }) => ({ name, digest: digest(token) }));
    this.#stamp = stamp;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function unfit(name: string, message: string): EdgeError {
  const subject = `robots/${name}`;
  return new EdgeError('config.invalid', {
    operation: 'open coordinator',
    subject,
    message: `${subject}: ${message}`,
  });
}
