import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import type { ConfigTrialEnd } from '../../contract/ports/config.ts';
import { replaceFile } from '../../io/replace-file.ts';

/**
 * A configuration on trial, in files below `run/`: whatever process is killed, the next start finds it. One is there
 * from before the new file is written until the trial is kept or the former file is back.
 */
export type Trial = {
  readonly id: string;
  readonly file: string;
  /** The whole file as it was; null: it did not exist. */
  readonly former: string | null;
  /** SHA-256 of the text that was taken: a file that somebody changed since is left alone. */
  readonly taken: string;
  readonly by: string;
  readonly keys: readonly string[];
  /** Time of the host's monotonic clock at which it ends, milliseconds. */
  readonly endsAtMs: number;
};

const NAMES = {
  open: 'config-trial.json',
  ending: 'config-trial-ending.json',
  ended: 'config-trial-ended.json',
};
const HINT = 'free the disk and give the daemon back its rights in its data directory';

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The text of a file, `undefined` without a file. */
export function textAt(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) return undefined;
  try {
    // A pipe would hold up the whole process.
    if (!found.isFile()) throw new Error('it is not a file');
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.unreadable', {
      operation: 'read configuration',
      subject: file,
      message: `${file}: ${(cause as Error).message}`,
      hint: 'give the daemon the right to read its file',
      cause,
    });
  }
}

export function openTrial(dataDir: string): Trial | undefined {
  return read<Trial>(dataDir, NAMES.open);
}

/** Notes the trial first, then writes the file. Throws `config.unreadable`; the file is then as it was. */
export function beginTrial(dataDir: string, trial: Trial, text: string): void {
  write(dataDir, NAMES.open, trial);
  try {
    replaceFile(trial.file, text, {
      operation: 'take configuration',
      mode: 0o600,
      hint: 'the daemon runs as a user who may not write it: write it as the user who may, then auraison reload',
    });
  } catch (error) {
    rmSync(join(dataDir, 'run', NAMES.open), { force: true });
    throw error;
  }
}

/**
 * Ends the trial with this id, if it is still open: of two who end it at once, one does. Says how it ended; `undefined`:
 * somebody else ended it. Throws `config.unreadable` where the former file cannot be written; the trial stays open then.
 */
export function endTrial(
  dataDir: string,
  id: string,
  how: Pick<ConfigTrialEnd, 'outcome' | 'reason'>,
): ConfigTrialEnd | undefined {
  const trial = claim(dataDir, id);
  if (!trial) return undefined;
  const end = { by: trial.by, keys: trial.keys, ...how };
  try {
    if (how.outcome === 'kept') return settled(dataDir, end);
    return settled(dataDir, putBack(trial) ? end : { ...end, outcome: 'kept', reason: CHANGED });
  } catch (error) {
    renameSync(join(dataDir, 'run', NAMES.ending), join(dataDir, 'run', NAMES.open));
    throw error;
  }
}

const CHANGED = 'the file was changed by somebody else during the trial, and stays as it is';

/** Whether a daemon that is gone left a trial. */
export function leftTrial(dataDir: string): boolean {
  return [NAMES.open, NAMES.ending].some((name) => existsSync(join(dataDir, 'run', name)));
}

/** For a daemon that starts: the trial of the one before was not kept. Says what came of it. */
export function endFormerTrial(dataDir: string): ConfigTrialEnd | undefined {
  const ending = join(dataDir, 'run', NAMES.ending);
  if (existsSync(ending)) renameSync(ending, join(dataDir, 'run', NAMES.open));
  const trial = openTrial(dataDir);
  const reason = 'the daemon ended during the trial';
  return trial && endTrial(dataDir, trial.id, { outcome: 'put_back', reason });
}

/** How the last trial ended; `told`: the event log has it. */
export function lastEnd(dataDir: string): (ConfigTrialEnd & { readonly told: boolean }) | undefined {
  return read(dataDir, NAMES.ended);
}

export function markTold(dataDir: string, end: ConfigTrialEnd): void {
  write(dataDir, NAMES.ended, { ...end, told: true });
}

function claim(dataDir: string, id: string): Trial | undefined {
  if (openTrial(dataDir)?.id !== id) return undefined;
  try {
    renameSync(join(dataDir, 'run', NAMES.open), join(dataDir, 'run', NAMES.ending));
  } catch {
    return undefined;
  }
  return read(dataDir, NAMES.ending);
}

function putBack({ file, former, taken }: Trial): boolean {
  const now = textAt(file);
  // A kill may have come before the file was written.
  if (now === former || (now === undefined && former === null)) return true;
  if (now !== undefined && digestOf(now) !== taken) return false;
  if (former === null) rmSync(file, { force: true });
  else replaceFile(file, former, { operation: 'put back configuration', mode: 0o600, hint: HINT });
  return true;
}

function settled(dataDir: string, end: ConfigTrialEnd): ConfigTrialEnd {
  write(dataDir, NAMES.ended, { ...end, told: false });
  rmSync(join(dataDir, 'run', NAMES.ending), { force: true });
  return end;
}

function read<T>(dataDir: string, name: string): T | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'run', name), 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/** Whole and durable, for the daemon's own user only: the former file may hold secrets. */
function write(dataDir: string, name: string, value: unknown): void {
  replaceFile(join(dataDir, 'run', name), JSON.stringify(value), {
    operation: 'note a configuration on trial',
    mode: 0o600,
    hint: HINT,
  });
}

export function noTrial(): EdgeError {
  return new EdgeError('config.refused', {
    operation: 'settle configuration',
    subject: 'trial',
    message: 'no configuration is on trial: it was kept, or the former one is back',
    hint: 'GET /v1/config says how the last one ended',
  });
}
