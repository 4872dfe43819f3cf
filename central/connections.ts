import type { Server, Socket } from 'node:net';
import { LIMITS } from '../contract/index.ts';

/**
 * Connections that have not shown valid credentials yet are few: clients that connect and say nothing do not keep robots out.
 * Above the limit the oldest one goes, of the address that has the most of them.
 */
export class Connections {
  /** By address, then by port, the oldest first. */
  readonly #unknown = new Map<string, Map<number, Socket>>();
  #count = 0;

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** Valid credentials came over it. With TLS it is another object than the one that connected. */
  known({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): void {
    this.#remove(remoteAddress ?? '', remotePort ?? 0);
  }

  #add(socket: Socket): void {
    const { remoteAddress: address = '', remotePort: port = 0 } = socket;
    const all = this.#unknown.get(address) ?? new Map<number, Socket>();
    this.#unknown.set(address, all.set(port, socket));
    this.#count += 1;
    socket.once('close', () => this.#remove(address, port, socket));
    if (this.#count > LIMITS.CENTRAL_UNKNOWN_CONNECTIONS_MAX) this.#dropOne();
  }

  #dropOne(): void {
    const all = [...this.#unknown].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    const [address, [[port, socket] = []]] = [all[0], [...all[1]]];
    if (port === undefined || socket === undefined) return;
    this.#remove(address, port);
    socket.destroy();
  }

  /** `socket`: only where it is still that one; the port may be used again. */
  #remove(address: string, port: number, socket?: Socket): void {
    const all = this.#unknown.get(address);
    const found = all?.get(port);
    if (!all || !found || (socket && found !== socket)) return;
    all.delete(port);
    this.#count -= 1;
    if (all.size === 0) this.#unknown.delete(address);
  }
}
