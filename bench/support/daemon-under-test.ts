import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, cpuSeconds } from './process-memory.ts';

const ENTRY = join(import.meta.dirname, '..', '..', 'daemon', 'main.ts');

/** Milliseconds since the process was started; processor seconds of the whole tree until then. */
export type Mark = { readonly ms: number; readonly cpuS: number };
export type DaemonUnderTest = {
  readonly pid: number;
  /** All cells are up and the API answers. */
  readonly ready: Mark;
  /** What cells open in the background is open too: the lake. */
  readonly complete: Mark;
  stop(): Promise<void>;
};

type Status = {
  readonly cells: readonly { readonly name: string; readonly state: string }[];
  readonly lake: { readonly ready?: boolean };
};

/** Starts the real daemon on a free port and waits until it is ready; throws with its log when it is not. */
export async function startDaemon(
  dataDir: string,
  cacheDir: string,
  timeoutMs = 60_000,
  env: Readonly<Record<string, string>> = {},
): Promise<DaemonUnderTest> {
  const log = openSync(join(dataDir, 'daemon.log'), 'a');
  const began = performance.now();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY], {
    stdio: ['ignore', 'ignore', log],
    env: {
      ...process.env,
      AURAISON_DAEMON_DATA_DIR: dataDir,
      AURAISON_API_PORT: '0',
      AURAISON_ROBOT_SOURCE: 'sim',
      NODE_COMPILE_CACHE: cacheDir,
      ...env,
    },
  });
  closeSync(log);
  const pid = child.pid!;
  const mark = (): Mark => ({
    ms: performance.now() - began,
    cpuS: [pid, ...childrenOf(pid)].reduce((sum, one) => sum + cpuSeconds(one), 0),
  });
  const until = async (done: (status: Status) => boolean) => {
    while (performance.now() - began < timeoutMs && child.exitCode === null) {
      const status = await statusOf(dataDir, pid);
      if (status && done(status)) return mark();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    child.kill('SIGKILL');
    throw new Error(
      `the daemon was not ready:\n${readFileSync(join(dataDir, 'daemon.log'), 'utf8').slice(-2_000)}`,
    );
  };
  const ready = await until(({ cells }) => cells.every(({ state }) => state === 'up'));
  const complete = await until(({ lake }) => lake.ready === true);
  return { pid, ready, complete, stop: () => ended(child) };
}

/** Undefined while nothing answers. The address file of an earlier start is recognised by its dead process. */
async function statusOf(dataDir: string, daemon: number): Promise<Status | undefined> {
  const address = join(dataDir, 'run', 'api.json');
  const token = join(dataDir, 'token');
  if (!existsSync(address) || !existsSync(token)) return undefined;
  try {
    const { url, pid } = JSON.parse(readFileSync(address, 'utf8')) as { url: string; pid: number };
    // With `cells = "inline"` it is the daemon itself.
    if (pid !== daemon && !childrenOf(daemon).includes(pid)) return undefined;
    const headers = { authorization: `Bearer ${readFileSync(token, 'utf8').trim()}` };
    const response = await fetch(`${url}/v1/status`, { headers, signal: AbortSignal.timeout(2_000) });
    return response.ok ? ((await response.json()) as Status) : undefined;
  } catch {
    return undefined;
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.once('exit', () => {
      clearTimeout(late);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
