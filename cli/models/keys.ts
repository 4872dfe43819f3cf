import { chownSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { EdgeError } from '../../contract/core.ts';
import { credentialsDir } from '../../daemon/paths.ts';
import { readSecret } from '../../daemon/secrets.ts';
import type { Ask } from './terminal.ts';

const KEY_BYTES_MAX = 64 * 1024;

export type KeyOptions = {
  readonly keyStdin?: boolean;
  readonly keyEnv?: string;
  readonly keyFile?: string;
};

/** A key as the configuration refers to it. `fresh`: it is to be kept in a file of the data directory. */
export type Key = { readonly reference: string } | { readonly fresh: string };

/**
 * Where the key comes from: standard input, a variable, a file, or a person at the terminal. Never from the command
 * line: it would be in the list of processes. Undefined: the server needs no key.
 */
export async function keyOf(
  { keyStdin, keyEnv, keyFile }: KeyOptions,
  {
    ask,
    required,
    title,
  }: { readonly ask: Ask | undefined; readonly required: boolean; readonly title: string },
): Promise<Key | undefined> {
  if ([keyStdin, keyEnv, keyFile].filter((one) => one !== undefined).length > 1)
    throw missing(title, 'give one of --key-stdin, --key-env and --key-file', '');
  if (keyStdin) return { fresh: usable(await standardInput(), title) };
  if (keyEnv !== undefined) {
    readSecret(`env:${keyEnv}`, '--key-env', process.env);
    return { reference: `env:${keyEnv}` };
  }
  if (keyFile !== undefined) {
    const path = keyFile.startsWith('credential:') ? keyFile : resolve(keyFile);
    if (path === keyFile || !keyFile.startsWith('credential:')) readSecret(path, '--key-file', process.env);
    return { reference: path };
  }
  if (!required) return undefined;
  if (ask === undefined)
    throw missing(
      title,
      `${title} wants a key`,
      'pipe it in with --key-stdin, or name it with --key-env NAME or --key-file PATH',
    );
  return { fresh: usable(await ask({ question: `key of ${title} (not shown)`, secret: true }), title) };
}

/** Keeps a fresh key for this model; returns how the configuration refers to it. */
export function keep(key: Key, name: string, dataDir: string): string {
  if ('reference' in key) return key.reference;
  const secrets = new FileSecrets(credentialsDir(dataDir), String(process.pid));
  secrets.replace(name, key.fresh);
  const path = secrets.pathOf(name);
  // Where root sets up a service, the user of the service reads it.
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(dataDir);
    for (const own of [credentialsDir(dataDir), path]) chownSync(own, uid, gid);
  }
  return path;
}

/** Removes a key that `keep` kept; others are left alone. */
export function forget(reference: string, name: string, dataDir: string): boolean {
  const secrets = new FileSecrets(credentialsDir(dataDir), String(process.pid));
  if (reference !== secrets.pathOf(name)) return false;
  secrets.remove(name);
  return true;
}

function usable(text: string, title: string): string {
  const key = text.trim();
  if (key !== '' && !/\s/.test(key)) return key;
  throw missing(title, key === '' ? 'the key is empty' : 'the key has spaces or several lines', '');
}

async function standardInput(): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of process.stdin) {
    bytes += (part as Buffer).byteLength;
    if (bytes > KEY_BYTES_MAX) break;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}

function missing(subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'models add', subject, message, hint });
}
