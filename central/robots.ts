import { createHash, timingSafeEqual } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../contract/index.ts';
import type { Caller } from './require-own.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TOKEN = /^[\x21-\x7e]{16,512}$/;

/** No token has this digest. */
const NO_TOKEN = Buffer.alloc(32);

type Report = (message: string, error: unknown) => void;
/** Without a digest no token is valid for this robot, that of all robots neither. */
type Known = { readonly name: string; readonly digest: Buffer | undefined };

/**
 * Robots and their tokens. A robot with a file of its own in the folder `robots` is known by that token only, and what it
 * sends and asks for is its own; the token that the coordinator made is for all others. The folder is read again when it
 * changes: a token is replaced, or withdrawn, without a restart.
 */
export class Robots {
  readonly #shared: Buffer;
  readonly #sharedToken: string;
  readonly #folder: string;
  readonly #report: Report;
  #known: readonly Known[] = [];
  #stamp = '';
  #faults: ReadonlyMap<string, string> = new Map();

  /**
   * `folder`: a file for each robot, named as it is. Throws `config.invalid`. Files that are not valid later are reported,
   * each once.
   */
  constructor(shared: string, folder: string, report: Report = () => {}) {
    this.#sharedToken = shared;
    this.#shared = digest(shared);
    this.#folder = folder;
    this.#report = report;
    const [fault] = this.#read().values();
    if (fault) throw fault;
  }

  /** Undefined: the token is no robot's. */
  find(token: string): Caller | undefined {
    for (const fault of this.#read().values()) this.#report('token of a robot not read', fault);
    const shown = digest(token);
    // Compares with all of them, to take constant time.
    const own = this.#known.filter((one) => timingSafeEqual(one.digest ?? NO_TOKEN, shown))[0];
    const isShared = timingSafeEqual(this.#shared, shown);
    if (own) return { name: own.name, mayActFor: (robot) => robot === own.name };
    const hasOwn = (robot: string) => this.#known.some(({ name }) => name === robot);
    return isShared
      ? { name: 'robots without a token of their own', mayActFor: (robot) => !hasOwn(robot) }
      : undefined;
  }

  /**
   * Reads the folder where it changed, and returns what is newly not valid, by name. For a robot whose file is not valid (it may be
   * half written) what was read before counts; a robot whose file is gone has no rights.
   */
  #read(): Map<string, EdgeError> {
    const faults = new Map<string, EdgeError>();
    const names = existsSync(this.#folder) ? readdirSync(this.#folder).sort() : [];
    const stamp = names.map((name) => `${name} ${stampOf(join(this.#folder, name))}`).join('\n');
    if (stamp === this.#stamp) return faults;
    const tokens = new Map<string, string>();
    for (const name of names) {
      try {
        tokens.set(name, readFileSync(join(this.#folder, name), 'utf8').trim());
      } catch (error) {
        faults.set(name, unfit(name, (error as Error).message));
      }
    }
    const all = [this.#sharedToken, ...tokens.values()];
    for (const [name, token] of tokens) {
      if (!NAME.test(name)) faults.set(name, unfit(name, 'this is not the name of a robot'));
      else if (!TOKEN.test(token))
        faults.set(name, unfit(name, 'a token of 16 to 512 characters without spaces expected'));
      else if (all.filter((one) => one === token).length > 1)
        faults.set(name, unfit(name, 'another robot has this token'));
    }
    const good = names
      .filter((name) => !faults.has(name))
      .map((name) => ({ name, digest: digest(tokens.get(name)!) }));
    const before = new Map(this.#known.map((one) => [one.name, one.digest]));
    const isTaken = (old: Buffer) => good.some((one) => one.digest.equals(old));
    const kept = [...faults.keys()].map((name): Known => {
      const old = before.get(name);
      return { name, digest: old && !isTaken(old) ? old : undefined };
    });
    this.#known = [...good, ...kept];
    this.#stamp = stamp;
    const news = new Map([...faults].filter(([name, { message }]) => this.#faults.get(name) !== message));
    this.#faults = new Map([...faults].map(([name, { message }]) => [name, message]));
    return news;
  }
}

/** Changes with the file and with its rights. */
function stampOf(path: string): string {
  try {
    const { mtimeMs, ctimeMs, size } = statSync(path);
    return `${mtimeMs} ${ctimeMs} ${size}`;
  } catch {
    return 'gone';
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
