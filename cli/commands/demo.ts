import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { type ApiClient, apiAddress, apiClient } from '../../daemon/client/api-client.ts';
import { type DaemonChild, startDaemon } from '../../daemon/client/daemon-child.ts';
import { isPortFree } from '../../daemon/port-check.ts';
import { definedOnly, type GlobalOptions, settingsOf } from '../context.ts';
import { Mission } from '../demo/mission.ts';
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
    .option('--timeout <seconds>', 'stop after this many seconds of wall time', '900')
    .option('--install-only', 'install what is missing and end')
    .addHelpText(
      'after',
      '\nExamples:\n  npm start\n  npm start -- --seed 7 --speed 5\n  bin/auraison demo --once --json --seed 3',
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
  const interrupted = onInterrupt();
  const begin = performance.now();
  const start = () => startDaemon({ dataDir, config: settings.file, env: overrides });
  let daemon = await start();
  // Its own daemon, also where AURAISON_URL is set.
  const api = apiClient(settings, {});
  const mission = new Mission(api, out);
  try {
    if ((await mission.cancelLeftovers()) > 0) {
      // The robot may have started to drive for them: it starts where every run starts.
      await daemon.stop();
      daemon = await start();
    }
    const url = apiAddress(dataDir)!.url;
    out.note(`ready in ${((performance.now() - begin) / 1000).toFixed(1)} s   ${url}`);
    const gone = goneTooEarly(daemon);
    const summary = await Promise.race([
      runMission(mission, api, options, out, dataDir, url),
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
    await mission.cancelOpen();
    const code = await daemon.stop();
    if (code !== 0) out.note(`the daemon ended with exit code ${code}; its log: ${daemon.logFile}`);
  }
}

function goneTooEarly(daemon: DaemonChild): Promise<never> {
  const gone = daemon.ended.then((code) => {
    throw new EdgeError('cell.unavailable', {
      operation: 'demo',
      subject: daemon.logFile,
      message: `the daemon ended with exit code ${code} before it was stopped`,
      hint: `its log: ${daemon.logFile}`,
    });
  });
  // The waiting command gets the error; when it no longer waits, the end is no error.
  gone.catch(() => {});
  return gone;
}

async function runMission(
  mission: Mission,
  api: ApiClient,
  options: DemoOptions,
  out: Output,
  dataDir: string,
  url: string,
): Promise<Summary> {
  await mission.untilReleased(commandName(options), !options.once);
  const begin = performance.now();
  const details = await mission.run(Number(options.timeout));
  const wallS = (performance.now() - begin) / 1000;
  await api.post('/v1/recorder/seal');
  const events = await countEvents(api, details.run.run_id);
  const summary = summarize(details, await api.get<Status>('/v1/status'), events);
  if (out.json) process.stdout.write(`${toJson(summary)}\n`);
  else
    process.stdout.write(
      `${summaryText(summary, details, { wallS, url, dataDir, command: commandName(options) })}\n`,
    );
  return summary;
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

/** Settles at the first signal. Further ones change nothing: stopping in order takes seconds at most. */
function onInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}
