import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EdgeError, pause } from '../../contract/core.ts';
import { type ChildOptions, runChild } from './child.ts';

/** torch and what it asks for, over a slow line, milliseconds. */
const INSTALL_MS = 60 * 60_000;
const ASK_MS = 30_000;
/** How often one that waits for another's installation looks, milliseconds. */
const WAIT_MS = 500;

export type EnvOptions = {
  readonly requirements: string;
  /** Environments lie here, outside of any repository, one for each set of requirements and Python. */
  readonly cacheDir: string;
  readonly python: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly note: (text: string) => void;
  /** What needs it, in messages; default: trainers. */
  readonly purpose?: string;
  readonly hint?: string;
  /** The oldest Python 3 that will do; default 11. */
  readonly minor?: number;
  /**
   * The requirements have hashes and name everything: each is loaded separately, checked, and kept when the rest is
   * cancelled. What each is, for people who wait.
   */
  readonly parts?: readonly string[];
};

/**
 * The Python of an environment with exactly these requirements, made where it is missing: by uv where that is
 * installed, else by venv and pip. Two that ask at once make it once. Rejects with `host.missing`, `tool.failed`,
 * `run.cancelled`.
 */
export async function ensureEnv(options: EnvOptions): Promise<string> {
  const { requirements, cacheDir, python, clock, signal, note } = options;
  const text = await readFile(requirements, 'utf8');
  const version = await firstLine(
    python,
    ['-c', 'import platform; print(platform.python_version(), platform.machine())'],
    options,
  );
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const { purpose = 'trainers', hint = 'name one with dataset.python', minor: least = 11, parts } = options;
  if (major < 3 || (major === 3 && minor < least))
    throw new EdgeError('host.missing', {
      operation: 'make environment',
      subject: python,
      message: `${python} is Python ${version}; ${purpose} need 3.${least} or newer`,
      hint,
    });
  const id = createHash('sha256').update(`${version}\n${text}`).digest('hex').slice(0, 16);
  const home = join(cacheDir, id);
  const bin = join(home, 'bin', 'python');
  await mkdir(cacheDir, { recursive: true });
  const lock = join(cacheDir, `${id}.lock`);
  await takeLock(lock, clock, signal, note);
  try {
    if (await isThere(join(home, 'ready'))) return bin;
    note(`making the environment of ${requirements} (once; kept in ${home})`);
    await rm(home, { recursive: true, force: true });
    const child = { clock, signal, limitMs: INSTALL_MS, onNote: note };
    const exact = parts === undefined ? [] : ['--no-deps', '--require-hashes'];
    const uv = await firstLine('uv', ['--version'], options).catch(() => undefined);
    if (uv) {
      await runChild('uv', ['venv', '--quiet', '--python', python, home], child);
      await runChild(
        'uv',
        ['pip', 'install', '--quiet', '--python', bin, ...exact, '-r', requirements],
        child,
      );
    } else {
      await runChild(python, ['-m', 'venv', home], child);
      const wheels = parts && (await loadParts(bin, text, parts, { ...child, wheels: `${home}.wheels` }));
      await runChild(
        bin,
        [
          ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...exact],
          ...(wheels === undefined ? [] : ['--no-index', '--find-links', wheels]),
          ...['-r', requirements],
        ],
        child,
      );
    }
    await writeFile(join(home, 'ready.partial'), `${version}\n`);
    await rename(join(home, 'ready.partial'), join(home, 'ready'));
    await rm(`${home}.wheels`, { recursive: true, force: true });
    return bin;
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** Loads each requirement into a folder of wheels beside the environment; a wheel with its hash is not loaded again. */
async function loadParts(
  python: string,
  requirements: string,
  parts: readonly string[],
  { wheels, ...child }: ChildOptions & { readonly wheels: string },
): Promise<string> {
  await mkdir(wheels, { recursive: true });
  const rows = requirements.split(/\n(?=[A-Za-z0-9])/).filter((row) => /^[A-Za-z0-9]/.test(row));
  for (const [index, row] of rows.entries()) {
    const since = child.clock.monotonicMs();
    const part = join(wheels, `part-${index + 1}.txt`);
    await writeFile(part, row);
    child.onNote?.(`${index + 1} of ${rows.length}: ${parts[index] ?? row.split(/\s/)[0]} …`);
    await runChild(
      python,
      [
        ...[
          '-m',
          'pip',
          'download',
          '--quiet',
          '--disable-pip-version-check',
          '--no-deps',
          '--require-hashes',
        ],
        ...['--only-binary', ':all:', '--dest', wheels, '-r', part],
      ],
      child,
    );
    const seconds = ((child.clock.monotonicMs() - since) / 1_000).toFixed(0);
    child.onNote?.(`${index + 1} of ${rows.length}: there, and its hash is right (${seconds} s)`);
  }
  return wheels;
}

async function firstLine(
  command: string,
  args: readonly string[],
  { clock, signal }: EnvOptions,
): Promise<string> {
  let first: string | undefined;
  await runChild(command, args, {
    clock,
    signal,
    limitMs: ASK_MS,
    onLine: (line) => {
      first ??= line;
    },
  });
  return first ?? '';
}

/** A folder with the process in it; that of a process which is gone does not count. */
async function takeLock(
  lock: string,
  clock: Clock,
  signal: AbortSignal | undefined,
  note: (text: string) => void,
): Promise<void> {
  for (let i = 0; ; i++) {
    try {
      await mkdir(lock);
      await writeFile(join(lock, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (i === 0) note('another process makes this environment; waiting for it');
    signal?.throwIfAborted();
    await pause(clock, WAIT_MS, signal);
    const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => ''));
    // The file is still empty: the process that made the lock died before it wrote its number.
    if (pid > 0 ? !isAlive(pid) : i > 4) await rm(lock, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
