import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Status } from '../../cli/status-view.ts';
import type { AgentEvent, RunDetails } from '../../contract/index.ts';
import { type ApiClient, apiClient } from '../../daemon/client/api-client.ts';
import { type DaemonChild, startDaemon } from '../../daemon/client/daemon-child.ts';
import { loadSettings, type Settings } from '../../daemon/settings.ts';
import { patientApi } from './patient-api.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
export const AURAISON = join(ROOT, 'bin', 'auraison');
/** The folder of packed files that run in place of the sources, as they do where users start a daemon. */
const PACKED = process.env['AURAISON_PACKED'];

/** A real daemon in a directory of its own, as a user would run it. */
export type TestDaemon = {
  readonly dataDir: string;
  readonly settings: Settings;
  readonly api: ApiClient;
  readonly child: DaemonChild;
  status(): Promise<Status>;
  pidOf(cell: string): Promise<number>;
  log(): string;
  stop(): Promise<number>;
};

export function freshDir(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/**
 * `env` holds AURAISON_* variables over the defaults of a test: free port, no Zenoh, and agents start however busy the
 * host of the tests is.
 */
export async function testDaemon(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<TestDaemon> {
  const variables = {
    AURAISON_API_PORT: '0',
    AURAISON_ZENOH_ENABLED: 'false',
    AURAISON_RUNS_LOAD_MAX: '0',
    AURAISON_RUNS_MEMORY_PRESSURE_MAX: '0',
    AURAISON_DAEMON_DATA_DIR: dataDir,
    ...env,
  };
  const settings = loadSettings(undefined, variables);
  const child = await startDaemon({
    dataDir,
    config: undefined,
    env: variables,
    timeoutMs: 90_000,
    ...(PACKED === undefined ? {} : { main: join(PACKED, 'daemon.main.mjs') }),
  });
  const api = patientApi(apiClient(settings));
  const status = () => api.get<Status>('/v1/status');
  // The API listens before the last cell is up; a test that breaks a cell on purpose goes on after a while.
  await until(
    async () => (await status()).cells.every((cell) => cell.state === 'up'),
    'all cells are up',
    10_000,
  ).catch(() => {});
  return {
    dataDir,
    settings,
    api,
    child,
    status,
    async pidOf(cell) {
      return until(
        async () => (await status()).cells.find((c) => c.name === cell && c.state === 'up')?.pid,
        `the ${cell} cell is up`,
      );
    },
    log: () => readFileSync(child.logFile, 'utf8'),
    stop: () => child.stop(),
  };
}

/** Looks every 50 ms until `look` gives something; fails by name after a minute. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  timeoutMs = 60_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(
    `not within ${timeoutMs} ms: ${what}${last === undefined ? '' : ` (${(last as Error).message})`}`,
  );
}

export async function finishedRun(api: ApiClient, runId: string, timeoutMs = 120_000): Promise<RunDetails> {
  return until(
    async () => {
      const details = await api.get<RunDetails>(`/v1/runs/${runId}`);
      return ['succeeded', 'failed', 'cancelled'].includes(details.run.status) ? details : undefined;
    },
    `run ${runId} ends`,
    timeoutMs,
  );
}

/** Every event of all cells that is durable now. */
export async function allEvents(api: ApiClient, query = ''): Promise<AgentEvent[]> {
  const response = await api.stream(`/v1/events?follow=false${query}`, { accept: 'application/x-ndjson' });
  return (await response.text())
    .split('\n')
    .filter((line) => line.startsWith('{"'))
    .map((line) => JSON.parse(line) as AgentEvent)
    .filter((event) => event.kind !== undefined);
}

export type CliResult = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** A command that starts a daemon takes a free port, and one whose daemon is gone asks no other one of this host. */
const OWN_PORT = { AURAISON_API_PORT: '0' };

/** Runs a command of the command line to its end. */
export function auraison(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeoutMs = 120_000,
): CliResult {
  const { status, stdout, stderr } = spawnSync(AURAISON, [...args], {
    encoding: 'utf8',
    env: { ...OWN_PORT, ...process.env, ...env },
    timeout: timeoutMs,
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** The same without blocking, so that several may run at once. `started` has the process of the command. */
export function auraisonAsync(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  started: (pid: number) => void = () => {},
): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = spawn(AURAISON, [...args], {
      env: { ...OWN_PORT, ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) started(child.pid);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
