import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EdgeError } from '../../contract/core.ts';
import { daemonOf, makeDirectory, unusableDataDir } from '../supervisor/data-lock.ts';
import { apiAddress } from './api-client.ts';

/** How long a killed daemon may take to release its data directory, milliseconds. */
const DYING_MS = 1_000;
/** The first start on a small or busy host compiles everything, and giving up on it helps no one. */
const START_MS = 120_000;

export type DaemonChild = {
  readonly pid: number;
  readonly logFile: string;
  /** Settles with the exit code when the daemon is gone, for whatever reason. */
  readonly ended: Promise<number>;
  stop(): Promise<number>;
};

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/**
 * Starts the daemon as a process of its own and resolves when its API listens. Its log goes to a file in the
 * data directory; that of the start before is kept beside it. Throws what the daemon logged when it did not come
 * up, `host.data_dir_in_use` where another one runs, `host.missing` where the directory cannot be written.
 */
export async function startDaemon(options: {
  dataDir: string;
  config: string | undefined;
  /** Added to the environment of this process; undefined removes a variable. */
  env: Readonly<Record<string, string | undefined>>;
  timeoutMs?: number;
  /** The file that runs: that of this source, or a packed one. */
  main?: string;
}): Promise<DaemonChild> {
  const { dataDir, env, timeoutMs = START_MS, main = MAIN } = options;
  const logFile = join(dataDir, 'logs', 'daemon.log');
  const address = join(dataDir, 'run', 'api.json');
  const before = apiAddress(dataDir)?.pid;
  const log = await openLog(dataDir, logFile);
  const args = [
    '--disable-warning=ExperimentalWarning',
    main,
    ...(options.config === undefined ? [] : ['--config', options.config]),
  ];
  // A process group of its own: Ctrl-C reaches this command first, which then stops the daemon in order.
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', log],
    env: { ...process.env, AURAISON_DAEMON_DATA_DIR: dataDir, ...env },
    detached: true,
  });
  closeSync(log);
  const died = new Promise<number>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1))),
  );
  await untilListening(child, dataDir, before, logFile, timeoutMs);
  return {
    pid: child.pid!,
    logFile,
    ended: died,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      const code = await died;
      clearTimeout(late);
      rmSync(address, { force: true });
      return code;
    },
  };
}

/** A new file for each start. The log of a daemon that runs stays as it is: this start is refused before that. */
async function openLog(dataDir: string, logFile: string): Promise<number> {
  try {
    makeDirectory(join(dataDir, 'logs'));
  } catch (cause) {
    throw unusableDataDir(dataDir, cause);
  }
  // A daemon that was killed a moment ago may hold its lock until the kernel has ended it.
  const end = performance.now() + DYING_MS;
  for (let other = daemonOf(dataDir); other; other = daemonOf(dataDir)) {
    if (performance.now() > end) throw inUse(dataDir, other.pid);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    if (existsSync(logFile)) renameSync(logFile, join(dataDir, 'logs', 'daemon.1.log'));
    // Never truncated: a daemon that starts at this moment may have opened it.
    return openSync(logFile, 'a');
  } catch (cause) {
    throw unusableDataDir(dataDir, cause);
  }
}

function inUse(dataDir: string, pid: number | undefined): EdgeError {
  return new EdgeError('host.data_dir_in_use', {
    operation: 'start daemon',
    subject: dataDir,
    message: `another daemon (process ${pid ?? 'unknown'}) uses ${dataDir}`,
    hint: 'stop it (Ctrl-C where it was started), or give this one a directory of its own: --data-dir DIR',
  });
}

async function untilListening(
  child: ChildProcess,
  dataDir: string,
  before: number | undefined,
  logFile: string,
  timeoutMs: number,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw notUp(`the daemon ended with ${child.exitCode ?? child.signalCode}`, logFile);
    const address = apiAddress(dataDir);
    if (address && address.pid !== before && (await answers(address.url))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGTERM');
  throw notUp(`the daemon was not up within ${timeoutMs / 1000} s`, logFile);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}

function notUp(message: string, logFile: string): EdgeError {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  const plain = lines.filter((line) => !line.startsWith('{')).slice(-4);
  const detail = plain.length > 0 ? plain.join('\n') : lines.slice(-3).join('\n');
  return new EdgeError('cell.unavailable', {
    operation: 'start daemon',
    subject: logFile,
    message: `${message}\n${detail}`.trim(),
    hint: `the whole log: ${logFile}`,
  });
}
