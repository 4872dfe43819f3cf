import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobStore } from '../../adapters/blobs/file-blob-store.ts';
import type { BlobTrimRules } from '../../contract/index.ts';
import { blobStoreConformance } from '../conformance/blob-store.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';

function flip(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[0]! ^= 1;
  return changed;
}

blobStoreConformance('files', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'blobs-'));
  const directory = join(dataDir, 'blobs');
  const path = (sha256: string) => join(directory, sha256.slice(0, 2), sha256);
  return {
    open: () => new FileBlobStore(directory),
    damage: async (sha256) => writeFileSync(path(sha256), flip(readFileSync(path(sha256)))),
    dispose: () => rm(dataDir, { recursive: true, force: true }),
  };
});

blobStoreConformance('memory', async () => {
  const held = new Map<string, Uint8Array>();
  return {
    open: () => new MemoryBlobStore(held),
    damage: async (sha256) => void held.set(sha256, flip(held.get(sha256)!)),
    dispose: async () => {},
  };
});

describe('FileBlobStore', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'blobs-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('says that it cannot write, and leaves nothing half written', async () => {
    writeFileSync(join(dataDir, 'blobs'), 'a file where the directory should be');
    const store = new FileBlobStore(join(dataDir, 'blobs'));
    await expect(store.put(new Uint8Array([1]))).rejects.toMatchObject({ code: 'log.failed' });
    const full = new FileBlobStore(join(dataDir, 'other'));
    const sha256 = await full.put(new Uint8Array([1]));
    expect(readdirSync(join(dataDir, 'other', sha256.slice(0, 2)))).toEqual([sha256]);
  });

  it('refuses what is no blob any more', async () => {
    const store = new FileBlobStore(join(dataDir, 'blobs'));
    await expect(store.put(new Uint8Array(65 * 1024 * 1024))).rejects.toMatchObject({ code: 'log.failed' });
    expect(existsSync(join(dataDir, 'blobs'))).toBe(false);
  });

  it('removes what dead processes left, and nothing that is being written', async () => {
    const store = new FileBlobStore(join(dataDir, 'blobs'));
    const sha256 = await store.put(new Uint8Array([1, 2]));
    const folder = join(dataDir, 'blobs', 'aa');
    mkdirSync(folder, { recursive: true });
    for (const name of ['old.tmp', 'new.tmp']) writeFileSync(join(folder, name), 'half');
    utimesSync(join(folder, 'old.tmp'), 1_000, 1_000);
    const nowMs = 1_000_000 + 3_700_000;
    utimesSync(join(folder, 'new.tmp'), 4_000, 4_000);
    expect(await store.sweep(nowMs)).toBe(1);
    expect(readdirSync(folder)).toEqual(['new.tmp']);
    expect(await store.get(sha256)).toEqual(new Uint8Array([1, 2]));
  });

  it('takes bytes again whose file belongs to somebody else', async () => {
    const store = new FileBlobStore(join(dataDir, 'blobs'));
    const sha256 = await store.put(new Uint8Array([7]));
    // What not even root may change, where the file system knows that.
    const path = join(dataDir, 'blobs', sha256.slice(0, 2), sha256);
    const immutable = spawnSync('chattr', ['+i', path]).status === 0;
    try {
      expect(await store.put(new Uint8Array([7]))).toBe(sha256);
      expect(await store.renew(sha256)).toBe(true);
      if (immutable) {
        expect(await store.trim(rules(0))).toMatchObject({ removed: 0, failed: 1, left: 1 });
        expect(readdirSync(join(dataDir, 'blobs', sha256.slice(0, 2)))).toEqual([sha256]);
      }
    } finally {
      if (immutable) spawnSync('chattr', ['-i', path]);
    }
  });

  describe('trim', () => {
    const of = (n: number) => new Uint8Array(1_000).fill(n);
    let store: FileBlobStore;
    const puts: string[] = [];
    beforeEach(async () => {
      store = new FileBlobStore(join(dataDir, 'blobs'));
      puts.length = 0;
      for (let n = 0; n < 5; n++) {
        puts.push(await store.put(of(n)));
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    });
    const left = async () =>
      (await Promise.all(puts.map((sha256) => store.get(sha256)))).map((bytes) => bytes !== undefined);
    const putMs = (n: number) => statSync(join(dataDir, 'blobs', puts[n]!.slice(0, 2), puts[n]!)).ctimeMs;

    it('removes those not put for longest, and no more than it must', async () => {
      expect(await store.trim(rules(5_000))).toMatchObject({ removed: 0, bytes: 0, left: 5_000 });
      expect(await store.trim(rules(3_500))).toEqual({
        ...{ removed: 2, bytes: 2_000, left: 3_000 },
        ...{ failed: 0, fault: '' },
      });
      expect(await left()).toEqual([false, false, true, true, true]);
    });

    it.each(['put', 'renewed'])('counts a blob that is %s again as new', async (how) => {
      if (how === 'put') await store.put(of(0));
      else expect(await store.renew(puts[0]!)).toBe(true);
      await store.trim(rules(3_000));
      expect(await left()).toEqual([true, false, false, true, true]);
      // And one that was removed is simply there again.
      await store.put(of(1));
      expect(await left()).toEqual([true, true, false, true, true]);
    });

    it('spares what was put between two times, also above the limit', async () => {
      expect(await store.trim(rules(0, { spareFromMs: 0 }))).toMatchObject({ removed: 0, left: 5_000 });
      // What is of a time to come was put by a clock that was wrong.
      const wrong = { spareFromMs: putMs(1), spareToMs: putMs(3) };
      expect(await store.trim(rules(0, wrong))).toMatchObject({ removed: 2, left: 3_000 });
      expect(await left()).toEqual([false, true, true, true, false]);
    });

    it('spares what is needed, and asks for it only when there is too much', async () => {
      let asked = 0;
      const needed = () => {
        asked += 1;
        return new Set([puts[0]!, puts[2]!]);
      };
      await store.trim(rules(5_000, { needed }));
      expect(asked).toBe(0);
      expect(await store.trim(rules(2_500, { needed }))).toMatchObject({ removed: 3, left: 2_000 });
      expect(await left()).toEqual([true, false, true, false, false]);
    });

    it('removes what only removed events named, whatever the limit, and spares what is needed', async () => {
      const gone = { goneBeforeMs: putMs(3), needed: () => new Set([puts[1]!]) };
      expect(await store.trim(rules(Number.POSITIVE_INFINITY, gone))).toMatchObject({
        removed: 2,
        left: 3_000,
      });
      expect(await left()).toEqual([false, true, false, true, true]);
    });

    it('loses nothing that is put while it works', async () => {
      const since = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      const trims = Array.from({ length: 20 }, () => store.trim(rules(0, { spareFromMs: since })));
      const again = puts.map((_, n) => store.put(of(n)));
      await Promise.all([...trims, ...again]);
      expect(await left()).toEqual([true, true, true, true, true]);
    });

    it('says of none that it is there which it removes meanwhile', async () => {
      const since = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
      const trims = Array.from({ length: 20 }, () => store.trim(rules(0, { spareFromMs: since })));
      const renewed = await Promise.all(puts.map((sha256) => store.renew(sha256)));
      await Promise.all(trims);
      expect(await left()).toEqual(renewed);
    });

    it('ends when it is told to, and leaves alone what is no blob', async () => {
      writeFileSync(join(dataDir, 'blobs', 'notes.txt'), 'mine');
      mkdirSync(join(dataDir, 'blobs', 'aa'), { recursive: true });
      writeFileSync(join(dataDir, 'blobs', 'aa', 'half.tmp'), 'half');
      expect(await store.trim(rules(0, { signal: AbortSignal.abort() }))).toMatchObject({ removed: 0 });
      expect(await left()).toEqual([true, true, true, true, true]);
      await store.trim(rules(0));
      expect(readdirSync(join(dataDir, 'blobs'))).toContain('notes.txt');
      expect(readdirSync(join(dataDir, 'blobs', 'aa'))).toContain('half.tmp');
      expect(await new FileBlobStore(join(dataDir, 'none')).trim(rules(0))).toMatchObject({ left: 0 });
    });
  });
});

/** Whatever is there may go, but for what is said. */
function rules(maxBytes: number, more: Partial<BlobTrimRules> = {}): BlobTrimRules {
  const ever = Number.POSITIVE_INFINITY;
  return { maxBytes, spareFromMs: ever, spareToMs: ever, needed: () => new Set(), ...more };
}
