import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, withDeadline } from '../../contract/core.ts';

/** The helper library for the ROS host, or why it is missing: then four of the seven QoS policies are applied. */
export type NativeLibrary =
  | { readonly path: string; readonly reason?: undefined }
  | { readonly path?: undefined; readonly reason: string };

const SOURCE = fileURLToPath(new URL('./native/edge-ros.c', import.meta.url));
/** The addon's loader finds a library by this name although it lies elsewhere. */
const SONAME = 'libauraison_raw__rosidl_typesupport_c.so';
/** 200 lines of C take a tenth of a second; a machine in trouble gets this, milliseconds. */
const COMPILE_MS = 30_000;

/**
 * Compiles the helper with the host's C compiler (`CC`, else `cc`), once per version of its source, into
 * `folder`. Never throws: without a compiler everything else works.
 */
export async function prepareNative(
  clock: Clock,
  env: Readonly<Record<string, string>>,
  folder = defaultFolder(env),
): Promise<NativeLibrary> {
  if (process.platform !== 'linux') return { reason: `not available for ${process.platform}` };
  const hash = createHash('sha256').update(readFileSync(SOURCE)).update(process.arch).digest('hex');
  const home = join(folder, hash.slice(0, 16));
  const path = join(home, SONAME);
  if (existsSync(path)) return { path };
  const compiler = env['CC'] || 'cc';
  const draft = join(home, `.${process.pid}.so`);
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    await compile(clock, compiler, draft, env);
    // Another process may have made the same file: the last rename wins with the same bytes.
    renameSync(draft, path);
    return { path };
  } catch (error) {
    rmSync(draft, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    return { reason: `the helper library cannot be compiled: ${why}; install a C compiler (gcc)` };
  }
}

async function compile(
  clock: Clock,
  compiler: string,
  target: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const args = ['-shared', '-fPIC', '-O1', '-w', `-Wl,-soname,${SONAME}`, '-o', target, SOURCE, '-ldl'];
  const child = spawn(compiler, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-500);
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(error));
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(said.trim() || `${compiler} ended with code ${code}`)),
    );
  });
  try {
    await withDeadline(clock, COMPILE_MS, done, 'compile', SOURCE);
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

function defaultFolder(env: Readonly<Record<string, string>>): string {
  const cache = env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache');
  return join(env['AURAISON_CACHE'] || join(cache, 'auraison-edge'), 'ros-native');
}
