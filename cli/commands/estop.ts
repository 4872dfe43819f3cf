import { lstatSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EdgeError, type EStopAnswer, type EStopState } from '../../contract/core.ts';
import { type ApiClient, nobodyListens } from '../../daemon/client/api-client.ts';
import { leaveStopFile } from '../../io/stop-file.ts';
import { action, type CommandContext } from '../context.ts';
import { defaultCommand } from '../default-command.ts';
import { isLeftEarly, takeEarly } from '../stop-early.ts';

/** Longest wait for the API, milliseconds; then the file is used, since a person is waiting. */
const ENGAGE_MS = 6_000;
const STATUS_MS = 3_000;
/** Other ways to stop a robot that was not stopped. */
const OTHERWISE =
  "use the robot's own button; as for this command: run it with sudo where the daemon is a service, or with its --data-dir, or with its token in AURAISON_TOKEN";
/** The source of the stop, for the log. */
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
  defaultCommand(estop, 'engage')
    .description('stop now and stay; by the API, else by the file estop in the data directory')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(action((context, { reason }: { reason: string }) => engage(context, reason)));
  estop
    .command('release')
    .description('let the robot move again; nothing starts to move by it')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(
      action(async ({ api, out, settings }, { reason }: { reason: string }) => {
        const file = stopFile(settings.dataDir);
        const seen = await stateOf(api);
        if (isLocal()) checkOlder(file, seen);
        const removed = isLocal() && isThere(file);
        const press = seen?.press === undefined ? {} : { press: seen.press };
        const release = () =>
          api.post<EStopState>('/v1/estop/release', { reason, ...press }, ENGAGE_MS, ORIGIN);
        const state = await (removed ? withoutFile(file, release) : release());
        out.result(state, () => releaseText(seen, state, removed ? file : undefined));
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
 * The file keeps the stop engaged, so it is removed first. It is written again if the release failed: it may be all
 * that stops a daemon which does not run now, or the caller may lack the right.
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
 * By the API, else by the file; says which. Exit code 1: engaged, and the robot was not confirmed to stand; or no
 * daemon was found, and the file waits for the next start. That the API does not answer does not mean that no daemon
 * runs: its API may be restarting, or the daemon may use another data directory. Throws if nothing was stopped and a
 * daemon runs that uses another data directory than this one, where it would not see the file.
 */
export async function engage({ api, out, settings }: CommandContext, reason: string): Promise<number> {
  try {
    const {
      warnings = [],
      confirmed,
      ...state
    } = await api.post<EStopAnswer>('/v1/estop', { reason }, ENGAGE_MS, ORIGIN);
    // It is on disk that it is engaged: the file that stopped the robot before this process started has done its work.
    takeEarly(stopFile(settings.dataDir), reason);
    for (const warning of warnings) out.note(`auraison: ${warning}`);
    out.result(confirmed === false ? { ...state, confirmed } : state, () => stateText(state));
    return confirmed === false ? 1 : 0;
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'internal.fault', 'engage', 'estop');
    // It may be engaged although the robot has not been confirmed to stand.
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
  try {
    try {
      leaveStopFile(file, reason);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      makeDirectory(dataDir);
      leaveStopFile(file, reason);
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

/**
 * Throws `command.refused` where the robot was stopped again after this command was started: the person who releases
 * did not know of it. Times that are still to come are of a clock that was set back, and say nothing.
 */
export function checkOlder(
  file: string,
  state: EStopState | undefined,
  startedMs = performance.timeOrigin,
  nowMs = Date.now(),
): void {
  const isNewer = (ms: number) => ms > startedMs && ms <= nowMs;
  const pressedMs = state?.engaged && state.press ? Number(state.press) / 1e6 : 0;
  if (!isNewer(pressedMs) && !isNewer(writtenMs(file))) return;
  throw new EdgeError('command.refused', {
    operation: 'release the emergency stop',
    subject: isNewer(pressedMs) ? 'estop' : file,
    message: 'not released: it was engaged again after this command was started',
    hint: 'look who engaged it (auraison estop status), then release it again',
  });
}

/** Milliseconds since the epoch; 0 where there is no such file. */
function writtenMs(file: string): number {
  try {
    return lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  } catch {
    return 0;
  }
}

/** A daemon on another host does not see a file here. */
function isLocal(): boolean {
  return process.env['AURAISON_URL'] === undefined;
}

/** Anything of that name stops the robot, even a dangling link. */
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

/** What a release did: what was engaged before it, what is now, and the file that it removed. */
export function releaseText(seen: EStopState | undefined, now: EStopState, removed?: string): string {
  const of = removed === undefined ? '' : `${removed} is removed; `;
  const text = stateText(now);
  if (now.engaged) return `${of}${text}`;
  return seen?.engaged ? `${of}released: now ${text}; nothing starts to move by it` : `${of}${text}`;
}

/** Whether it is engaged, by whom, and how it is released. */
export function stateText({ engaged, by, source, reason, since_ns }: EStopState): string {
  if (!engaged) return 'not engaged';
  const since = /^\d+$/.test(since_ns) ? new Date(Number(BigInt(since_ns) / 1_000_000n)).toISOString() : '';
  return `ENGAGED by ${by} (${source}) since ${since}${reason === '' ? '' : `: ${reason}`}\n  a person releases it: auraison estop release`;
}
