import type { Command } from 'commander';
import { EdgeError, isFinished, type RunDetails, type Submitted } from '../../contract/core.ts';
import { isPortFree } from '../../daemon/port-check.ts';
import { type ApiClient, apiAddress, apiClient } from '../api-client.ts';
import { definedOnly, type GlobalOptions, settingsOf } from '../context.ts';
import { startDaemon } from '../demo/daemon-child.ts';
import { Progress } from '../demo/progress.ts';
import { type Summary, summarize, summaryText } from '../demo/summary.ts';
import { failWith, makeOutput, type Output, toJson } from '../output.ts';
import type { Status } from '../status-view.ts';

type DemoOptions = GlobalOptions & {
  seed?: string;
  width?: string;
  height?: string;
  speed?: string;
  pace?: string;
  policy?: string;
  once?: boolean;
  installOnly?: boolean;
  timeout: string;
};

/** The API is back long before that when its cell was killed. */
const PATIENCE_MS = 30_000;

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'a simulated robot finds its way out of a maze, recorded and queryable (what npm start does)',
    )
    .option('--once', 'end after the run with an exit code, instead of staying up')
    .option('--seed <number>', 'seed of the maze and of the noise')
    .option('--width <cells>', 'width of the maze')
    .option('--height <cells>', 'height of the maze')
    .option('--speed <times>', 'simulated seconds per second, or max')
    .option('--pace <pace>', 'lockstep (repeats exactly) or realtime')
    .option('--policy <policy>', 'driving policy: onnx or pursuit')
    .option('--timeout <seconds>', 'give up after this long on the clock', '900')
    .option('--install-only', 'install what is missing and end')
    .addHelpText(
      'after',
      '\nExamples:\n  npm start\n  npm start -- --seed 7 --speed 5\n  npm start -- --once --json --seed 3',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DemoOptions>();
      if (options.installOnly) return;
      const out = makeOutput(options.json === true);
      try {
        process.exitCode = await demo(options, out);
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
}

async function demo(options: DemoOptions, out: Output): Promise<number> {
  const overrides = definedOnly({
    AURAISON_ROBOT_SOURCE: 'sim',
    AURAISON_SIM_SEED: options.seed,
    AURAISON_SIM_WIDTH: options.width,
    AURAISON_SIM_HEIGHT: options.height,
    AURAISON_SIM_SPEED: options.speed,
    AURAISON_SIM_PACE: options.pace,
    AURAISON_CONTROL_POLICY: options.policy,
  });
  const settings = settingsOf(options, overrides);
  const { dataDir, config } = settings;
  if (config.api.port !== 0 && !(await isPortFree(config.api.host, config.api.port))) {
    out.note(`port ${config.api.port} is in use; the API takes a free one`);
    overrides['AURAISON_API_PORT'] = '0';
  }
  out.note(
    `starting the daemon: maze ${config.sim.width}x${config.sim.height}, seed ${config.sim.seed}, data in ${dataDir}`,
  );
  const begin = performance.now();
  const daemon = await startDaemon({ dataDir, config: settings.file, env: overrides, timeoutMs: 30_000 });
  const url = apiAddress(dataDir)!.url;
  out.note(`ready in ${((performance.now() - begin) / 1000).toFixed(1)} s   ${url}`);
  const interrupted = onInterrupt();
  const gone = daemon.ended.then((code) => {
    throw new EdgeError('cell.unavailable', {
      operation: 'demo',
      subject: daemon.logFile,
      message: `the daemon ended with exit code ${code} before it was told to`,
      hint: `its log: ${daemon.logFile}`,
    });
  });
  // Whoever waits hears of it; when nobody waits any more it is no fault.
  gone.catch(() => {});
  try {
    const api = apiClient(settings);
    const summary = await Promise.race([
      runMission(api, options, out, dataDir, url),
      interrupted.then(() => undefined),
      gone,
    ]);
    if (!summary) return 130;
    if (!options.once) {
      out.note(`\nThe daemon stays up: ${url} (token in ${dataDir}/token). Ctrl-C ends it.`);
      await Promise.race([interrupted, gone]);
      return 0;
    }
    return summary.reached ? 0 : 1;
  } finally {
    const code = await daemon.stop();
    if (code !== 0) out.note(`the daemon ended with exit code ${code}; its log: ${daemon.logFile}`);
  }
}

async function runMission(
  api: ApiClient,
  options: DemoOptions,
  out: Output,
  dataDir: string,
  url: string,
): Promise<Summary> {
  const sent = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  const runId = sent.run.run_id;
  out.note(`intent "find the exit" accepted: run ${runId}\n`);
  const progress = new Progress(
    (text) => process.stderr.write(text),
    process.stderr.isTTY === true && !out.json,
  );
  const begin = performance.now();
  const limitS = Number(options.timeout);
  let details: RunDetails;
  for (;;) {
    details = await patiently(() => api.get<RunDetails>(`/v1/runs/${runId}`));
    const elapsedS = (performance.now() - begin) / 1000;
    if (!out.json)
      progress.show({
        status: await patiently(() => api.get<Status>('/v1/status')),
        phase: details.phase ?? details.run.status,
        elapsedS,
      });
    if (isFinished(details.run.status)) break;
    if (elapsedS > limitS)
      throw new EdgeError('deadline.exceeded', {
        operation: 'demo',
        subject: runId,
        message: `the run did not end within ${limitS} s`,
        hint: '--timeout <seconds>',
      });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const wallS = (performance.now() - begin) / 1000;
  await api.post('/v1/recorder/seal');
  const events = await countEvents(api, runId);
  const summary = summarize(details, await api.get<Status>('/v1/status'), events);
  if (out.json) process.stdout.write(`${toJson(summary)}\n`);
  else
    process.stdout.write(
      `${summaryText(summary, details, { wallS, url, dataDir, command: commandName(options) })}\n`,
    );
  return summary;
}

/** A cell that is being restarted is away for a moment: the run goes on, and so does whoever watches it. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof EdgeError) || !error.retryable || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function countEvents(api: ApiClient, runId: string): Promise<number> {
  const response = await api.stream(`/v1/runs/${runId}/events?follow=false`, {
    accept: 'application/x-ndjson',
  });
  return (await response.text()).split('\n').filter((line) => line.startsWith('{')).length;
}

function commandName(options: GlobalOptions): string {
  return `bin/auraison${options.dataDir === undefined ? '' : ` --data-dir ${options.dataDir}`}`;
}

function onInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
}
