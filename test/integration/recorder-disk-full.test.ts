import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bagInfo } from '../../adapters/rosbag/index.ts';
import type { LedgerLine, NewEvent } from '../../contract/index.ts';
import type { RecorderStatus } from '../../daemon/execution/recorder/index.ts';
import { foreignView, readersPython } from '../support/readers.ts';
import { makeFolder, payloads } from '../support/recorder.ts';

const script = join(import.meta.dirname, '..', 'support', 'record-to-full-disk.ts');
let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir: folder, remove } = makeFolder());
});
afterEach(() => remove());

type Outcome = {
  whenFull: RecorderStatus;
  after: RecorderStatus;
  ledger: LedgerLine[];
  events: NewEvent[];
  reports: string[];
  offered: number;
};

/** Runs the script with its data on a tmpfs of 24 MB in a mount namespace of its own; undefined: not permitted. */
function onSmallDisk(floorBytes: number): Outcome | undefined {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const copy = join(folder, 'bags');
  const mount = `mount -t tmpfs -o size=24m tmpfs ${disk} || exit 77; exec "$@"`;
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  const command = [process.execPath, script, disk, copy, String(floorBytes)];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [...asRoot, '-m', 'sh', '-c', mount, 'sh', ...command],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    },
  );
  if (status === 77 || status === null || /unshare failed|Operation not permitted/.test(stderr))
    return undefined;
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Outcome;
}

describe.each([
  ['that runs full', 0],
  ['that falls below the free-space floor', 4 * 1024 * 1024],
])('a disk %s', (_, floorBytes) => {
  it('fails the recorder with a reason, costs what is counted, and is recovered from alone', async (context) => {
    const outcome = onSmallDisk(floorBytes);
    if (!outcome) {
      console.error(
        'recorder-disk-full: NOT TESTED, no small file system may be mounted here (unshare -m, tmpfs)',
      );
      context.skip('mounting a tmpfs is not permitted');
      return;
    }
    readersPython();
    const { whenFull, after, ledger, events, offered } = outcome;
    expect(whenFull.state).toBe('failed');
    expect(whenFull.reason).toMatch(floorBytes === 0 ? /ENOSPC|no space/i : /below the minimum of 4 MiB/);
    expect(after.state).toBe('recording');

    const totals = ledger.map(({ received, written, dropped }) => {
      const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
      expect(received).toBe(written + lost);
      expect(Object.keys(dropped).every((reason) => reason === 'disk_full')).toBe(true);
      return { received, written, lost };
    });
    const sum = (key: 'received' | 'written' | 'lost') =>
      totals.reduce((total, line) => total + line[key], 0);
    expect(sum('received')).toBe(offered);
    expect(sum('lost')).toBeGreaterThan(0);

    // Everything counted as written is in sealed files that foreign readers accept.
    const sealed = payloads(events, 'segment.sealed');
    expect(sealed.reduce((total, { messages }) => total + messages, 0)).toBe(sum('written'));
    const bag = join(folder, 'bags', 'bag');
    expect(await bagInfo(bag)).toMatchObject({ messages: sum('written') });
    for (const { path } of sealed) expect(existsSync(join(folder, path))).toBe(true);
    for (const reader of ['mcap', 'rosbags'] as const) {
      const { topics } = await foreignView(reader, bag);
      expect(Object.values(topics).reduce((total, { count }) => total + count, 0)).toBe(sum('written'));
    }
    const recorded = payloads(events, 'losses.recorded').flatMap(({ topics }) => topics);
    const recordedLost = recorded.reduce((total, { dropped }) => total + (dropped['disk_full'] ?? 0), 0);
    expect(recordedLost).toBe(sum('lost'));
  });
});
