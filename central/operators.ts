import { createHash, timingSafeEqual } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../contract/index.ts';

/** Allowed values of `posted_by` of an order. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const TOKEN = /^[\x21-\x7e]{16,512}$/;
/** The name of the holder of the token that the coordinator made. */
export const SHARED = 'operator';

/**
 * People who give orders, each with a token of their own: on the robot no person may answer an approval that they
 * caused.
 */
export class Operators {
  readonly #known: readonly { readonly name: string; readonly digest: Buffer }[];

  /** `folder`: a file for each, named as they are. Throws `config.invalid`. */
  constructor(shared: string, folder: string) {
    const names = existsSync(folder) ? readdirSync(folder).sort() : [];
    const tokens = names.map((name) => ({ name, token: readFileSync(join(folder, name), 'utf8').trim() }));
    const all = [{ name: SHARED, token: shared }, ...tokens];
    for (const { name, token } of tokens) {
      if (!NAME.test(name) || name === SHARED) throw unfit(name, 'this is no name for an operator');
      if (!TOKEN.test(token)) throw unfit(name, 'a token of 16 to 512 characters without spaces expected');
      if (all.filter((one) => one.token === token).length > 1)
        throw unfit(name, 'somebody else has this token');
    }
    this.#known = all.map(({ name, token }) => ({ name, digest: digest(token) }));
  }

  /** Whose token it is. */
  find(token: string): string | undefined {
    const shown = digest(token);
    // Compares with all of them, to take constant time.
    return this.#known.filter((one) => timingSafeEqual(one.digest, shown))[0]?.name;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function unfit(name: string, message: string): EdgeError {
  const subject = `operators/${name}`;
  return new EdgeError('config.invalid', {
    operation: 'open coordinator',
    subject,
    message: `${subject}: ${message}`,
  });
}
