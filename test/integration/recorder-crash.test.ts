import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import type { NewEvent } from '../../contract/index.ts';
import { foreignView, readersPython } from '../support/readers.ts';
import { makeFolder, makeRecorder, payloads } from '../support/recorder.ts';
import { makeRecording, numbersIn } from '../support/recording.ts';

const script = join(import.meta.dirname, '..', 'support', 'record-until-killed.ts');
let dataDir: string;
let remove: () => void;
let child: ChildProcess | undefined;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => {
  child?.kill('SIGKILL');
  remove();
});

/**
 * Records for `ms` after it said `mark`, then kills it; how many samples it had
 * received, from and to.
 */
async function recordAndKill(
  first: number,
  ms: number,
  mode = 'continuous',
  compression = 'none',
  mark = /^ready$/m,
  syncMs = 100,
): Promise<{ least: number; most: number; output: string }> {
  const running = spawn(
    process.execPath,
    [script, dataDir, String(first), mode, compression, String(syncMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  child = running;
  let output = '';
  let isReady: () => void = () => {};
  let isSaid = false;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  running.stdout!.setEncoding('utf8').on('data', (text: string) => {
    // Only what is new is looked at: the whole grows by thousands of lines a second.
    const from = output.lastIndexOf('\n') + 1;
    output += text;
    if (!isSaid && mark.test(output.slice(from))) {
      isSaid = true;
      isReady();
    }
  });
  const closed = new Promise<void>((resolve) => running.on('close', () => resolve()));
  await Promise.race([ready, closed]);
  await new Promise((resolve) => setTimeout(resolve, ms));
  running.kill('SIGKILL');
  await closed;
  const last = (mark: string) => Number(output.match(new RegExp(`.*\\n${mark}(\\d+)\\n`, 's'))?.[1] ?? 0);
  return { least: last('<'), most: last('>') + 1, output };
}

describe('a recorder killed with SIGKILL, again and again', () => {
  it.each([
    ['none', 5],
    ['zstd', 2],
    ['lz4', 2],
  ])(
    'loses no more than its open chunk, counts exactly what, and every segment is whole: compression %s',
    async (compression, lives) => {
      readersPython();
      const received: { least: number; most: number }[] = [];
      const pauses = fc.sample(fc.integer({ min: 250, max: 1500 }), { numRuns: lives, seed: 20261121 });
      for (const [life, ms] of pauses.entries())
        received.push(await recordAndKill(life * 1_000_000, ms, 'continuous', compression));

      const { recorder, events, ledger } = makeRecorder(dataDir);
      await recorder.start();
      await recorder.stop();
      const logged = readFileSync(join(dataDir, 'events.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as NewEvent);
      const all = [...logged, ...events];

      const folder = join(dataDir, 'bags', 'bag');
      expect(readdirSync(folder).filter((name) => /active|sealed/.test(name))).toEqual([]);
      const bag = await openBag(folder);
      const numbers: number[] = [];
      for await (const { bytes } of bag.messages()) {
        numbers.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true));
      }
      await bag.close();
      const written = pauses.map(
        (_, life) => numbers.filter((n) => Math.floor(n / 1_000_000) === life).length,
      );

      // What is missing is the end of each life, nothing in between: the open chunk.
      for (const [life, count] of written.entries()) {
        const own = numbers.filter((n) => Math.floor(n / 1_000_000) === life).map((n) => n % 1_000_000);
        expect(own.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }
      const losses = payloads(all, 'losses.recorded').flatMap(({ topics }) => topics);
      const sum = (of: (line: (typeof losses)[number]) => number) =>
        losses.reduce((total, line) => total + of(line), 0);
      const crashed = sum(({ dropped }) => dropped['crash'] ?? 0);
      const least = received.reduce((total, one) => total + one.least, 0);
      const most = received.reduce((total, one) => total + one.most, 0);
      expect(numbers.length + crashed).toBeGreaterThanOrEqual(least);
      expect(numbers.length + crashed).toBeLessThanOrEqual(most);
      for (const line of losses) {
        const dropped = Object.values(line.dropped).reduce((total, count) => total + count, 0);
        expect(line.received).toBe(line.written + dropped);
      }
      // Each sealed segment was told once with the hash of its file, and the ledgers add up to the files.
      const sealed = new Map(payloads(all, 'segment.sealed').map((segment) => [segment.path, segment]));
      expect([...sealed.values()].reduce((total, { messages }) => total + messages, 0)).toBe(numbers.length);
      for (const path of sealed.keys()) expect(existsSync(join(dataDir, path))).toBe(true);
      expect(sealed.size).toBe(readdirSync(folder).filter((name) => name.endsWith('.mcap')).length);
      const lastLife = ledger.lines().reduce((total, { dropped }) => total + (dropped.crash ?? 0), 0);
      expect(lastLife).toBeGreaterThanOrEqual(received.at(-1)!.least - written.at(-1)!);

      for (const reader of ['mcap', 'rosbags'] as const) {
        const view = await foreignView(reader, folder);
        expect(Object.values(view.topics).reduce((total, { count }) => total + count, 0)).toBe(
          numbers.length,
        );
      }
    },
  );
});

/** Every bag of the data directory as foreign readers see it: they refuse nothing. */
async function foreignReadersTakeAll(): Promise<void> {
  const bags = readdirSync(join(dataDir, 'bags')).filter((name) => !name.startsWith('.'));
  // The newest: those around the last kill. Each costs two starts of Python.
  for (const bag of bags.sort().slice(-4)) {
    const folder = join(dataDir, 'bags', bag);
    if (!readdirSync(folder).some((name) => name.endsWith('.mcap'))) continue;
    const ours = (await numbersIn(folder)).length;
    for (const reader of ['mcap', 'rosbags'] as const) {
      const { topics } = await foreignView(reader, folder);
      expect(
        Object.values(topics).reduce((total, { count }) => total + count, 0),
        bag,
      ).toBe(ours);
    }
  }
}

describe('a recorder killed in its other modes', () => {
  it('ring: makes every clip that it acknowledged, and foreign readers take all that is left', async () => {
    readersPython();
    const acknowledged: string[] = [];
    // At the first acknowledgement, when its clip has not come to its end, and some time after it.
    for (const [life, ms] of [0, 900].entries()) {
      const [compression, syncMs] = life === 0 ? (['lz4', 3_600_000] as const) : (['none', 100] as const);
      const mark = /^clip \S+ \d+$/m;
      const { output } = await recordAndKill(life * 1_000_000, ms, 'ring', compression, mark, syncMs);
      acknowledged.push(...[...output.matchAll(/clip (\S+) /g)].map(([, id]) => id!));
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(2);
    const { recording, start, stop } = makeRecording(dataDir, { mode: 'ring' });
    await start();
    const clips = await recording.clips();
    await stop();
    expect(clips.every(({ state }) => state === 'whole')).toBe(true);
    const made = clips.map(({ clip_id }) => clip_id);
    for (const id of acknowledged) expect(made).toContain(id);
    await foreignReadersTakeAll();
  });

  it('episode: has each episode that it acknowledged, whole with its label, and no other', async () => {
    readersPython();
    const acknowledged = new Map<string, number>();
    for (const [life, ms] of [0, 700, 250].entries()) {
      const compression = life === 1 ? 'zstd' : 'none';
      const said = /^episode \S+ \d+$/m;
      const { output } = await recordAndKill(life * 1_000_000, ms, 'episode', compression, said);
      for (const [, id, messages] of output.matchAll(/episode (\S+) (\d+)/g))
        acknowledged.set(id!, Number(messages));
    }
    expect(acknowledged.size).toBeGreaterThanOrEqual(3);
    const { recording, start, stop } = makeRecording(dataDir, { mode: 'episode', recorder: { bag: 'idle' } });
    await start();
    const episodes = recording.episodes.list();
    await stop();
    for (const [id, messages] of acknowledged)
      expect(episodes.find(({ episode_id }) => episode_id === id)).toMatchObject({ messages, success: true });
    for (const { bag, label, messages, segments } of episodes) {
      expect(label).toMatch(/^episode \d+$/);
      const numbers = await numbersIn(join(dataDir, 'bags', bag));
      expect(numbers).toHaveLength(messages);
      expect(numbers).toEqual(Array.from({ length: messages }, (_, i) => numbers[0]! + i));
      for (const { path } of segments) expect(existsSync(join(dataDir, path))).toBe(true);
    }
    await foreignReadersTakeAll();
  });
});
