import { expect, it } from 'vitest';
import { readConfig } from '../../daemon/config.ts';

const WHOLE = {
  catalog: 'postgres://lake@db.example:5432/fleet',
  catalog_password_file: '/etc/lake/password',
  storage: 's3://robots/robot7',
  storage_key_file: '/etc/lake/key',
  storage_secret_file: '/etc/lake/secret',
};

function faults(change: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries({ ...WHOLE, ...change }).map(([key, value]) => `${key} = "${value}"`);
  const read = readConfig(`[lake]\n${lines.join('\n')}\n`, 'auraison.toml', {});
  return read.faults.map(({ key, expected }) => `${key}: ${expected}`);
}

it('takes a lakehouse on servers whole, and says which part is missing or wrong', () => {
  expect(faults({})).toEqual([]);
  expect(faults({ storage: '' })).toEqual([expect.stringContaining('lake.storage: "s3://robots/robot7"')]);
  expect(faults({ catalog: '' })).toEqual([expect.stringContaining('lake.catalog: "postgres://')]);
  expect(faults({ storage_secret_file: '' })).toEqual([expect.stringContaining('lake.storage_secret_file')]);
  expect(faults({ engine: 'duckdb' })).toEqual([expect.stringContaining('lake.engine: "auto"')]);
});

it.each([
  ['a password in the address', { catalog: 'postgres://lake:secret@db.example/fleet' }, 'without a password'],
  ['no user', { catalog: 'postgres://db.example/fleet' }, 'postgres://user@host'],
  ['a bucket without a prefix', { storage: 's3://robots' }, 's3://bucket/prefix'],
  ['an endpoint without a scheme', { storage_endpoint: 'host:9000' }, 'https://host'],
  ['a schema that is SQL', { catalog_schema: 'a; drop' }, 'lower-case letters'],
])('refuses %s', (_what, change, expected) => {
  expect(faults(change as Record<string, string>)).toEqual([expect.stringContaining(expected)]);
});
