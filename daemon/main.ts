/** The daemon as a process: starts the cells, obeys signals, notifies systemd. `auraison up` runs this. */
import './no-telemetry.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../adapters/clock/system-clock.ts';
import { EdgeError, LIMITS } from '../contract/core.ts';
import { makeDaemon } from './compose/daemon.ts';
import { endFormerTrial, leftTrial } from './config/trial.ts';
import { requireFreePort } from './port-check.ts';
import { loadSettings, type Settings } from './settings.ts';
import { daemonOf } from './supervisor/data-lock.ts';

export async function runDaemon(configFile: string | undefined): Promise<void> {
  const read = () => loadSettings(configFile, process.env);
  // Its process id is published as soon as the data directory is locked, and an unhandled signal would kill it.
  let early = false;
  let reload = () => {
    early = true;
  };
  process.on('SIGHUP', () => reload());
  const settings = withoutTrial(read);
  // The data directory is locked first: a second daemon hears of that, not of its port.
  const daemon = makeDaemon(settings, read);
  // An address that is still published there is that of a killed daemon: its cells are about to end.
  const wasKilled = existsSync(join(settings.dataDir, 'run', 'api.json'));
  await requireFreePort(settings.config.api, new SystemClock(), wasKilled ? 2 * LIMITS.SHUTDOWN_MS : 0);
  let stopping = false;
  const stop = async () => {
    // A second signal while stopping means: now.
    if (stopping) {
      daemon.supervisor.abandon();
      process.exit(130);
    }
    stopping = true;
    await daemon.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  process.title = 'auraison-edge';
  const started = daemon.start();
  reload = () => void daemon.reload();
  await started;
  if (early) reload();
  // This process has no flags of a cell: it collects what its own start left behind, and that of inline cells.
  await import('./cell/shrink-heap.ts');
}

/** A configuration on trial that its daemon did not outlive: the former one counts. */
function withoutTrial(read: () => Settings): Settings {
  const settings = read();
  // That of a daemon that runs is its own: this start will be refused.
  if (!leftTrial(settings.dataDir) || daemonOf(settings.dataDir)) return settings;
  try {
    const end = endFormerTrial(settings.dataDir);
    process.stderr.write(`auraison: the trial of a configuration ended (${end?.outcome}): ${end?.reason}\n`);
  } catch (error) {
    // Without room for the former file the robot starts with the one that was checked.
    process.stderr.write(
      `auraison: the former configuration could not be put back: ${(error as Error).message}\n`,
    );
  }
  return read();
}

export function exitWith(error: unknown): never {
  const fault = EdgeError.from(error, 'internal.fault', 'start', 'daemon');
  process.stderr.write(`auraison: ${fault.message}\n${fault.hint === '' ? '' : `  ${fault.hint}\n`}`);
  process.exit(fault.code.startsWith('config.') ? 78 : 1);
}

if (import.meta.main) {
  try {
    const at = process.argv.indexOf('--config');
    await runDaemon(at > 0 ? process.argv[at + 1] : undefined);
  } catch (error) {
    exitWith(error);
  }
}
