import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** The reference coordinator as a process that tests may kill; the port stays the same across starts. */
export class CentralProcess {
  readonly dataDir: string;
  #port = 0;
  #child: ChildProcess | undefined;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  token(): string | undefined {
    try {
      return readFileSync(join(this.dataDir, 'token'), 'utf8').trim();
    } catch {
      return undefined; // not made before its first start
    }
  }

  async start(): Promise<void> {
    const entry = join(import.meta.dirname, 'central-main.ts');
    const child = spawn(process.execPath, [entry, this.dataDir, String(this.#port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const [line] = (await once(child.stdout!, 'data')) as [Buffer];
    this.#port = Number(new URL((JSON.parse(line.toString()) as { url: string }).url).port);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** A wire that passes requests on and cuts each connection after so many bytes of answers as `cutAfter` says. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  cuts = 0;

  constructor(targetPort: () => number, cutAfter: () => number) {
    this.#server = createServer((client) => {
      const target = connect(targetPort(), '127.0.0.1');
      let rest = cutAfter();
      for (const socket of [client, target]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          target.destroy();
        });
      }
      client.pipe(target);
      target.on('data', (data) => {
        client.write(data.subarray(0, rest));
        rest -= data.length;
        if (rest > 0) return;
        this.cuts += 1;
        client.destroySoon();
      });
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
