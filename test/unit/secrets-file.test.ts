import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';

describe('FileSecrets', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'secrets-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('makes a secret once, for this user only, and gives it back', async () => {
    const secrets = new FileSecrets(join(dir, 'deep', 'er'), 'a');
    expect(await secrets.read('token')).toBeUndefined();
    expect(await secrets.readOrCreate('token', () => 'first')).toBe('first');
    expect(await secrets.readOrCreate('token', () => 'second')).toBe('first');
    expect(await new FileSecrets(join(dir, 'deep', 'er'), 'b').read('token')).toBe('first');
    expect(statSync(join(dir, 'deep', 'er', 'token')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(dir, 'deep', 'er'))).toEqual(['token']);
  });

  it('gives all who ask at once the same', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => new FileSecrets(dir, `p${i}`).readOrCreate('token', () => `t${i}`)),
    );
    expect(new Set(answers).size).toBe(1);
    expect(readFileSync(join(dir, 'token'), 'utf8')).toBe(`${answers[0]}\n`);
  });

  it('refuses a secret that others may read, that is empty, or whose name leads elsewhere', async () => {
    const secrets = new FileSecrets(dir, 'a');
    writeFileSync(join(dir, 'open'), 'known-to-all', { mode: 0o600 });
    chmodSync(join(dir, 'open'), 0o644);
    const refused = secrets.read('open');
    await expect(refused).rejects.toMatchObject({ code: 'host.missing' });
    await refused.catch((error: Error) => expect(error.message).not.toContain('known-to-all'));
    writeFileSync(join(dir, 'empty'), '\n', { mode: 0o600 });
    await expect(secrets.readOrCreate('empty', () => 'x')).rejects.toMatchObject({ code: 'host.missing' });
    await expect(secrets.read('../token')).rejects.toMatchObject({ code: 'host.missing' });
  });
});
