import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import { fsyncPath } from './data-files.ts';
import {
  type ExtensionName,
  enginePlatform,
  engineVersion,
  extensionFile,
  findExtension,
} from './extension-files.ts';
import { lakeFailed } from './faults.ts';
import { quote } from './schema-sql.ts';

/** A reachable server sends 12 MB in seconds; one that does not answer must not hold up an installation. */
const SERVER_MS = 15_000;
/** pip resolves and fetches 12 MB. */
const PIP_MS = 120_000;

export type InstallOptions = {
  /** Where to put it, in the layout of DuckDB's extension directories; also looked at first. */
  readonly directory: string;
  /** Where it may lie too: then it is copied. */
  readonly others?: readonly string[];
  readonly clock: Clock;
  readonly python?: string;
  /** Which; absent: DuckLake itself. */
  readonly extension?: ExtensionName;
};
export type Installed = { readonly path: string; readonly from: 'present' | 'copy' | 'server' | 'wheel' };

/**
 * Brings an extension of the engine: nothing to do when it is there, else a copy of what lies elsewhere, else from DuckDB's
 * server, else from the Python wheel of the same version, which carries the same signed file. Takes seconds to two
 * minutes, never runs at a start. Rejects with `host.missing`, saying what was tried. The engine checks the signature
 * before the file gets its name.
 */
export async function installDucklakeExtension(options: InstallOptions): Promise<Installed> {
  const { extension = 'ducklake' } = options;
  const platform = await enginePlatform();
  const present = findExtension([options.directory], platform, extension);
  if (present !== undefined && (await loads(present)) === undefined)
    return { path: present, from: 'present' };
  const target = extensionFile(options.directory, platform, extension);
  const other = findExtension(options.others ?? [], platform, extension);
  if (other !== undefined && other !== target && (await loads(other)) === undefined) {
    await put(other, target);
    return { path: target, from: 'copy' };
  }
  const scratch = mkdtempSync(join(tmpdir(), 'auraison-extension-'));
  try {
    const server = await fromServer(scratch, platform, extension, options.clock);
    const wheel = server.path === undefined ? await fromWheel(scratch, options) : server;
    if (wheel.path === undefined) throw missing(extension, `server: ${server.fault}; wheel: ${wheel.fault}`);
    await put(wheel.path, target);
    return { path: target, from: server.path === undefined ? 'wheel' : 'server' };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Attempt = { readonly path?: string; readonly fault?: string };

async function fromServer(
  scratch: string,
  platform: string,
  extension: ExtensionName,
  clock: Clock,
): Promise<Attempt> {
  const directory = join(scratch, 'server');
  try {
    const instance = await DuckDBInstance.create(':memory:', {
      extension_directory: directory,
      threads: '1',
    });
    const connection = await instance.connect();
    const work = connection.run(`INSTALL ${extension}`).finally(() => {
      connection.closeSync();
      instance.closeSync();
    });
    await withDeadline(clock, SERVER_MS, work, 'lake.install', 'DuckDB extension server');
    return await checked(extensionFile(directory, platform, extension));
  } catch (thrown) {
    return { fault: firstLine(thrown) };
  }
}

async function fromWheel(scratch: string, options: InstallOptions): Promise<Attempt> {
  const directory = join(scratch, 'wheel');
  const version = engineVersion();
  const { extension = 'ducklake' } = options;
  const wheel = `duckdb-extension-${extension.replaceAll('_', '-')}==${version.replace(/^v/, '')}`;
  const python = options.python ?? 'python3';
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'];
  args.push('--only-binary', ':all:', '--target', directory, wheel);
  try {
    await runTool(python, args, options.clock);
    const extensions = join(directory, `duckdb_extension_${extension}`, 'extensions');
    return await checked(join(extensions, version, `${extension}.duckdb_extension`));
  } catch (thrown) {
    return { fault: firstLine(thrown) };
  }
}

async function checked(path: string): Promise<Attempt> {
  const fault = await loads(path);
  return fault === undefined ? { path } : { fault };
}

/** `undefined` when the engine accepts file and signature, else its error. */
async function loads(path: string): Promise<string | undefined> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    await connection.run(`LOAD ${quote(path)}`);
    connection.closeSync();
    return undefined;
  } catch (thrown) {
    return firstLine(thrown);
  } finally {
    instance.closeSync();
  }
}

/** Copies under a temporary name, syncs, renames: the file is complete or not there. */
async function put(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  await copyFile(source, temporary);
  await fsyncPath(temporary);
  await rename(temporary, target);
  await fsyncPath(dirname(target));
}

function runTool(command: string, args: readonly string[], clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      said = (said + piece.toString()).slice(-2_000);
    });
    const timer = clock.after(PIP_MS, () => child.kill('SIGKILL'));
    const done = (fault: string | undefined) => {
      timer.cancel();
      if (fault === undefined) resolve();
      else reject(new Error(fault));
    };
    child.once('error', (error) => done(`${command}: ${error.message}`));
    child.once('close', (code, signal) => {
      const last = said.trim().split('\n').at(-1) ?? '';
      done(code === 0 ? undefined : `${command} ended with ${code ?? signal}: ${last}`);
    });
  });
}

function firstLine(thrown: unknown): string {
  return lakeFailed(thrown, 'lake.install', 'extension').message.split('\n')[0] ?? '';
}

function missing(extension: ExtensionName, tried: string): EdgeError {
  const isBase = extension === 'ducklake';
  return new EdgeError('host.missing', {
    operation: 'lake.install',
    subject: `${isBase ? 'DuckLake' : extension} extension ${engineVersion()}`,
    message: `the ${isBase ? 'DuckLake' : extension} extension cannot be installed (${tried})`,
    hint: isBase
      ? 'the lakehouse works without it, in plain DuckDB; try again with a network connection or with Python'
      : 'a lakehouse on servers needs it; try again with a network connection or with Python',
    retryable: true,
  });
}
