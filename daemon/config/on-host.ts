import { createPublicKey } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
} from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import type { Config, ConfigFault } from '../config.ts';
import { readSecret } from '../secrets.ts';
import { lineOfKey, lineOfRowKey } from './toml-lines.ts';

/** Lists of tables whose rows may name files, and where they stand in the configuration. */
const ROWS = [
  { name: 'models', of: ({ models }: Config): readonly object[] => models },
  { name: 'policies', of: ({ policies }: Config): readonly object[] => policies },
  { name: 'mcp.servers', of: ({ mcp }: Config): readonly object[] => mcp.servers },
  { name: 'apps.webhooks', of: ({ apps }: Config): readonly object[] => apps.webhooks },
  { name: 'runtimes.accept', of: ({ runtimes }: Config): readonly object[] => runtimes.accept },
  { name: 'policy.principals', of: ({ policy }: Config): readonly object[] => policy.principals },
];
type Read = {
  readonly path: readonly [section: string, key: string];
  readonly values: (config: Config) => readonly string[];
  /** What is expected instead, with what is wrong and how to fix it; undefined where it is right. */
  readonly fault: (value: string) => string | undefined;
};

const named = (value: string): readonly string[] => (value === '' ? [] : [value]);

/** Files and folders that the daemon reads directly, and not as the secret of a row. */
const READ: readonly Read[] = [
  {
    path: ['policy', 'grant_keys'],
    values: ({ policy }) => policy.grant_keys,
    fault: (path) => contentFault(path, keyFault),
  },
  { path: ['policy', 'files'], values: ({ policy }) => policy.files, fault: (path) => contentFault(path) },
  { path: ['policy', 'grants'], values: ({ policy }) => named(policy.grants), fault: folderFault },
  { path: ['policy', 'dir'], values: ({ policy }) => named(policy.dir), fault: folderFault },
  { path: ['gate', 'urdf'], values: ({ gate }) => named(gate.urdf), fault: (path) => contentFault(path) },
  {
    path: ['control', 'model'],
    values: ({ control }) => named(control.model),
    fault: (path) => contentFault(path),
  },
];

/** Public keys: others may read them. */
const PUBLIC_FILES: ReadonlySet<string> = new Set([
  ...['link.key_file', 'link.ca_file', 'link.cert_file'],
  ...['lake.catalog_ca_file', 'lake.storage_ca_file'],
]);

/**
 * What a correct configuration cannot have on this host: a data directory that cannot be made, a file that is not
 * there. What only another user may read or write is no fault: the daemon may run as that user. Nothing stays
 * behind of the look.
 */
export function hostFaults(
  config: Config,
  { source, file }: { readonly source: string; readonly file: string },
  env: Readonly<Record<string, string | undefined>>,
): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const dataDir = config.daemon.data_dir;
  const missing = dataDir === '' ? undefined : directoryFault(resolve(dataDir));
  if (missing) {
    const expected = `a directory that can be made and written here: ${missing}`;
    const line = lineOfKey(source, ['daemon', 'data_dir']);
    faults.push({ file, line, key: 'daemon.data_dir', value: JSON.stringify(dataDir), expected });
  }
  const check = (key: string, value: string, line: number | undefined) => {
    const expected = fileFault(key, value, env);
    if (expected !== undefined) faults.push({ file, line, key, value: JSON.stringify(value), expected });
  };
  for (const [section, keys] of Object.entries(config))
    for (const [key, value] of filesOf(keys))
      check(`${section}.${key}`, value, lineOfKey(source, [section, key]));
  for (const { name, of } of ROWS)
    for (const [index, row] of of(config).entries())
      for (const [key, value] of filesOf(row))
        check(`${name}[${index + 1}].${key}`, value, lineOfRowKey(source, name, index, key));
  for (const { path, values, fault } of READ) {
    for (const value of values(config)) {
      const expected = fault(value);
      const [section, key] = path;
      const line = lineOfKey(source, [section, key]);
      if (expected !== undefined)
        faults.push({ file, line, key: `${section}.${key}`, value: JSON.stringify(value), expected });
    }
  }
  return faults;
}

