import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../daemon/config.ts';
import { freshDir, ROOT } from '../support/daemon.ts';

type Manifest = { kind: string; data?: Record<string, string>; spec?: Record<string, unknown> };

const directory = freshDir('kubernetes-manifests');
afterAll(() => directory.remove());
const text = readFileSync(join(ROOT, 'packaging', 'kubernetes', 'auraison-edge.yaml'), 'utf8');
const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);

describe('the manifests for Kubernetes', () => {
  it('are what Kubernetes 1.28 and 1.37 take, strictly', () => {
    const python = execFileSync('bash', [join(ROOT, 'test', 'peers', 'kubernetes.sh')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
    const files = manifests.map((manifest, index) => {
      const file = join(directory.path, `${index}.json`);
      writeFileSync(file, JSON.stringify(manifest));
      return file;
    });
    const validate = join(dirname(python), 'kubernetes-validate');
    for (const version of ['1.28', '1.37'])
      execFileSync(validate, ['--strict', '--quiet', '-k', version, ...files], { stdio: 'pipe' });
  });

  it('configure the daemon without a fault, and give it the token by a secret', () => {
    const toml = manifests.find(({ kind }) => kind === 'ConfigMap')!.data!['auraison-edge.toml']!;
    const { config, faults } = readConfig(toml, 'auraison-edge.toml', {});
    expect(faults).toEqual([]);
    expect(config.api.token_file).toBe('env:AURAISON_EDGE_TOKEN');
    const pod = JSON.stringify(manifests.find(({ kind }) => kind === 'StatefulSet'));
    expect(pod).toContain('"secretKeyRef":{"name":"auraison-edge","key":"token"}');
    expect(pod).toContain('"mountPath":"/data"');
    expect(config.daemon.data_dir).toBe('/data/robot');
  });
});

it('the image sets only variables that the configuration knows', () => {
  const file = readFileSync(join(ROOT, 'packaging', 'oci', 'Containerfile'), 'utf8');
  const env = Object.fromEntries(
    [...file.matchAll(/(AURAISON_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name!, value!]),
  );
  const { AURAISON_CACHE: cache, ...settings } = env;
  expect(cache).toBe('/data/cache');
  const { config, faults } = readConfig('', 'none', settings);
  expect(faults).toEqual([]);
  expect(config).toMatchObject({ api: { host: '0.0.0.0', port: 7601 }, daemon: { data_dir: '/data/robot' } });
});
