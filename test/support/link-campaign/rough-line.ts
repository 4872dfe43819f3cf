import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type RoughLineOptions = {
  readonly targetPort: () => number;
  /** Numbers from 0 up to but not including 1. */
  readonly random: () => number;
  /** Bits a second in each direction, of all connections together. */
  readonly bitPerSecond: number;
};

/** How much of a connection is kept, to be sent again later. */
const REPEATED_BYTES_MAX = 256 * 1024;
/** How often bytes pass, milliseconds. */
const TICK_MS = 10;

type Pipe = { readonly from: Socket; readonly to: Socket; readonly waiting: Buffer[]; bytes: number };

/**
 * A line between robot and central: slow, cut in the middle of bodies, closed for a while, and with old requests that arrive
 * once more, later and behind newer ones. Counts what passes.
 */
export class RoughLine {
  readonly #options: RoughLineOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pipes = new Set<Pipe>();
  readonly #old: Buffer[] = [];
  readonly #timer: NodeJS.Timeout;
  #credit = 0;
  #isOpen = true;
  #lastMs = performance.now();
  up = 0;
  down = 0;
  cuts = 0;
  repeats = 0;

  constructor(options: RoughLineOptions) {
    this.#options = options;
    this.#server = createServer((client) => this.#accept(client));
    this.#timer = setInterval(() => this.#pass(), TICK_MS);
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Every connection ends where it stands; new ones are refused until `open`. */
  cut(): void {
    this.#isOpen = false;
    if (this.#pipes.size > 0) this.cuts += 1;
    for (const socket of this.#sockets) socket.destroy();
    this.#pipes.clear();
  }

  open(): void {
    this.#isOpen = true;
  }

  /** Sends an old connection's requests once more, on a connection of their own; the answers go nowhere. */
  async repeat(): Promise<void> {
    const { random, targetPort } = this.#options;
    const old = this.#old[Math.floor(random() * this.#old.length)];
    if (!old) return;
    const socket = connect(targetPort(), '127.0.0.1');
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.write(old);
    this.repeats += 1;
    await sleep(200);
    socket.destroy();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    this.#server.close();
  }

  #accept(client: Socket): void {
    if (!this.#isOpen) {
      client.destroy();
      return;
    }
    const target = connect(this.#options.targetPort(), '127.0.0.1');
    const sent: Buffer[] = [];
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        target.destroy();
        this.#keep(sent.splice(0));
      });
    }
    this.#pipe(client, target, (data) => sent.push(data));
    this.#pipe(target, client, () => {});
  }

  #pipe(from: Socket, to: Socket, seen: (data: Buffer) => void): void {
    const pipe: Pipe = { from, to, waiting: [], bytes: 0 };
    this.#pipes.add(pipe);
    from.on('data', (data) => {
      seen(data);
      pipe.waiting.push(data);
      pipe.bytes += data.length;
      // What the far side has not been given yet stays with its sender, as on a slow line.
      from.pause();
    });
    from.on('close', () => this.#pipes.delete(pipe));
  }

  /** Gives each connection its share of what the line carries in a tick. */
  #pass(): void {
    const now = performance.now();
    const bytes = ((now - this.#lastMs) / 1_000) * (this.#options.bitPerSecond / 8);
    this.#lastMs = now;
    this.#credit = Math.min(this.#credit + bytes, this.#options.bitPerSecond / 16);
    for (const pipe of this.#pipes) {
      while (pipe.waiting.length > 0 && this.#credit >= 1) {
        const chunk = pipe.waiting.shift()!;
        const part = chunk.subarray(0, Math.floor(this.#credit));
        if (part.length < chunk.length) pipe.waiting.unshift(chunk.subarray(part.length));
        this.#credit -= part.length;
        pipe.bytes -= part.length;
        pipe.to.write(part);
        if (pipe.to.remotePort === this.#options.targetPort()) this.up += part.length;
        else this.down += part.length;
      }
      if (pipe.bytes === 0) pipe.from.resume();
    }
  }

  #keep(sent: readonly Buffer[]): void {
    const whole = Buffer.concat(sent);
    if (whole.length === 0) return;
    this.#old.push(whole.subarray(0, REPEATED_BYTES_MAX));
    if (this.#old.length > 16) this.#old.shift();
  }
}
