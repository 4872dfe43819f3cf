import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Lock, lockFaults } from '../../scripts/lock-platforms.mjs';

const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
const lock = JSON.parse(text) as Lock;

it('holds each optional package of every platform, and no registry: npm ci works', () => {
  expect(lockFaults(lock)).toEqual([]);
  expect(text).not.toMatch(/"resolved"/);
  const systems = new Set(Object.values(lock.packages).flatMap(({ os = [] }) => os));
  expect(systems).toContain('darwin');
});

it('is found wanting where a platform is missing, and only there', () => {
  const hash = { version: '1.0.0', integrity: 'sha512-a' };
  const packages = {
    '': { optionalDependencies: { top: '1.0.0' } },
    'node_modules/top': { ...hash, optionalDependencies: { 'top-linux': '1.0.0', 'top-darwin': '1.0.0' } },
    'node_modules/top/node_modules/top-linux': hash,
  };
  expect(lockFaults({ packages })).toEqual(['node_modules/top: no entry for its optional top-darwin']);
  expect(lockFaults({ packages: { ...packages, 'node_modules/top-darwin': hash } })).toEqual([]);
  const named = { ...hash, resolved: 'https://registry.example/top-darwin.tgz' };
  expect(lockFaults({ packages: { ...packages, 'node_modules/top-darwin': named } })).toEqual([
    'node_modules/top-darwin: names a registry',
  ]);
  const gap = { version: '1.0.0', optional: true, os: ['darwin'] };
  expect(lockFaults({ packages: { ...packages, 'node_modules/top-darwin': { ...gap, dev: true } } })).toEqual(
    [],
  );
  for (const bare of [gap, { ...gap, dev: true, os: ['linux'] }])
    expect(lockFaults({ packages: { ...packages, 'node_modules/top-darwin': bare } })).toEqual([
      'node_modules/top-darwin: no hash',
    ]);
});
