import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { daemonOf } from '../../daemon/supervisor/data-lock.ts';
import type { Reloaded } from '../../daemon/supervisor/reloader.ts';
import { action } from '../context.ts';

/** Cells start one after the other, each may take its time. */
const WAIT_MS = 60_000;

export function addReloadCommand(program: Command): void {
  program
    .command('reload')
    .description('let the daemon read its configuration again; what has faults is not taken')
    .addHelpText(
      'after',
      `
Zenoh policies and endpoints count at once, in a session opened again. Cells that read what changed start again, one
after the other; runs continue afterwards. What only a new daemon can take is named.

Examples:
  auraison config check && auraison reload
  systemctl reload auraison-edge`,
    )
    .action(
      action(async ({ settings, out }) => {
        const told = await reload(settings.dataDir);
        out.result(told, () => text(told));
        return told.ok && told.failed.length === 0 ? 0 : 1;
      }),
    );
}

export async function reload(dataDir: string): Promise<Reloaded> {
  const path = join(dataDir, 'run', 'reload.json');
  const before = stamp(path);
  const { pid } = ownerOf(dataDir);
  try {
    process.kill(pid, 'SIGHUP');
  } catch (cause) {
    throw unreachable(dataDir, `the daemon with ${dataDir} cannot be reached: ${(cause as Error).message}`);
  }
  for (const end = performance.now() + WAIT_MS; performance.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (stamp(path) !== before) return JSON.parse(read(path)) as Reloaded;
  }
  throw new EdgeError('deadline.exceeded', {
    operation: 'reload',
    subject: `process ${pid}`,
    message: `the daemon did not say within ${WAIT_MS / 1000} s what came of it`,
    hint: 'auraison status shows its cells',
  });
}

/** Only the lock says that a daemon runs: the process id in a file may belong to another process by now. */
function ownerOf(dataDir: string): { readonly pid: number } {
  const daemon = daemonOf(dataDir);
  if (daemon === undefined) throw unreachable(dataDir, `no daemon runs with ${dataDir}`);
  const { pid } = daemon;
  if (pid === undefined)
    throw unreachable(dataDir, `which process the daemon with ${dataDir} is, is not known`);
  return { pid };
}

function unreachable(dataDir: string, message: string): EdgeError {
  return new EdgeError('cell.unavailable', {
    operation: 'reload',
    subject: dataDir,
    message,
    hint: 'start it with auraison up, or name its --data-dir; as a service: sudo systemctl reload auraison-edge',
  });
}

function stamp(path: string): string {
  return existsSync(path) ? `${statSync(path).ino} ${statSync(path).mtimeMs}` : '';
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function text(told: Reloaded): string {
  if (!told.ok) return `not taken, the former configuration stays in force: ${told.error.message}`;
  const lines = [
    told.changed.length === 0 ? 'nothing changed' : `changed: ${told.changed.join(', ')}`,
    ...(told.live.length > 0 ? [`taken by running cells: ${told.live.join(', ')}`] : []),
    ...(told.restart.length > 0 ? [`restarted: ${told.restart.join(', ')}`] : []),
    ...(told.failed.length > 0 ? [`not up yet, tried on: ${told.failed.join(', ')}`] : []),
    ...(told.later.length > 0 ? [`needs a restart of the daemon: ${told.later.join(', ')}`] : []),
  ];
  return lines.join('\n');
}
