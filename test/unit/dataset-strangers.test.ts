import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { readTasks } from '../../adapters/lerobot-dataset/dataset-files.ts';
import { pushDataset } from '../../adapters/lerobot-dataset/index.ts';
import { emptyInfo, readInfo, specOf } from '../../adapters/lerobot-dataset/info.ts';
import type { Clock, ParquetFiles } from '../../contract/core.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-stranger-'));
  mkdirSync(join(root, 'meta'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a dataset of a stranger', () => {
  const vector = { kind: 'vector' as const, names: ['a'] };
  const told = (feature: object) => {
    const info = emptyInfo({ fps: 10, robotType: '', features: { state: vector } }, undefined);
    writeFileSync(
      join(root, 'meta/info.json'),
      JSON.stringify({ ...info, features: { ...info.features, big: feature } }),
    );
    return readInfo(root);
  };

  it.each([4_294_967_295, 9_007_199_254_740_991, 50_000_000])(
    'that says its vectors have %d numbers costs no memory for their names',
    async (size) => {
      const info = await told({ dtype: 'float32', shape: [size], names: null });
      const { spec, others } = specOf(info!);
      expect(Object.keys(spec.features)).toEqual(['state']);
      expect(others).toEqual(['big']);
    },
  );

  it('whose names are nested without end is read as one without names', async () => {
    await told({ dtype: 'float32', shape: [2], names: 'deep' });
    const path = join(root, 'meta/info.json');
    const deep = `${'['.repeat(20_000)}"x"${']'.repeat(20_000)}`;
    writeFileSync(path, readFileSync(path, 'utf8').replace('"deep"', deep));
    const info = await readInfo(root);
    expect(specOf(info!).spec.features['big']).toEqual({ kind: 'vector', names: ['0', '1'] });
  });

  it.each([-1, 4_000_000_000, 0.5, Number.NaN])('has no task with the number %d', async (index) => {
    const rows = [{ task_index: index, __index_level_0__: 'pick' }];
    const parquet = { read: async () => rows } as unknown as ParquetFiles;
    await expect(readTasks(root, parquet)).rejects.toMatchObject({ code: 'schema.invalid' });
  });
});

describe('a hub', () => {
  it('that begins an answer and never ends it is given up', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const system = new SystemClock();
    // An hour of the push is a moment here.
    const hasty: Clock = Object.assign(Object.create(system) as Clock, {
      after: (_: number, work: () => void) => system.after(300, work),
    });
    try {
      await expect(
        pushDataset(root, {
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          ...{ token: 'secret', repo: 'lab/picks', revision: 'main', isPrivate: true, clock: hasty },
        }),
      ).rejects.toMatchObject({ code: 'deadline.exceeded' });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
