import { describe, expect, it } from 'vitest';
import type { AgentEvent, MapSnapshot } from '../../contract/index.ts';
import { RecordedRobot } from '../../daemon/runtime/replay/recorded-robot.ts';
import { encodeMap, ObservedMemory } from '../../daemon/runtime/robot/observed-codec.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';

/** Maps of one run as its record holds them: each as what changed, those named in `blobs` by their hash. */
async function recordOf(maps: readonly MapSnapshot[], asBlobs: readonly number[], store: MemoryBlobStore) {
  const memory = new ObservedMemory();
  const reads = [];
  const hashes: string[] = [];
  for (const [n, map] of maps.entries()) {
    const { cells, ...shape } = ((await encodeMap(memory, map)) ?? {}) as Record<string, unknown>;
    const isBlob = asBlobs.includes(n);
    if (isBlob) hashes.push(await store.put(Buffer.from(String(cells), 'base64')));
    const value = isBlob ? { ...shape, blob: hashes.at(-1) } : { ...shape, cells };
    reads.push({ what: 'map', at_ms: n, value });
  }
  return { events: [{ kind: 'robot.observed', payload: { reads } }] as unknown as AgentEvent[], hashes };
}

function mapOf(width: number, cell: number): MapSnapshot {
  const cells = new Int8Array(width * width).fill(cell);
  return { time: 1n, width, height: width, resolution: 0.05, origin: { x: 0, y: 0 }, cells };
}

describe('a robot from the record', () => {
  // Whole, what changed, what changed, and whole again: it has grown.
  const maps = [mapOf(4, 0), mapOf(4, 1), mapOf(4, 2), mapOf(6, 3)];
  const cellsOf = (map: MapSnapshot | undefined) => map?.cells[0];

  it('gives every map as it was read', async () => {
    const blobs = new MemoryBlobStore();
    const { events } = await recordOf(maps, [0, 2], blobs);
    const robot = new RecordedRobot({ events, skip: 0, clock: undefined, blobs, expectsMore: () => true });
    for (const map of maps) expect(cellsOf(await robot.map())).toBe(map.cells[0]);
  });

  it('says of a map that is gone, and of what builds on it, that the record does not hold it; the next whole one is there', async () => {
    const blobs = new MemoryBlobStore();
    const { events, hashes } = await recordOf(maps, [1], blobs);
    blobs.held.delete(hashes[0]!);
    const robot = new RecordedRobot({ events, skip: 0, clock: undefined, blobs, expectsMore: () => true });
    expect(cellsOf(await robot.map())).toBe(0);
    const refused = { code: 'replay.diverged', message: expect.stringContaining('does not hold the map') };
    await expect(robot.map()).rejects.toMatchObject(refused);
    await expect(robot.map()).rejects.toMatchObject(refused);
    expect(cellsOf(await robot.map())).toBe(3);
  });

  it('goes past a map that is gone where nobody reads it', async () => {
    const blobs = new MemoryBlobStore();
    const { events, hashes } = await recordOf(maps, [0], blobs);
    blobs.held.delete(hashes[0]!);
    const robot = new RecordedRobot({ events, skip: 3, clock: undefined, blobs, expectsMore: () => true });
    expect(cellsOf(await robot.map())).toBe(3);
  });
});
