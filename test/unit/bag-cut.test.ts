import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { BagCutter, openBag } from '../../adapters/rosbag/index.ts';
import { IdSource } from '../../contract/index.ts';
import { makeRecordings } from '../../daemon/compose/recordings.ts';
import { freshDir } from '../support/daemon.ts';
import { writeFile } from '../support/mcap-files.ts';

/** A part of a recording over the API: whole, or refused. */
const S = 1_000_000_000n;
const NEVER = new AbortController().signal;
let folder: ReturnType<typeof freshDir>;
let bag: string;
let cutter: BagCutter;
/** Bytes of a segment of which the second half is gone. */
let halfBytes = 0;
beforeEach(() => {
  folder = freshDir('bag-cut');
  bag = join(folder.path, 'bags', 'run');
  mkdirSync(bag, { recursive: true });
  const second = (at: number) => ({ channel: 1, time: BigInt(at) * S, data: new Uint8Array(100) });
  for (const n of [0, 1, 2]) {
    const [first, last] = [n * 10 + 10, n * 10 + 19];
    const { bytes, ends } = writeFile([[second(first)], [second(last)]]);
    halfBytes = ends[0]! + 20;
    writeFileSync(join(bag, `run_${n}.mcap`), bytes);
  }
  writeFileSync(
    join(bag, 'metadata.yaml'),
    `rosbag2_bagfile_information:\n  version: 9\n  storage_identifier: mcap\n  relative_file_paths: [run_0.mcap, run_1.mcap, run_2.mcap]\n`,
  );
  cutter = new BagCutter(join(folder.path, 'cuts'), new SystemClock());
});
afterEach(() => folder.remove());

async function timesOf(from: number, to: number): Promise<number[]> {
  const part = { start_ns: `${BigInt(from) * S}`, end_ns: `${BigInt(to) * S}` };
  const made = (await cutter.cut(bag, part, NEVER))!;
  const file = join(folder.path, 'part.mcap');
  writeFileSync(file, await buffer(made.stream(0, made.bytes - 1)));
  const cut = await openBag(file);
  const times: number[] = [];
  for await (const { logTime } of cut.records()) times.push(Number(logTime / S));
  await cut.close();
  return times;
}

it('refuses a time that is reversed, empty or outside of the recording', { timeout: 60_000 }, async () => {
  expect(await timesOf(10, 30)).toEqual([10, 19, 20, 29]);
  for (const [from, to] of [
    [20, 15],
    [20, 20],
    [50, 60],
    [1, 10],
  ] as const)
    await expect(timesOf(from, to)).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringContaining('a span within the bag'),
    });
  await expect(timesOf(12, 14)).rejects.toMatchObject({ code: 'api.not_found' });
});

it('refuses a time of which a segment is missing or damaged, and no other', { timeout: 60_000 }, async () => {
  rmSync(join(bag, 'run_1.mcap'));
  await expect(timesOf(10, 40)).rejects.toMatchObject({
    code: 'bag.malformed',
    message: expect.stringContaining('run_1.mcap'),
  });
  await expect(timesOf(20, 30)).rejects.toMatchObject({ code: 'bag.malformed' });
  expect(await timesOf(10, 19)).toEqual([10]);
  expect(await timesOf(30, 40)).toEqual([30, 39]);
  truncateSync(join(bag, 'run_2.mcap'), halfBytes);
  await expect(timesOf(30, 40)).rejects.toMatchObject({ code: 'bag.malformed' });
  expect(await timesOf(10, 19)).toEqual([10]);
});

it('cuts the next part when the one before is read or closed', { timeout: 60_000 }, async () => {
  const part = { start_ns: `${10n * S}`, end_ns: `${20n * S}` };
  const made = (await cutter.cut(bag, part, NEVER))!;
  await expect(cutter.cut(bag, part, NEVER)).rejects.toMatchObject({ code: 'cell.overloaded' });
  await made.close();
  expect(await timesOf(10, 20)).toEqual([10, 19]);
  expect(await timesOf(10, 20)).toEqual([10, 19]);
});

it('neither cuts nor annotates what a link among the bags leads to', async () => {
  mkdirSync(join(folder.path, 'elsewhere'));
  symlinkSync(join(folder.path, 'elsewhere'), join(folder.path, 'bags', 'away'));
  const ids = new IdSource(
    () => 0,
    (length) => new Uint8Array(length),
  );
  const clock = new SystemClock();
  const recordings = makeRecordings(folder.path, { emit: async () => {}, clock }, ids);
  const words = { start_ns: '1', end_ns: '2', label: 'x', text: '', removed: false, by: 'operator' };
  expect(await recordings.cutBag('away', { start_ns: '1', end_ns: '2' }, NEVER)).toBeUndefined();
  expect(await recordings.annotate({ bag: 'away', ...words }, undefined)).toBeUndefined();
});
