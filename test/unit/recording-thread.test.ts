import { createHash } from 'node:crypto';
import fs, { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeFolder } from '../support/recorder.ts';
import { makeThread } from '../support/recording-thread.ts';
import { until } from '../support/until.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  remove();
});

/** Where a folder is nobody writes a file; returns what takes it away. */
function obstacle(path: string): () => void {
  const at = join(dataDir, 'bags', path);
  mkdirSync(at, { recursive: true });
  return () => rmdirSync(at);
}

/** Every segment that was told is there as it was told, and nothing lies about. */
function expectWhole(rig: ReturnType<typeof makeThread>, messages: number): void {
  const sealed = rig.of('sealed').map(({ segment }) => segment);
  for (const { path, sha256, bytes } of sealed) {
    const file = readFileSync(join(dataDir, path));
    expect(createHash('sha256').update(file).digest('hex'), path).toBe(sha256);
    expect(file.length).toBe(bytes);
  }
  expect(sealed.reduce((sum, one) => sum + one.messages, 0)).toBe(messages);
  const names = readdirSync(join(dataDir, 'bags', 'bag'));
  expect(names.filter((name) => name.endsWith('.active'))).toEqual([]);
}

describe('a segment that could not be sealed', () => {
  it('is repaired when no other is open, and what was dropped is told once', async () => {
    const rig = makeThread(dataDir, { segmentBytesMax: 2_000_000 });
    await rig.start();
    const clear = obstacle('bag/bag_0.mcap.sealed.json.tmp');
    rig.drop(3);
    rig.offer(2_500_000);
    // While the first is hashed the second is opened.
    rig.offer();
    const isLeft = () =>
      rig.of('report').some(({ message }) => /bag_0\.mcap is not sealed yet/.test(message));
    await until(() => isLeft() && rig.of('written').length === 2, 'the first segment to be left');
    expect(rig.of('opened').map(({ path }) => path)).toEqual(['bags/bag/bag_0.mcap', 'bags/bag/bag_1.mcap']);
    expect(rig.of('state').at(-1)?.state).toBe('failed');
    clear();
    await rig.clock.advance(1_050);
    await until(() => rig.of('state').at(-1)?.state === 'recording', 'the recording to go on');
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 3);
    const sealed = rig.of('sealed').map(({ segment: { path, repaired } }) => `${path} ${repaired}`);
    expect(sealed.sort()).toEqual([0, 1, 2].map((n) => `bags/bag/bag_${n}.mcap ${n === 0}`));
    expect(rig.toldDrops()).toBe(3);
  });

  it('is tried again as long as it cannot be', async () => {
    const rig = makeThread(dataDir);
    await rig.start();
    const clear = obstacle('bag/bag_0.mcap.sealed.json.tmp');
    rig.offer();
    await rig.seal();
    for (let n = 0; n < 3; n++) {
      await rig.clock.advance(1_050);
      expect(await rig.seal()).toMatchObject({ t: 'refused' });
    }
    clear();
    await rig.clock.advance(1_050);
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 1);
  });

  it('refuses seals while its repair fails, and is repaired when that works again', async () => {
    const rig = makeThread(dataDir);
    await rig.start();
    const clear = obstacle('bag/bag_0.mcap.sealed.json.tmp');
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'refused' });
    clear();
    const active = join(dataDir, 'bags', 'bag', 'bag_0.mcap.active');
    // A file that cannot be read.
    renameSync(active, join(dataDir, 'aside'));
    mkdirSync(active);
    for (let n = 0; n < 3; n++) {
      await rig.clock.advance(1_050);
      expect(await rig.seal()).toMatchObject({ t: 'refused' });
    }
    rmSync(active, { recursive: true });
    renameSync(join(dataDir, 'aside'), active);
    await rig.clock.advance(1_050);
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 1);
  });

  it('keeps its unsealed name where the new one cannot be made durable', async () => {
    const probe = await open(join(dataDir, 'probe'), 'w');
    const handles: Pick<FileHandle, 'sync'> = Object.getPrototypeOf(probe);
    await probe.close();
    const rig = makeThread(dataDir);
    await rig.start();
    rig.drop(3);
    rig.offer();
    await until(() => rig.of('written').length === 1, 'the sample to be written');
    const { sync } = handles;
    let syncs = 0;
    // The file, the note, the folder with the note, and then the folder with the new name.
    vi.spyOn(handles, 'sync').mockImplementation(function (this: FileHandle) {
      syncs += 1;
      return syncs === 4 ? Promise.reject(new Error('EIO: i/o error, fsync')) : sync.call(this);
    });
    expect(await rig.seal()).toMatchObject({ t: 'refused' });
    expect(readdirSync(join(dataDir, 'bags', 'bag'))).toContain('bag_0.mcap.active');
    await rig.clock.advance(1_050);
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 1);
    expect(rig.toldDrops()).toBe(3);
  });

  it('refuses whoever wants all of it durable: what its sync did not take may be nowhere', async () => {
    const probe = await open(join(dataDir, 'probe'), 'w');
    const handles: Pick<FileHandle, 'datasync'> = Object.getPrototypeOf(probe);
    await probe.close();
    const rig = makeThread(dataDir);
    await rig.start();
    rig.offer();
    expect(await rig.sync()).toMatchObject({ t: 'done' });
    rig.offer();
    vi.spyOn(handles, 'datasync').mockImplementationOnce(() => Promise.reject(new Error('EIO: fdatasync')));
    expect(await rig.sync()).toMatchObject({ t: 'refused' });
    // The fault is heard by the recorder too: the segment is left, and no other is open.
    await rig.clock.advance(50);
    await until(() => rig.of('state').at(-1)?.state === 'failed', 'the segment to be left');
    expect(await rig.sync()).toMatchObject({ t: 'refused', error: { code: 'recorder.failed' } });
    await rig.clock.advance(1_050);
    expect(await rig.sync()).toMatchObject({ t: 'done' });
    await rig.seal();
    expectWhole(rig, 2);
  });

  it('refuses whoever has the recording sealed, or wants to go on in another bag', async () => {
    const rig = makeThread(dataDir);
    await rig.start();
    const clear = obstacle('bag/bag_0.mcap.sealed.json.tmp');
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'refused', error: { code: 'recorder.failed' } });
    expect(rig.of('state').at(-1)?.state).toBe('failed');
    expect(await rig.useBag('other')).toMatchObject({ t: 'refused' });
    clear();
    await rig.clock.advance(1_050);
    expect(await rig.useBag('other')).toMatchObject({ t: 'done' });
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    const paths = rig.of('sealed').map(({ segment }) => segment.path);
    expect(paths).toEqual(['bags/bag/bag_0.mcap', 'bags/other/other_0.mcap']);
  });
});

