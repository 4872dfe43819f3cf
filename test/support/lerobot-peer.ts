import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PEERS = join(import.meta.dirname, '..', 'peers');
const RECIPES = join(PEERS, 'lerobot');
/** Importing LeRobot takes 15 s of a processor; beside other tests it waits for one, milliseconds. */
const START_MS = 240_000;

/** The environment of test/peers/lerobot.sh. */
export function lerobotHome(): string {
  return execFileSync('bash', [join(PEERS, 'lerobot.sh')], { encoding: 'utf8' }).trim();
}

export type ActCase = {
  readonly state: readonly number[];
  readonly shade: number;
  readonly actions: readonly (readonly number[])[];
};

/** A checkpoint of ACT with random weights, made once, and what it gives when it is called directly. */
export function actCheckpoint(home: string): { readonly path: string; readonly cases: readonly ActCase[] } {
  const recipe = join(RECIPES, 'make_act.py');
  const hash = createHash('sha256').update(readFileSync(recipe)).digest('hex').slice(0, 12);
  const path = join(home, `act-${hash}`);
  if (!existsSync(path)) {
    const draft = mkdtempSync(join(home, 'act-draft-'));
    execFileSync(join(home, 'bin', 'python'), [recipe, draft], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      renameSync(draft, path);
    } catch (error) {
      // Somebody else was faster: the same recipe, the same checkpoint.
      if (!existsSync(path)) throw error;
      rmSync(draft, { recursive: true });
    }
  }
  return { path, cases: JSON.parse(readFileSync(join(path, 'direct.json'), 'utf8')) as ActCase[] };
}

/** The picture that make_act.py makes of a shade. */
export function actPicture(shade: number): { shape: readonly [48, 64, 3]; data: Uint8Array } {
  const data = new Uint8Array(48 * 64 * 3);
  for (let i = 0; i < data.length; i++) {
    const [y, x, c] = [Math.floor(i / 192), Math.floor(i / 3) % 64, i % 3];
    data[i] = (y * 3 + x * 5 + c * 40 + shade) % 256;
  }
  return { shape: [48, 64, 3], data };
}

export type LeRobotProcess = {
  readonly process: ChildProcess;
  /** Lines of JSON that it printed. */
  readonly facts: Record<string, unknown>[];
  /** Until one of its lines, of either stream, fits. */
  said(pattern: RegExp): Promise<void>;
  stop(): Promise<void>;
};

/** LeRobot's own server, as it is. */
export async function startPolicyServer(home: string): Promise<LeRobotProcess & { readonly url: string }> {
  const port = await freePort();
  const started = start(home, [
    ...['-m', 'lerobot.async_inference.policy_server'],
    ...['--host=127.0.0.1', `--port=${port}`, '--fps=20', '--inference_latency=0', '--obs_queue_timeout=1'],
  ]);
  await started.said(/PolicyServer started/);
  return { ...started, url: `127.0.0.1:${port}` };
}

/** LeRobot's own client with a robot in memory. */
export function startRobotClient(home: string, args: readonly string[]): LeRobotProcess {
  return start(home, [join(RECIPES, 'robot_client.py'), ...args]);
}

function start(home: string, args: readonly string[]): LeRobotProcess {
  // It writes its logs where it stands.
  const cwd = mkdtempSync(join(tmpdir(), 'lerobot-peer-'));
  mkdirSync(join(cwd, 'home'));
  const child = spawn(join(home, 'bin', 'python'), ['-u', ...args], {
    cwd,
    env: { ...process.env, HF_HOME: join(cwd, 'home'), HF_LEROBOT_HOME: join(cwd, 'home') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const facts: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 5_000) lines.shift();
      if (line.startsWith('{')) facts.push(JSON.parse(line) as Record<string, unknown>);
      for (const look of waiting) look();
    });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const tail = () => lines.slice(-30).join('\n');
  return {
    process: child,
    facts,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const over = (error?: Error) => {
          clearTimeout(timer);
          waiting.delete(look);
          if (error) reject(error);
          else resolve();
        };
        const look = () => {
          if (lines.some((line) => pattern.test(line))) over();
        };
        const timer = setTimeout(() => over(new Error(`never said ${pattern}:\n${tail()}`)), START_MS);
        child.once('exit', (code) => over(new Error(`ended with ${code}:\n${tail()}`)));
        waiting.add(look);
        look();
      }),
    async stop() {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await ended;
      rmSync(cwd, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
