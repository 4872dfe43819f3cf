import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobStore } from '../../adapters/blobs/file-blob-store.ts';
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
});