describe('a sealed segment', () => {
  it('is sealed and told, whatever becomes of the list of segments', async () => {
    const rig = makeThread(dataDir);
    await rig.start();
    const clear = obstacle('bag/metadata.yaml.tmp');
    rig.drop(2);
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expect(rig.of('report').map(({ message }) => message)).toEqual([
      expect.stringContaining('metadata.yaml lacks bags/bag/bag_0.mcap'),
    ]);
    clear();
    rig.offer();
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 2);
    expect(rig.toldDrops()).toBe(2);
    const list = readFileSync(join(dataDir, 'bags', 'bag', 'metadata.yaml'), 'utf8');
    for (const n of [0, 1]) expect(list).toContain(`bag_${n}.mcap`);
  });

  it('never had a sync that failed: the repair takes it up, and says so', async () => {
    const probe = await open(join(dataDir, 'probe'), 'w');
    const fault = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    const handles: Pick<FileHandle, 'datasync'> = Object.getPrototypeOf(probe);
    const datasync = vi.spyOn(handles, 'datasync').mockRejectedValueOnce(fault);
    await probe.close();
    const rig = makeThread(dataDir);
    await rig.start();
    rig.offer();
    await rig.clock.advance(50);
    await until(() => datasync.mock.calls.length === 1, 'the sync');
    expect(await rig.seal()).toMatchObject({ t: 'refused' });
    expect(rig.of('sealed')).toEqual([]);
    await rig.clock.advance(1_050);
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 1);
    expect(rig.of('sealed')).toMatchObject([{ segment: { path: 'bags/bag/bag_0.mcap', repaired: true } }]);
    expect(readFileSync(join(dataDir, 'bags/bag/bag_0.mcap')).includes('auraison.repair')).toBe(true);
  });
});

/**
 * A disk that loses what it cannot sync, as Linux has it: only what was written since counts for the next sync. Which bytes
 * of which file are not on it, by what was written and synced.
 */
async function forgetfulDisk(path: string) {
  const probe = await open(join(dataDir, 'probe'), 'w');
  const handles: Pick<FileHandle, 'sync' | 'datasync'> = Object.getPrototypeOf(probe);
  await probe.close();
  const fault = Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
  let failures = 0;
  /** The file as it would be after a power cut. */
  let kept = Buffer.alloc(0);
  const dirty: [number, number][] = [];
  const writev = fs.writevSync;
  const inode = () => (fs.existsSync(path) ? fs.statSync(path).ino : -1);
  vi.spyOn(fs, 'writevSync').mockImplementation((fd, buffers, position) => {
    const bytes = writev(fd, buffers, position);
    if (fs.fstatSync(fd).ino === inode()) dirty.push([position ?? 0, (position ?? 0) + bytes]);
    return bytes;
  });
  syncBuiltinESMExports();
  for (const name of ['sync', 'datasync'] as const) {
    const real = handles[name];
    vi.spyOn(handles, name).mockImplementation(async function (this: FileHandle) {
      if ((await this.stat()).ino !== inode()) return await real.call(this);
      const ranges = dirty.splice(0);
      if (failures-- > 0) throw fault;
      const now = readFileSync(path);
      const next = Buffer.alloc(now.length);
      kept.copy(next);
      for (const [from, to] of ranges) now.copy(next, from, from, Math.min(to, now.length));
      kept = next;
    });
  }
  return {
    fails: (times: number) => {
      failures = times;
    },
    kept: () => kept,
  };
}

