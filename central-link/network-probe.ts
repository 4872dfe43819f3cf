import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { type Clock, LIMITS, type Timer } from '../contract/core.ts';

/**
 * Over which interface this host reaches central now. It asks the routing table by a socket that sends nothing. Looked at
 * again every few seconds, since robots change networks while they drive.
 */
export class NetworkProbe {
  readonly #host: string;
  readonly #timer: Timer;
  #name = '';

  constructor(url: string, clock: Clock) {
    this.#host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    this.#timer = clock.every(LIMITS.LINK_NETWORK_MS, () => void this.look());
    void this.look();
  }

  /** Name of the interface; empty while it is not known. */
  get name(): string {
    return this.#name;
  }

  async look(): Promise<void> {
    try {
      const { address, family } = await lookup(this.#host);
      this.#name = interfaceOf(await ownAddress(address, family));
    } catch {
      this.#name = '';
    }
  }

  close(): void {
    this.#timer.cancel();
  }
}

/** The address of this host from which packets to `address` go. */
function ownAddress(address: string, family: number): Promise<string> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  return new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(9, address, () => resolve(socket.address().address));
  }).finally(() => socket.close());
}

function interfaceOf(address: string): string {
  for (const [name, addresses = []] of Object.entries(networkInterfaces()))
    if (addresses.some((one) => one.address === address)) return name;
  return '';
}
