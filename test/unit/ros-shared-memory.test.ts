import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sweepSharedMemory } from '../../adapters/ros/shared-memory.ts';

const NOW_MS = 1_700_000_000_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-shm-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function segment(hex: string, ageMs: number): string {
  const name = `fastrtps_${hex.padStart(16, '0')}`;
  writeFileSync(join(folder, name), 'shared memory');
  writeFileSync(join(folder, `${name}_el`), '');
  const made = (NOW_MS - ageMs) / 1_000;
  utimesSync(join(folder, `${name}_el`), made, made);
  return name;
}

it('removes what the dead left, and nothing that anybody holds, is young or is not ours', async () => {
  segment('dead', 60_000);
  const held = segment('a11ce', 60_000);
  const young = segment('b0b', 1_000);
  for (const other of [
    'fastrtps_port7411',
    'fastrtps_port7411_el',
    'sem.fastrtps_port7411_mutex',
    'photo_el',
  ]) {
    writeFileSync(join(folder, other), '');
    utimesSync(join(folder, other), 1, 1);
  }
  const owner = spawn('flock', ['--exclusive', join(folder, `${held}_el`), 'sh', '-c', 'echo held; cat']);
  try {
    await once(owner.stdout, 'data');
    expect(sweepSharedMemory(NOW_MS, folder)).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(
      [
        held,
        `${held}_el`,
        young,
        `${young}_el`,
        'fastrtps_port7411',
        'fastrtps_port7411_el',
        'photo_el',
        'sem.fastrtps_port7411_mutex',
      ].sort(),
    );
  } finally {
    const gone = once(owner, 'exit');
    owner.stdin.end();
    await gone;
  }
});

it('is quiet where there is no shared memory', () => {
  expect(sweepSharedMemory(NOW_MS, join(folder, 'none'))).toBe(0);
});
