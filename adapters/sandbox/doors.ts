import { lookup } from 'node:dns/promises';
import { createServer, connect as dial, isIP, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Clock, SANDBOX_LIMITS, type SandboxDoor } from '../../contract/core.ts';

export type Door = SandboxDoor & { readonly socket: string };

/**
 * The ways out of a sandbox without a network: a socket of this host for each place that is allowed. What connects to
 * it is led to that place and to no other, whatever it sends. Names are looked up here.
 */
export class Doors {
  readonly #clock: Clock;
  readonly #servers: Server[] = [];
  readonly #open = new Set<Socket>();

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects where a socket cannot be made; nothing is open then. */
  static async open(clock: Clock, folder: string, doors: readonly Door[]): Promise<Doors> {
    const opened = new Doors(clock);
    try {
      for (const door of doors) await opened.#listen(join(folder, door.socket), door);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((done) => server.close(done))));
  }

  async #listen(path: string, door: Door): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (inside) => void this.#lead(inside, door));
    server.maxConnections = SANDBOX_LIMITS.DOOR_CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    server.on('error', () => {});
    this.#servers.push(server);
  }

  async #lead(inside: Socket, { host, port }: Door): Promise<void> {
    this.#keep(inside);
    const address = await addressOf(host);
    if (address === undefined || inside.destroyed) return void inside.destroy();
    const outside = dial({ host: address, port, allowHalfOpen: true });
    this.#keep(outside);
    const late = this.#clock.after(SANDBOX_LIMITS.DOOR_CONNECT_MS, () => outside.destroy());
    outside.once('connect', () => {
      late.cancel();
      inside.pipe(outside);
      outside.pipe(inside);
    });
    outside.once('close', () => {
      late.cancel();
      inside.destroy();
    });
    inside.once('close', () => outside.destroy());
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#open.delete(socket));
  }
}

/**
 * The address of a name of the profile. A name of others that leads to this host or to its link is not followed:
 * the name server would choose which service of this host is reached.
 */
async function addressOf(host: string): Promise<string | undefined> {
  if (isIP(host) !== 0) return host;
  if (host === 'localhost') return '127.0.0.1';
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address).find((address) => !leadsHome(address));
  } catch {
    return undefined;
  }
}

export function leadsHome(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  return (
    /^(?:127\.|0\.|169\.254\.)/.test(plain) || plain === '::1' || plain === '::' || /^fe[89ab]/.test(plain)
  );
}
