import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

import { descendants } from './processes.ts';

const PEERS = join(import.meta.dirname, '..', 'peers');

export type ModelServer = {
  readonly url: string;
  readonly port: number;
  /** To the server and everything it started. */
  signal(name: NodeJS.Signals): void;
  /** To those of its processes whose command line fits, its front not among them; how many there were. */
  signalInside(command: RegExp, name: NodeJS.Signals): number;
  stop(): Promise<void>;
};

/** A real small model behind llama.cpp's own server. */
export async function startLlama(): Promise<ModelServer> {
  const { python, serve, weights } = JSON.parse(await capture('bash', [join(PEERS, 'llama.sh')])) as {
    readonly [part in 'python' | 'serve' | 'weights']: string;
  };
  const child = spawn(python, [serve, weights, '--name', 'smollm2', '--until-stdin-ends'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
      const found = /port=(\d+)/.exec(said);
      if (found) resolve(Number(found[1]));
    });
    child.on('exit', (code) => reject(new Error(`the llama server ended (${code}): ${said}`)));
  });
  return await ready(child, port);
}

/** A real vLLM whose model says noise. */
export async function startVllm(port: number): Promise<ModelServer> {
  const environment = (await capture('bash', [join(PEERS, 'vllm.sh')])).trim();
  const order = `source "${environment}" && exec bash "${join(PEERS, 'vllm', 'serve.sh')}" ${port}`;
  const child = spawn('bash', ['-c', order], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let tail = '';
  child.stderr.on('data', (data: Buffer) => {
    tail = (tail + data.toString()).slice(-4_000);
  });
  return await ready(child, port, () => tail);
}

async function ready(child: ChildProcess, port: number, tail = () => ''): Promise<ModelServer> {
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, name);
    } catch {
      // It is over.
    }
  };
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const server: ModelServer = {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    signal,
    signalInside(command, name) {
      const inside = descendants(child.pid!).filter((one) => command.test(one.command));
      for (const { pid } of inside) process.kill(pid, name);
      return inside.length;
    },
    async stop() {
      signal('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await ended;
    },
  };
  process.once('exit', () => signal('SIGKILL'));
  for (let tries = 0; tries < 3_000; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${tail()}`);
    const answer = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(2_000),
    }).catch(() => undefined);
    if (answer?.ok) return server;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await server.stop();
  throw new Error(`the server did not come up: ${tail()}`);
}

function capture(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0 ? resolve(said) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}`)),
    );
  });
}

/** A way to a server that can stand still without breaking, as a network does. */
export class StallingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #still = false;

  private constructor(to: number) {
    this.#server = createServer((near) => {
      const far = connect(to, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', (data) => void (this.#still || far.write(data)));
      far.on('data', (data) => void (this.#still || near.write(data)));
    });
  }

  static async start(to: number): Promise<StallingProxy> {
    const proxy = new StallingProxy(to);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1`;
  }

  /** From now on nothing passes, and no connection breaks. */
  stand(still: boolean): void {
    this.#still = still;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
