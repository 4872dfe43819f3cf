import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { zenohPeers } from './zenoh.ts';

const SCRIPT = join(import.meta.dirname, '../peers/bad_link.py');
const ROUTER_PORT = 7447;

export type LinkFigures = {
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Share of packets lost, each way. */
  readonly loss: number;
  readonly bitPerSecond: number;
};

type Direction = { readonly sent: number; readonly lost: number; readonly overflow: number };
export type LinkStats = { readonly there: Direction; readonly back: Direction };

/**
 * A bad network between this process and a far side. With the rights for it the far side is a network namespace
 * and what is between carries IP packets under the kernel's own TCP; without, a shaping TCP proxy.
 */
export class BadLink {
  readonly kind: 'namespace' | 'proxy';
  /** Where the router is, seen from here through the bad network. */
  readonly endpoint: string;
  /** Where the router is, seen from the far side. */
  readonly farEndpoint: string;
  /** Where the router is to listen. */
  readonly routerListens: string;
  readonly #namespace: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    namespace: string,
    subnet: number,
    proxyPort: number,
    routerPort: number,
    args: string[],
  ) {
    this.kind = namespace === '' ? 'proxy' : 'namespace';
    this.#namespace = namespace;
    const far = `tcp/127.0.0.1:${namespace === '' ? routerPort : ROUTER_PORT}`;
    this.farEndpoint = far;
    this.routerListens = namespace === '' ? far : `tcp/0.0.0.0:${ROUTER_PORT}`;
    this.endpoint = namespace === '' ? `tcp/127.0.0.1:${proxyPort}` : `tcp/10.213.${subnet}.2:${ROUTER_PORT}`;
    this.#child = spawn(zenohPeers().python, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** `ports`: two free ones, for where no namespace may be made. */
  static async open(figures: LinkFigures, ports: readonly [number, number]): Promise<BadLink> {
    const shape = [figures.delayMs, figures.jitterMs, figures.loss, figures.bitPerSecond].map(String);
    const subnet = 20 + (process.pid % 200);
    const name = `auraison${process.pid % 10_000}`;
    const link = mayMakeNamespaces()
      ? new BadLink(name, subnet, 0, 0, ['tun', name, String(subnet), ...shape])
      : new BadLink('', 0, ports[0], ports[1], ['proxy', String(ports[0]), String(ports[1]), ...shape]);
    const { done } = await link.#lines.next();
    if (done) throw new Error('bad_link.py did not start');
    return link;
  }

  /** A command line that runs on the far side. */
  onFarSide(...command: readonly string[]): [string, string[]] {
    const [first = '', ...rest] = command;
    if (this.kind === 'proxy') return [first, rest];
    return ['ip', ['netns', 'exec', this.#namespace, ...command]];
  }

  async tell(command: 'cut' | 'heal' | 'stats'): Promise<LinkStats> {
    this.#child.stdin!.write(`${command}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(value as string) as LinkStats;
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await gone;
  }
}

function mayMakeNamespaces(): boolean {
  const probe = `auraison-probe-${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'exec', probe, 'ip', 'tuntap', 'add', 'dev', 't', 'mode', 'tun'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  } finally {
    try {
      execFileSync('ip', ['netns', 'del', probe], { stdio: 'ignore' });
    } catch {
      // It was not made.
    }
  }
}
