import { type ChildProcess, spawn } from 'node:child_process';
import { accepts } from './accepts.ts';
import { zenohPeers } from './zenoh.ts';

/** A real zenohd or zenoh-bridge-remote-api: it can be killed, stopped and started again at the same address. */
export class ZenohProgram {
  readonly #path: string;
  readonly #args: readonly string[];
  readonly #port: number;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(path: string, args: readonly string[], port: number) {
    this.#path = path;
    this.#args = args;
    this.#port = port;
  }

  /** A router at `tcp/127.0.0.1:port`; resolves when it listens. */
  static async zenohd(port: number, ...more: string[]): Promise<ZenohProgram> {
    const args = ['-l', `tcp/127.0.0.1:${port}`, '--no-multicast-scouting', ...more];
    const program = new ZenohProgram(zenohPeers().zenohd, args, port);
    await program.start();
    return program;
  }

  /** A bridge with its WebSocket at `port`. Without `router` it is alone: its users see each other. */
  static async bridge(port: number, router?: string): Promise<ZenohProgram> {
    const to = router === undefined ? ['-l', 'tcp/127.0.0.1:0'] : ['-m', 'client', '-e', router];
    const args = ['--ws-port', `127.0.0.1:${port}`, '--no-multicast-scouting', ...to];
    const program = new ZenohProgram(zenohPeers().bridge, args, port);
    await program.start();
    return program;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const child = spawn(this.#path, this.#args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, RUST_LOG: 'error', NO_COLOR: '1' },
    });
    this.#child = child;
    let failed: Error | undefined;
    child.on('error', (error) => {
      failed = error;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.#output = (this.#output + text.toString()).slice(-4000);
      });
    }
    const end = performance.now() + 20_000;
    while (!(await accepts(this.#port))) {
      if (failed || child.exitCode !== null || performance.now() > end)
        throw new Error(`${this.#path} does not listen: ${failed?.message ?? ''} ${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    // A stopped process takes no other signal than this one.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    await gone;
  }

  /** Deaf, but with its sockets open. */
  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
