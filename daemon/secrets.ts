import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../contract/core.ts';

/**
 * Reads a secret from a file, a systemd credential (`credential:NAME`) or a variable (`env:NAME`). Refuses a file that others may
 * read: a token that the whole host knows is not a secret. The value never appears in an error.
 */
export function readSecret(
  reference: string,
  key: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (reference === '') return undefined;
  if (reference.startsWith('env:')) return fromVariable(reference.slice('env:'.length), key, env);
  const path = reference.startsWith('credential:')
    ? credentialPath(reference.slice('credential:'.length), key, env)
    : reference;
  try {
    if (reference.startsWith('credential:') && !existsSync(path))
      throw missingCredential(reference.slice('credential:'.length), key);
    const mode = statSync(path).mode & 0o777;
    if (!reference.startsWith('credential:') && (mode & 0o077) !== 0) {
      throw new EdgeError('config.invalid', {
        operation: 'read secret',
        subject: key,
        message: `${path} has mode ${mode.toString(8)}: others may read it`,
        hint: `chmod 600 ${path}`,
      });
    }
    const value = readFileSync(path, 'utf8').trim();
    if (value !== '') return value;
  } catch (error) {
    throw EdgeError.from(error, 'config.unreadable', 'read secret', key);
  }
  throw new EdgeError('config.invalid', {
    operation: 'read secret',
    subject: key,
    message: `${path} is empty`,
  });
}

function fromVariable(name: string, key: string, env: Readonly<Record<string, string | undefined>>): string {
  const value = env[name]?.trim();
  if (value) return value;
  throw new EdgeError('config.invalid', {
    operation: 'read secret',
    subject: key,
    message: `the variable ${name} is not set in this process`,
    hint: `set ${name} where the daemon is started, or name a file of mode 0600`,
  });
}

function credentialPath(
  name: string,
  key: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const directory = env['CREDENTIALS_DIRECTORY'];
  // A folder that is loaded as `secret` gives its files this prefix.
  if (directory)
    return (
      [join(directory, name), join(directory, `secret_${name}`)].find(existsSync) ?? join(directory, name)
    );
  throw missingCredential(name, key);
}

function missingCredential(name: string, key: string): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'read secret',
    subject: key,
    message: `systemd has given this process no credential ${name}`,
    hint: `put the secret into /etc/auraison-edge/secrets/${name} and restart the service, or name a file of mode 0600`,
  });
}
