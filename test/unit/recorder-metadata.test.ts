import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventPayload, NewEvent } from '../../contract/index.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const metadataOf = (bag: string) => join(dataDir, 'bags', bag, 'metadata.yaml');
const listed = (bag: string) =>
  [...new Set(readFileSync(metadataOf(bag), 'utf8').match(/\w+\.mcap/g))].sort();

/** A bag of two segments, and what was told of them. */
async function recordTwo(bag: string): Promise<EventPayload<'segment.sealed'>[]> {
  const { recorder, events } = makeRecorder(dataDir, { bag });
  await recorder.start();
  recorder.offer(sampleOf('/a', 1));
  await recorder.sealNow();
  recorder.offer(sampleOf('/a', 2));
  await recorder.stop();
  return payloads(events, 'segment.sealed');
}

/** The next life, which records into another bag. */
async function nextLife(): Promise<{ events: NewEvent[]; reports: string[] }> {
  const { recorder, events, reports } = makeRecorder(dataDir, { bag: 'next' });
  await recorder.start();
  await recorder.stop();
  return { events, reports };
}

describe('metadata.yaml', () => {
  it('lists a segment by the time it is told', async () => {
    const lists: unknown[] = [];
    const emit = async (events: readonly NewEvent[]) => {
      for (const { path } of payloads(events, 'segment.sealed')) lists.push([path, listed('bag')]);
    };
    const { recorder } = makeRecorder(dataDir, { emit });
    await recorder.start();
    recorder.offer(sampleOf('/a', 1));
    await recorder.sealNow();
    recorder.offer(sampleOf('/a', 2));
    await recorder.stop();
    expect(lists).toEqual([
      ['bags/bag/bag_0.mcap', ['bag_0.mcap']],
      ['bags/bag/bag_1.mcap', ['bag_0.mcap', 'bag_1.mcap']],
    ]);
  });

  it('is made whole by the next life, where one ended between the name of a segment and its list', async () => {
    const [, last] = await recordTwo('killed');
    // As the kill left it: the list is the one before, the note says what is not known to be told.
    const before = readFileSync(metadataOf('killed'), 'utf8');
    rmSync(metadataOf('killed'));
    await nextLife();
    expect(listed('killed')).toEqual(['killed_0.mcap', 'killed_1.mcap']);
    expect(readFileSync(metadataOf('killed'), 'utf8')).toBe(before);

    writeFileSync(metadataOf('killed'), before.replaceAll('killed_1.mcap', 'killed_0.mcap'));
    expect(listed('killed')).toEqual(['killed_0.mcap']);
    const losses = { bag: 'killed', segment: last!.path, topics: [] };
    writeFileSync(join(dataDir, `${last!.path}.sealed.json`), JSON.stringify({ segment: last, losses }));
    const { events } = await nextLife();
    expect(readFileSync(metadataOf('killed'), 'utf8')).toBe(before);
    expect(payloads(events, 'segment.sealed').map(({ path }) => path)).toContain(last!.path);
    expect(readdirSync(join(dataDir, 'bags', 'killed')).sort()).toEqual([
      'killed_0.mcap',
      'killed_1.mcap',
      'metadata.yaml',
    ]);
  });

  it('is not made up for folders of others, and one that cannot be written keeps nobody from recording', async () => {
    const [first] = await recordTwo('mine');
    const foreign = join(dataDir, 'bags', 'foreign');
    mkdirSync(foreign);
    cpSync(join(dataDir, first!.path), join(foreign, 'cut.mcap'));
    rmSync(metadataOf('mine'));
    mkdirSync(join(dataDir, 'bags', 'mine', 'metadata.yaml.tmp'));
    const { reports } = await nextLife();
    expect(readdirSync(foreign)).toEqual(['cut.mcap']);
    expect(reports.join()).toContain('metadata.yaml of mine may lack segments');
    rmSync(join(dataDir, 'bags', 'mine', 'metadata.yaml.tmp'), { recursive: true });
    await nextLife();
    expect(listed('mine')).toEqual(['mine_0.mcap', 'mine_1.mcap']);
  });
});
