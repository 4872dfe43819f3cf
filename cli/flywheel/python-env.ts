import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { cacheDirOf } from '../../daemon/paths.ts';

/** Lines of a failed program that are shown. */
const TAIL_LINES = 12;

/**
 * A Python with the packages of the trainer: the configured one, else an environment in the cache, made once per list
 * of requirements. Rejects with `host.missing` where it cannot be made.
 */
export async function trainerPython(
  named: string | undefined,
  requirements: string,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<string> {
  if (named !== undefined) return named;
  const list = await readFile(requirements);
  const name = createHash('sha256').update(list).update(process.arch).digest('hex').slice(0, 16);
  const folder = join(cacheDirOf(process.env), 'trainer', name);
  const python = join(folder, 'bin', 'python');
  const ready = join(folder, 'ready');
  if (existsSync(ready)) return python;
  note('installing numpy, onnx and pyarrow for the trainer (about 90 MB, once)');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const missing = (cause: unknown) =>
    new EdgeError('host.missing', {
      operation: 'make the trainer environment',
      subject: requirements,
      message: `Python for the trainer: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Python 3.10 or newer with venv and a package index, or --python with numpy, onnx and pyarrow',
      cause,
    });
  try {
    await run('python3', ['-m', 'venv', folder], signal, () => {});
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    await run(python, pip, signal, () => {});
  } catch (error) {
    throw signal.aborted ? error : missing(error);
  }
  await writeFile(ready, '');
  return python;
}

/** Runs a program to its end; each line of its output is passed on. Rejects with the last lines of its error output. */
export function run(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGTERM' });
    const complaints: string[] = [];
    eachLine(child.stdout, onLine);
    eachLine(child.stderr, (line) => {
      complaints.push(line);
      if (complaints.length > TAIL_LINES) complaints.shift();
    });
    child.once('error', (error) => {
      reject(signal.aborted ? cancelled(program) : error);
    });
    child.once('close', (code) => {
      if (code === 0) resolve();
      else if (signal.aborted) reject(cancelled(program));
      else reject(new Error(`${program} ended with ${code}: ${complaints.join('\n')}`));
    });
  });
}

function cancelled(program: string): EdgeError {
  return new EdgeError('run.cancelled', { operation: 'run', subject: program });
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') onLine(line);
  });
  stream.on('end', () => {
    if (rest.trim() !== '') onLine(rest);
  });
}
