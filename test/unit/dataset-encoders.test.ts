import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetWriter } from '../../adapters/lerobot-dataset/index.ts';
import type { DatasetSpec } from '../../contract/core.ts';
import { madeEpisode, SPEC } from '../support/datasets.ts';
import { until } from '../support/until.ts';

/** Takes pictures of any camera, and fails at the end of those of `first`. Leaves its number beside itself. */
const FFMPEG = `#!/bin/sh
for out; do :; done
case "$*" in *' -encoders'*) echo ' V....D libx264 H.264'; exit 0;; esac
name="$(basename "$out")"
echo $$ > "$0.$name"
case "$name" in *first*) cat > /dev/null; echo 'No space left on device' >&2; exit 1;; esac
exec cat > /dev/null
`;
const camera = { kind: 'video', height: 16, width: 16 } as const;
const spec: DatasetSpec = {
  ...SPEC,
  features: { ...SPEC.features, 'observation.images.first': camera, 'observation.images.second': camera },
};
let folder: string;
let parquet: DuckParquetFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-encoders-'));
  parquet = new DuckParquetFiles();
});
afterEach(async () => {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('an encoder that fails at the end of a batch', () => {
  it('fails the export, and leaves none of another camera behind', async () => {
    const ffmpeg = join(folder, 'ffmpeg');
    writeFileSync(ffmpeg, FFMPEG);
    chmodSync(ffmpeg, 0o755);
    const root = join(folder, 'set');
    const writer = await DatasetWriter.open({
      ...{ root, spec, parquet, ffmpeg },
      ...{ clock: new SystemClock(), codec: 'auto' },
    });
    await writer.add(madeEpisode(spec, { index: 0, length: 2 }));
    const second = `${ffmpeg}.observation.images.second.mp4`;
    await until(
      () => existsSync(second) && readFileSync(second, 'utf8').trim() !== '',
      'the second encoder to start',
    );
    await expect(writer.commit()).rejects.toMatchObject({ code: 'tool.failed', hint: 'the disk is full' });
    expect(isAlive(Number(readFileSync(second, 'utf8')))).toBe(false);
    await writer.close();
  });
});
