import { expect, it } from 'vitest';
import type { Sample } from '../../contract/index.ts';
import { ChannelTable } from '../../daemon/execution/recorder/channel-table.ts';

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
  expect(reports).toEqual([expect.stringMatching(/^\/a: not recorded/)]);
  expect(table.find(sampleOf('/t7'))).toMatchObject({ id: 7 });
  expect(table.add(sampleOf('/a\nb'))).toBe('malformed');
});
