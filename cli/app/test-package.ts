import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PackageStore } from '../../adapters/packages/index.ts';
import {
  type AgentEvent,
  EdgeError,
  isFinished,
  type RunDetails,
  type Submitted,
} from '../../contract/core.ts';
import { type ApiClient, apiClient } from '../../daemon/client/api-client.ts';
import { startDaemon } from '../../daemon/client/daemon-child.ts';
import { isPortFree } from '../../daemon/port-check.ts';
import { loadSettings, type Settings } from '../../daemon/settings.ts';
import { modelsUp } from '../models/daemon-news.ts';
import { type AppCase, casesOf } from './cases.ts';
import { faultsText, type GoodPackage } from './read.ts';

const CASE_S = 120;
const NODE_TEST_MS = 300_000;

export type CaseResult = {
  readonly file: string;
  readonly name: string;
  readonly ok: boolean;
  readonly problems: readonly string[];
  /** Metres by the odometer; absent of tests that drive nothing. */
  readonly moved?: number;
  readonly run_id?: string;
};

/**
 * Runs the tests of a package: its cases on the simulated robot of a daemon of its own, then `tests/*.test.ts` by Node's
 * test runner. `config`: a configuration file whose models its agents may ask.
 */
export async function testPackage(
  read: GoodPackage,
  settings: Settings,
  parts: { readonly config: string | undefined; note(text: string): void },
): Promise<readonly CaseResult[]> {
  const { cases, faults } = casesOf(read);
  if (faults.length > 0)
    throw new EdgeError('config.invalid', {
      operation: 'read tests',
      subject: read.pkg.manifest.name,
      message: faultsText(read.pkg.manifest.name, faults),
    });
  const asksModels = read.pkg.manifest.harness === 'pi';
  if (cases.length > 0 && asksModels && settings.config.models.length === 0)
    throw new EdgeError('model.not_found', {
      operation: 'test',
      subject: read.pkg.manifest.name,
      message: 'its agent needs a model, and the configuration has none',
      hint: 'auraison models add local installs a small one; --config FILE names another configuration',
    });
  const folder = mkdtempSync(join(tmpdir(), 'auraison-app-test-'));
  try {
    const own = new PackageStore(join(folder, 'package')).keep(read.pkg);
    const driven = cases.length === 0 ? [] : await onDaemon(own, folder, cases, { ...parts, asksModels });
    return [...driven, ...nodeTests(read, own)];
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function onDaemon(
  own: string,
  folder: string,
  cases: readonly AppCase[],
  parts: { readonly config: string | undefined; readonly asksModels: boolean; note(text: string): void },
): Promise<readonly CaseResult[]> {
  const { config, asksModels, note } = parts;
  const dataDir = join(folder, 'data');
  note('starting a daemon with the simulated robot …');
  const { engine } = loadSettings(config, process.env).config;
  // The daemon of this robot may serve the model already: its server is asked then, and no second one is started.
  const isServed = engine.model_name !== '' && !(await isPortFree('127.0.0.1', engine.port));
  const env = {
    ...(isServed ? { AURAISON_ENGINE_MODEL_NAME: '' } : {}),
    AURAISON_API_PORT: '0',
    AURAISON_DAEMON_DATA_DIR: dataDir,
    AURAISON_ZENOH_ENABLED: 'false',
    AURAISON_ROBOT_SOURCE: 'sim',
    AURAISON_LINK_CENTRAL_URL: '',
    AURAISON_RUNS_AUTO_START: '',
    AURAISON_APPS_DIRS: own,
    AURAISON_APPS_REQUIRE_SIGNED: 'false',
  };
  const child = await startDaemon({ dataDir, config, env });
  try {
    const api = apiClient(loadSettings(config, { ...process.env, ...env }), {});
    if (asksModels) await modelsUp(api, note);
    const results: CaseResult[] = [];
    for (const one of cases) {
      note(`case "${one.name}" …`);
      results.push(await driveCase(api, one));
    }
    return results;
  } finally {
    await child.stop();
  }
}

async function driveCase(api: ApiClient, one: AppCase): Promise<CaseResult> {
  const before = await odometer(api);
  const problems: string[] = [];
  let runId: string | undefined;
  try {
    const sent = await api.post<Submitted>('/v1/intents', { type: one.intent, params: one.params ?? {} });
    runId = sent.run.run_id;
    const details = await finished(api, runId, (one.deadline_s ?? CASE_S) * 1_000);
    const status = one.status ?? 'succeeded';
    if (details.run.status !== status)
      problems.push(`expected ${status}, it ${details.run.status}: ${details.reason}`);
    if (one.reason !== undefined && !details.reason.includes(one.reason))
      problems.push(`expected a reason with "${one.reason}", it was "${details.reason}"`);
    if (one.calls) problems.push(...(await missingCalls(api, runId, one.calls)));
  } catch (thrown) {
    const { message, hint } = EdgeError.from(thrown, 'internal.fault', 'test', one.name);
    problems.push(hint === '' ? message : `${message} (${hint})`);
  }
  const moved = Math.round(((await odometer(api)) - before) * 1_000) / 1_000;
  if (one.moved_min !== undefined && moved < one.moved_min)
    problems.push(`expected at least ${one.moved_min} m, it drove ${moved} m`);
  if (one.moved_max !== undefined && moved > one.moved_max)
    problems.push(`expected at most ${one.moved_max} m, it drove ${moved} m`);
  const { file, name } = one;
  return {
    file,
    name,
    ok: problems.length === 0,
    problems,
    moved,
    ...(runId === undefined ? {} : { run_id: runId }),
  };
}

async function finished(api: ApiClient, runId: string, ms: number): Promise<RunDetails> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const details = await api.get<RunDetails>(`/v1/runs/${runId}`);
    if (isFinished(details.run.status)) return details;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await api.post(`/v1/runs/${runId}/cancel`, { reason: 'the time of its test is over' });
  throw new EdgeError('deadline.exceeded', {
    operation: 'test',
    subject: runId,
    message: `the run did not end within ${ms / 1_000} s`,
    hint: 'deadline_s of the case gives it more',
  });
}

async function odometer(api: ApiClient): Promise<number> {
  const { robot } = await api.get<{ robot?: { distance?: number } }>('/v1/status');
  return robot?.distance ?? 0;
}

async function missingCalls(
  api: ApiClient,
  runId: string,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const response = await api.stream(`/v1/runs/${runId}/events?follow=false`, {
    accept: 'application/x-ndjson',
  });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('{"'));
  const made = lines
    .map((line) => JSON.parse(line) as AgentEvent)
    .flatMap((event) =>
      event.kind === 'tool.returned' && event.payload.ok && event.run_id === runId
        ? [event.payload.tool]
        : [],
    );
  return wanted.filter((tool) => !made.includes(tool)).map((tool) => `${tool} was not called`);
}

/** Each file is one result: what went wrong is in its output. */
function nodeTests({ pkg }: GoodPackage, folder: string): readonly CaseResult[] {
  const files = pkg.files
    .map(({ path }) => path)
    .filter((path) => /^tests\/.*\.test\.(ts|js|mjs)$/.test(path));
  return files.map((file) => {
    const args = ['--disable-warning=ExperimentalWarning', '--test', join(folder, file)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      timeout: NODE_TEST_MS,
      // Of the environment of this command only what Node itself needs: a package's tests get no token.
      env: { PATH: process.env['PATH'], HOME: folder },
    });
    const problems = status === 0 ? [] : `${stdout}\n${stderr}`.trim().split('\n').slice(-40);
    return { file, name: file, ok: status === 0, problems };
  });
}
