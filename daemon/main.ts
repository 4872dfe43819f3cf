/** The daemon as a process: starts the cells, obeys signals, tells systemd. `auraison up` runs this. */
import { EdgeError } from '../contract/index.ts';
import { makeDaemon } from './compose/daemon.ts';
import { loadSettings } from './settings.ts';

export async function runDaemon(configFile: string | undefined): Promise<void> {
  const daemon = makeDaemon(loadSettings(configFile, process.env));
  let stopping = false;
  const stop = async () => {
    // A second signal while stopping means: now.
    if (stopping) process.exit(130);
    stopping = true;
    await daemon.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  process.on('SIGHUP', () => {});
  process.title = 'auraison-edge';
  await daemon.start();
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