describe('a segment of which a sync failed', () => {
  const activeOf = () => join(dataDir, 'bags', 'bag', 'bag_0.mcap.active');

  /** One sample that is synced, and one that is only written. */
  async function recordTwo(
    rig: ReturnType<typeof makeThread>,
    disk: Awaited<ReturnType<typeof forgetfulDisk>>,
  ): Promise<void> {
    await rig.start();
    rig.offer();
    await rig.clock.advance(50);
    await until(() => disk.kept().length > 100, 'the first sync');
    rig.offer(5_000);
    await until(() => rig.of('written').length === 2, 'the second sample to be written');
  }

  it.each([1, 3])(
    'is on the disk whole after its repair, not only in memory (%i failures)',
    async (times) => {
      const rig = makeThread(dataDir);
      const disk = await forgetfulDisk(activeOf());
      await recordTwo(rig, disk);
      disk.fails(times);
      expect(await rig.seal()).toMatchObject({ t: 'refused' });
      for (let tries = 1; tries < times; tries++) {
        await rig.clock.advance(1_050);
        expect(await rig.seal()).toMatchObject({ t: 'refused' });
      }
      await rig.clock.advance(1_050);
      expect(await rig.seal()).toMatchObject({ t: 'done' });
      expectWhole(rig, 2);
      expect(disk.kept().equals(readFileSync(join(dataDir, 'bags/bag/bag_0.mcap')))).toBe(true);
    },
  );

  it('holds no chunk that the disk lost: it is cut out', async () => {
    const rig = makeThread(dataDir);
    const disk = await forgetfulDisk(activeOf());
    await recordTwo(rig, disk);
    disk.fails(1);
    expect(await rig.seal()).toMatchObject({ t: 'refused' });
    // The pages were given up: what is read is what the disk has.
    const file = await open(activeOf(), 'r+');
    await file.write(Buffer.alloc(3_000, 7), 0, 3_000, disk.kept().length + 500);
    await file.close();
    await rig.clock.advance(1_050);
    expect(await rig.seal()).toMatchObject({ t: 'done' });
    expectWhole(rig, 1);
    expect(rig.of('sealed')[0]!.losses).toMatchObject({ topics: [{ topic: '/a', written: 1 }] });
  });

  it('is written again by the next life, which knows nothing of it', async () => {
    const killed = makeThread(dataDir, { session: 'killed' });
    const disk = await forgetfulDisk(activeOf());
    await killed.start();
    killed.offer(5_000);
    await until(() => killed.of('written').length === 1, 'the sample to be written');
    disk.fails(1);
    expect(await killed.seal()).toMatchObject({ t: 'refused' });

    const next = makeThread(dataDir, { session: 'next' });
    await next.start();
    expectWhole(next, 1);
    expect(disk.kept().equals(readFileSync(join(dataDir, 'bags/bag/bag_0.mcap')))).toBe(true);
  });
});

describe('a thread that is killed', () => {
  it('leaves its drops to the next, which tells those that are in no ledger', async () => {
    const killed = makeThread(dataDir, { session: 'killed' });
    await killed.start();
    killed.drop(2);
    killed.offer();
    await killed.seal();
    killed.drop(3);
    killed.offer();
    await until(() => killed.of('written').length === 2, 'the second sample to be written');

    const next = makeThread(dataDir, { session: 'next' });
    await next.start();
    const losses = next.of('sealed').map((one) => one.losses);
    const line = (dropped: number) => ({ topic: '/a', received: 1 + dropped, written: 1 });
    // The first is told again by its note: as it was.
    expect(losses.find((one) => one?.segment === 'bags/bag/bag_0.mcap')?.topics).toEqual([
      { ...line(2), dropped: { queue_full: 2 } },
    ]);
    expect(losses.find((one) => one?.segment === 'bags/bag/bag_1.mcap')?.topics).toEqual([
      { ...line(3), dropped: { queue_full: 3 } },
    ]);
    expect(next.of('crashed')).toEqual([]);
  });
});