/** What a configuration names on its host. */
export type NamedPath = {
  readonly key: string;
  readonly path: string;
  readonly line: number | undefined;
  readonly what: 'file' | 'folder';
};

/** Every file and folder that a configuration names, without a look at any. Secrets of another kind are left out. */
export function namedPaths(config: Config, source: string): readonly NamedPath[] {
  const found: NamedPath[] = [];
  const add = (key: string, path: string, line: number | undefined, what: NamedPath['what'] = 'file') => {
    if (!/^(?:env|credential):/.test(path)) found.push({ key, path, line, what });
  };
  for (const [section, keys] of Object.entries(config))
    for (const [key, path] of filesOf(keys))
      add(`${section}.${key}`, path, lineOfKey(source, [section, key]));
  for (const { name, of } of ROWS)
    for (const [index, row] of of(config).entries())
      for (const [key, path] of filesOf(row))
        add(`${name}[${index + 1}].${key}`, path, lineOfRowKey(source, name, index, key));
  for (const { path: at, values, fault } of READ)
    for (const path of values(config))
      add(at.join('.'), path, lineOfKey(source, at), fault === folderFault ? 'folder' : 'file');
  return found;
}

/** Keys that name a file, as they are spelled in TOML. */
function filesOf(keys: object): [string, string][] {
  if (Array.isArray(keys)) return [];
  return Object.entries(keys).flatMap(([key, value]): [string, string][] => {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return name.endsWith('_file') && typeof value === 'string' && value !== '' ? [[name, value]] : [];
  });
}

function fileFault(
  key: string,
  value: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  // Variables of the daemon are not those of this shell.
  if (value.startsWith('env:')) return undefined;
  // Credentials exist only inside of the unit.
  if (value.startsWith('credential:') && !env['CREDENTIALS_DIRECTORY']) return undefined;
  try {
    if (PUBLIC_FILES.has(key)) accessSync(value, constants.R_OK);
    else readSecret(value, key, env);
    return undefined;
  } catch (error) {
    const { cause, message } = EdgeError.from(error, 'config.unreadable', 'read file', key);
    const code = codeOf(cause) ?? codeOf(error);
    if (code === 'EACCES' || code === 'EPERM') return undefined;
    return code === 'ENOENT'
      ? `a file that is there${isAbsolute(value) ? '' : ' (better an absolute path)'}`
      : message;
  }
}

/** Only Ed25519 signs grants. */
function keyFault(pem: string): string | undefined {
  try {
    if (createPublicKey(pem).asymmetricKeyType === 'ed25519') return undefined;
  } catch {
    // No PEM at all.
  }
  return 'a public Ed25519 key in PEM (openssl pkey -in key.pem -pubout)';
}

/** What is wrong with a file that is read whole; `look` says what is wrong with its text. */
function contentFault(
  path: string,
  look: (text: string) => string | undefined = () => undefined,
): string | undefined {
  try {
    return look(readFileSync(path, 'utf8'));
  } catch (error) {
    return missing(path, error, 'file');
  }
}

function folderFault(path: string): string | undefined {
  try {
    readdirSync(path);
    return undefined;
  } catch (error) {
    return missing(path, error, 'folder');
  }
}

function missing(path: string, error: unknown, what: 'file' | 'folder'): string | undefined {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') return undefined;
  const place = isAbsolute(path) ? '' : ' (better an absolute path)';
  if (code === 'ENOENT') return `a ${what} that is there${place}`;
  if (code === 'EISDIR' || code === 'ENOTDIR') return `a ${what}, and ${path} is not one`;
  return `a ${what} that can be read: ${(error as Error).message}`;
}

/** Tries it in the closest folder that is there: access rights alone do not show it (/proc). */
function directoryFault(path: string): string | undefined {
  let parent = path;
  while (!existsSync(parent) && dirname(parent) !== parent) parent = dirname(parent);
  try {
    rmdirSync(mkdtempSync(join(parent, '.auraison-check-')));
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EACCES' || code === 'EPERM') return undefined;
    return code === 'ENOTDIR' ? `${parent} is a file` : `nothing can be made in ${parent} (${code ?? error})`;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
