import { lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, type EStopAnswer, type EStopState } from '../../contract/core.ts';
import { type ApiClient, nobodyListens } from '../api-client.ts';
import { action, type CommandContext } from '../context.ts';
import { isLeftEarly, takeEarly } from '../stop-early.ts';

/** A person waits with a finger on the button: then the file has to do, milliseconds. */
const ENGAGE_MS = 6_000;
const STATUS_MS = 3_000;
/** What else stops a robot that was not stopped. */
const OTHERWISE =
  "use the robot's own button; as for this command: run it with sudo where the daemon is a service, or with its --data-dir, or with its token in AURAISON_TOKEN";
/** Where it comes from, for the record. */
const ORIGIN = { 'x-auraison-origin': 'cli' };

export function addEstopCommands(program: Command): void {
  const estop = program
    .command('estop')
    .description('the emergency stop: nothing of this daemon moves the robot until a person releases it')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison estop                         engage it, also when the API does not answer\n' +
        '  auraison estop engage --reason "the door is open"\n  auraison estop release --reason "the door is closed"\n\n' +
        'It is a program: it does not replace the button that cuts the power of the drives.',
    );
  estop
    .command('engage', { isDefault: true })
    .description('stop now and stay; by the API, else by the file estop in the data directory')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(action((context, { reason }: { reason: string }) => engage(context, reason)));
  estop
    .command('release')
    .description('let the robot move again; nothing begins to move by it')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(
      action(async ({ api, out, settings }, { reason }: { reason: string }) => {
        const file = stopFile(settings.dataDir);
        const removed = isLocal() && isThere(file);
        const release = () => api.post<EStopState>('/v1/estop/release', { reason }, ENGAGE_MS, ORIGIN);
        const state = await (removed ? withoutFile(file, release) : release());
        out.result(state, () => `${removed ? `${file} is removed; ` : ''}${stateText(state)}`);
        return state.engaged ? 1 : 0;
      }),
    );
  estop
    .command('status')
    .description('whether it is engaged; exit code 1 while it is')
    .action(
      action(async ({ api, out }) => {
        const state = await api.get<EStopState>('/v1/estop');
        out.result(state, () => stateText(state));
        return state.engaged ? 1 : 0;
      }),
    );
}

/**
 * The file is a cause, so that it goes first. It comes back where nothing was released by that: perhaps it is all that
 * holds a daemon which does not run now, or he who asked may not.
 */
export async function withoutFile<T>(file: string, release: () => Promise<T>): Promise<T> {
  const aside = `${file}.lifted`;
  renameSync(file, aside);
  try {
    const released = await release();
    rmSync(aside, { recursive: true });
    return released;
  } catch (error) {
    renameSync(aside, file);
    throw error;
  }
}

/**
 * By the API, else by the file; tells which. Exit code 1: engaged, and the robot was not confirmed to stand; or nobody
 * was found who could stop it, and the file waits for the next start. That nobody listens does not say that no daemon
 * runs: the one that moves the robot may be between two starts of its API, or of another data directory. Throws where
 * nothing was stopped and a daemon is there whose data directory, where the file would be, this is not.
 */
export async function engage({ api, out, settings }: CommandContext, reason: string): Promise<number> {
  try {
    const { warnings = [], ...state } = await api.post<EStopAnswer>(
      '/v1/estop',
      { reason },
      ENGAGE_MS,
      ORIGIN,
    );
    // It is on disk that it is engaged: the file that stopped the robot before this process began has done its work.
    takeEarly(stopFile(settings.dataDir), reason);
    for (const warning of warnings) out.note(`auraison: ${warning}`);
    out.result(state, () => stateText(state));
    return 0;
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'internal.fault', 'engage', 'estop');
    // It may be engaged all the same, and only the robot has not confirmed that it stands.
    const state = await stateOf(api);
    if (state?.engaged) {
      if (error.code === 'robot.unreachable') takeEarly(stopFile(settings.dataDir), reason);
      out.note(`auraison: ${error.message}`);
      out.result(state, () => stateText(state));
      return 1;
    }
    if (!isLocal()) throw error;
    const { dataDir } = settings;
    // SQLite is loaded only here: the person waits for the answer of the API.
    const { daemonOf, makeDirectory } = await import('../../daemon/supervisor/data-lock.ts');
    const runs = daemonRuns(dataDir, daemonOf);
    if (runs === false && !nobodyListens(error)) {
      takeEarly(stopFile(dataDir), reason);
      throw notStopped(
        error,
        dataDir,
        `what answers at ${api.url} did not do it, and ${dataDir} is not its data directory`,
      );
    }
    const file = writeStopFile(dataDir, reason, error, makeDirectory);
    if (runs === undefined)
      throw notStopped(error, dataDir, `${file} is written, but whether a daemon looks there cannot be seen`);
    out.note(`auraison: ${error.message}`);
    out.result({ engaged: runs, file, daemon: runs }, () =>
      runs
        ? `engaged by the file ${file}: it holds until it is released`
        : `NOT stopped: no daemon runs with ${dataDir}; the file ${file} is written, and one that starts there finds it engaged\n  ${OTHERWISE}`,
    );
    return runs ? 0 : 1;
  }
}

/** Whether a daemon looks at this directory; undefined where that cannot be found out. */
function daemonRuns(dataDir: string, daemonOf: (dataDir: string) => unknown): boolean | undefined {
  try {
    return daemonOf(dataDir) !== undefined;
  } catch {
    return undefined;
  }
}

function writeStopFile(
  dataDir: string,
  reason: string,
  error: EdgeError,
  makeDirectory: (path: string) => void,
): string {
  const file = stopFile(dataDir);
  if (isLeftEarly(file) && isThere(file)) return file;
  const write = () => writeFileSync(file, `${reason}\n`);
  try {
    try {
      write();
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      makeDirectory(dataDir);
      write();
    }
    return file;
  } catch (thrown) {
    throw notStopped(error, dataDir, `${file} cannot be written: ${(thrown as Error).message}`);
  }
}

function notStopped(error: EdgeError, dataDir: string, why: string): EdgeError {
  return new EdgeError(error.code, {
    operation: 'engage',
    subject: dataDir,
    message: `NOT stopped: ${error.message}; ${why}`,
    hint: OTHERWISE,
    cause: error,
  });
}

async function stateOf(api: ApiClient): Promise<EStopState | undefined> {
  const late = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), STATUS_MS).unref();
  });
  return Promise.race([api.get<EStopState>('/v1/estop').catch(() => undefined), late]);
}

/** A file here says nothing to a daemon elsewhere. */
function isLocal(): boolean {
  return process.env['AURAISON_URL'] === undefined;
}

/** Anything of that name holds the robot, also a link that leads nowhere. */
function isThere(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function stopFile(dataDir: string): string {
  return join(dataDir, 'estop');
}

function stateText({ engaged, by, source, reason, since_ns }: EStopState): string {
  if (!engaged) return 'not engaged';
  const since = /^\d+$/.test(since_ns) ? new Date(Number(BigInt(since_ns) / 1_000_000n)).toISOString() : '';
  return `ENGAGED by ${by} (${source}) since ${since}${reason === '' ? '' : `: ${reason}`}`;
}
