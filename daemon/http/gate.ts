import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { EdgeError, OPERATOR, type Who } from '../../contract/index.ts';
import type { HttpAuth } from './http-ports.ts';

export type Caller = {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** True on a unix socket, which no web page can reach. */
  readonly local: boolean;
};

/** Decides who may call. Stateless; every refusal is an EdgeError that holds nothing of the token. */
export class Gate {
  readonly #known: readonly { readonly digest: Buffer; readonly who: Who }[] | undefined;
  readonly #names: ReadonlySet<string>;

  constructor(auth: HttpAuth, hostNames: readonly string[]) {
    if (auth.kind === 'token') {
      const tokens = [{ token: auth.token, who: OPERATOR }, ...(auth.principals ?? [])];
      this.#known = tokens.map(({ token, who }) => ({ digest: digest(token), who }));
    }
    this.#names = new Set(['localhost', ...hostNames.map((name) => name.toLowerCase())]);
  }

  /**
   * Refuses foreign host names: a page of a foreign site can make its own name point to this address
   * (DNS rebinding), but it cannot make the browser send another Host. Also refuses foreign origins.
   */
  checkHost(caller: Caller): void {
    if (caller.local) return;
    const name = hostName(caller.host ?? '');
    if (name === undefined || !(isIP(name) !== 0 || this.#names.has(name))) {
      throw forbidden(
        `Host ${(caller.host ?? 'none').slice(0, 200)} is no name of this robot`,
        'use the IP address, or name it in api.host_names',
      );
    }
    if (caller.origin !== undefined && originHost(caller.origin) !== (caller.host ?? '').toLowerCase()) {
      throw forbidden(
        'requests of other web pages are not answered',
        'open the console of this robot itself',
      );
    }
  }

  /** Compares digests in constant time, so that neither content nor length of the token can be measured. */
  checkToken(caller: Caller): Who {
    if (this.#known === undefined) return OPERATOR;
    const match = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(caller.authorization ?? '');
    const shown = digest(match?.[1] ?? '');
    // Compares with all of them, to take constant time.
    const found = this.#known.filter((one) => timingSafeEqual(shown, one.digest))[0];
    if (match && found) return found.who;
    throw new EdgeError('api.unauthorised', {
      operation: 'authorise',
      subject: 'authorization header',
      hint: 'send "authorization: Bearer <token>"; the token is in the file "token" of the data directory',
    });
  }
}

/** The name of a Host header without its port; undefined where it is invalid. */
export function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?$/.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function forbidden(message: string, hint: string): EdgeError {
  return new EdgeError('api.forbidden', { operation: 'authorise', subject: 'host', message, hint });
}
