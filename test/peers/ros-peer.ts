import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PEER_WORKERS } from '../../scripts/testing/workers.mjs';

/** Domains from 1 whose ports are free on every Linux host. */
const DOMAINS = 100;

/** Real ROS 2 peers for the tests: rclpy nodes of the installation that `ros.sh` makes. */
const peers = fileURLToPath(new URL('.', import.meta.url));

export type RosEnv = Record<string, string>;

/** Installs what is missing (minutes, once) and answers the environment of a ROS process. */
export function rosEnvironment(): RosEnv {
  const out = execFileSync('bash', [join(peers, 'ros.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const env = JSON.parse(readFileSync(out.trim().split('\n').at(-1)!, 'utf8')) as RosEnv;
  // A domain of their own: tests of several files, and robots on the same network, do not meet.
  // Files that run at the same time have different numbers of their worker.
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) + Number(process.env['TEST_WORKER_OFFSET'] ?? 0);
  const domain =
    1 + (process.pid % Math.floor(DOMAINS / PEER_WORKERS)) * PEER_WORKERS + (worker % PEER_WORKERS);
  return {
    ...env,
    ROS_DOMAIN_ID: String(domain),
    ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST',
    FASTRTPS_DEFAULT_PROFILES_FILE: fileURLToPath(
      new URL('../../adapters/ros/fastdds-profile.xml', import.meta.url),
    ),
  };
}

/** A Python process that prints JSON lines and ends when its stdin closes. */
export class PythonPeer {
  readonly child: ChildProcess;
  readonly lines: unknown[] = [];
  #stderr = '';
  #wake = Promise.withResolvers<void>();
  #over = false;

  constructor(env: RosEnv, script: string, args: readonly string[]) {
    this.child = spawn(env['PYTHON']!, [join(peers, script), ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    const reader = createInterface({ input: this.child.stdout! });
    reader.on('line', (line) => {
      this.lines.push(JSON.parse(line));
      this.#turn();
    });
    reader.on('close', () => {
      this.#over = true;
      this.#turn();
    });
  }

  /** The first line from `from` on that fits; fails when the process ends or `ms` pass. */
  async line<T>(fits: (line: T) => boolean, ms: number, from = 0): Promise<T> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ms);
    try {
      for (;;) {
        const found = this.lines.slice(from).find((line) => fits(line as T));
        if (found !== undefined) return found as T;
        if (this.#over || late.signal.aborted) {
          const why = this.#over ? 'the peer ended' : `nothing in ${ms} ms`;
          throw new Error(
            `${why}; ${this.lines.length} lines, last ${JSON.stringify(this.lines.at(-1))}; ${this.#stderr}`,
          );
        }
        await Promise.race([this.#wake.promise, once(late.signal, 'abort')]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.stdin!.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3_000);
    await gone;
    clearTimeout(timer);
  }

  #turn(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
