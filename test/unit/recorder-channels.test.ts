import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Sample } from '../../contract/index.ts';
import { ChannelTable } from '../../daemon/execution/recorder/channel-table.ts';
import { makeFolder, makeRecorder } from '../support/recorder.ts';

const sampleOf = (topic: string): Sample => ({
  topic,
  type: 'std_msgs/msg/UInt32',
  stamp: 1n,
  received: 1n,
  bytes: new Uint8Array(8),
});

it('a topic beyond the channels of a file is told once and counted as such; a name that is none is malformed', () => {
  const reports: string[] = [];
  const table = new ChannelTable({ report: (_, message) => reports.push(message) });
  for (let i = 1; i < 65_535; i++) table.add(sampleOf(`/t${i}`));
  expect(table.add(sampleOf('/last'))).toMatchObject({ id: 65_535 });
  expect(reports).toEqual([]);
  expect([table.add(sampleOf('/a')), table.add(sampleOf('/b'))]).toEqual(['no_channel', 'no_channel']);
  expect(reports).toEqual([expect.stringMatching(/^\/a is not recorded/)]);
  expect(table.find(sampleOf('/t7'))).toMatchObject({ id: 7 });
  expect(table.add(sampleOf('/a\nb'))).toBe('malformed');
});

it('topics are recorded and counted also where the memory for the counts of a crash is gone', async () => {
  const { dataDir, remove } = makeFolder();
  const { recorder, ledger } = makeRecorder(dataDir, { intakeDir: join(dataDir, 'intake') });
  mkdirSync(join(dataDir, 'intake'));
  await recorder.start();
  rmSync(join(dataDir, 'intake'), { recursive: true });
  // More topics than the counts have room for at first.
  for (let i = 0; i < 200; i++) recorder.offer(sampleOf(`/t${i}`));
  await recorder.sealNow();
  expect(ledger.lines().length).toBe(200);
  expect(ledger.lines().every(({ received, written }) => received === 1 && written === 1)).toBe(true);
  await recorder.stop();
  remove();
});
