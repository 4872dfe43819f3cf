import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { apiAddress } from '../api-client.ts';

export type DaemonChild = {
  readonly pid: number;
  readonly logFile: string;
  /** Settles with the exit code when the daemon is gone, whoever ended it. */
  readonly ended: Promise<number>;
  stop(): Promise<number>;
};

const ENTRY = join(import.meta.dirname, '..', '..', 'daemon', 'main.ts');

/**
 * Starts the daemon as a process of its own and resolves when its API listens. Its log goes to a file in the
 * data directory. Throws what the daemon said when it did not come up.
 */
export async function startDaemon(options: {
  dataDir: string;
  config: string | undefined;
  /** Over that of this process; undefined takes a variable away. */
  env: Readonly<Record<string, string | undefined>>;
  timeoutMs: number;
}): Promise<DaemonChild> {
  const { dataDir, env } = options;
  mkdirSync(join(dataDir, 'logs'), { recursive: true });
  const logFile = join(dataDir, 'logs', 'daemon.log');
  const address = join(dataDir, 'run', 'api.json');
  const before = apiAddress(dataDir)?.pid;
  const log = openSync(logFile, 'w');
  const args = [
    '--disable-warning=ExperimentalWarning',
    ENTRY,
    ...(options.config === undefined ? [] : ['--config', options.config]),
  ];
  // A group of its own: Ctrl-C reaches this command first, which then stops the daemon in order.
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', log],
    env: { ...process.env, AURAISON_DAEMON_DATA_DIR: dataDir, ...env },
    detached: true,
  });
  closeSync(log);
  const died = new Promise<number>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1))),
  );
  await untilListening(child, dataDir, before, logFile, options.timeoutMs);
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
