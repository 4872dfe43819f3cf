import { describe, expect, it } from 'vitest';
import { EVENT, type NativeEvent } from '../../adapters/zenoh/native-batch.ts';
import { NativePump } from '../../adapters/zenoh/native-pump.ts';
import type { NativeBatch, NativeSession } from '../../adapters/zenoh/native-types.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A batch as `native/src/wire.rs` writes it. */
function batchOf(
  events: readonly { entity: number; key: string; payload: Uint8Array }[],
): Uint8Array<ArrayBuffer> {
  const records = events.map(({ entity, key, payload }) => {
    const [texts, body] = [Math.ceil(key.length / 8) * 8, Math.ceil(payload.length / 8) * 8];
    const record = Buffer.alloc(40 + texts + body);
    record[0] = EVENT.sample;
    record[1] = 16; // it has a payload
    record.writeUInt32LE(entity, 4);
    record.writeUInt32LE(key.length, 12);
    record.writeUInt32LE(payload.length, 28);
    record.write(key, 40);
    record.set(payload, 40 + texts);
    return record;
  });
  return new Uint8Array(Buffer.concat(records));
}

/** The part of the addon that hands events over, with what it is told to give. */
class FakeSession {
  readonly waiting: { bytes: Uint8Array<ArrayBuffer>; more?: boolean; apart?: boolean }[] = [];
  readonly rooms = new Set<ArrayBufferLike>();

  drain(_max: number, room: Uint8Array, at: number): number | NativeBatch {
    this.rooms.add(room.buffer);
    const next = this.waiting.shift();
    if (!next) return 0;
    const { bytes, more = false, apart = false } = next;
    if (apart || bytes.length > room.length - at) return { slab: bytes, large: [], more };
    room.set(bytes, at);
    return more ? -bytes.length : bytes.length;
  }
}

function setUp() {
  const session = new FakeSession();
  const faults: string[] = [];
  const pump = new NativePump(new ManualClock(), ({ message }) => faults.push(message));
  pump.attach(session as unknown as NativeSession);
  return { session, pump, faults };
}

const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

describe('what the addon hands over', () => {
  it('stays what it was while much more comes, small or large', () => {
    const { session, pump } = setUp();
    const held: NativeEvent[] = [];
    pump.add(7, (events) => held.push(...events));
    for (let i = 0; i < 1000; i++) {
      const bytes = batchOf([{ entity: 7, key: `k${i}`, payload: filled((i * 37) % 3_000, i & 0xff) }]);
      session.waiting.push({ bytes, apart: i % 10 === 9 });
      pump.wake();
    }
    expect(held.map(({ key }) => key)).toEqual(Array.from({ length: 1000 }, (_, i) => `k${i}`));
    // Not toEqual: byte by byte it takes seconds.
    const spoilt = held.filter(
      ({ payload }, i) => Buffer.compare(payload!, filled((i * 37) % 3_000, i & 0xff)) !== 0,
    );
    expect(spoilt).toEqual([]);
    // Not a buffer for each, and none that whoever holds one small payload keeps for long.
    expect(session.rooms.size).toBeGreaterThan(10);
    expect(session.rooms.size).toBeLessThan(200);
    for (const { byteLength } of session.rooms) expect(byteLength).toBeLessThanOrEqual(16_384);
  });

  it('is not written over by what is taken out while it is told', () => {
    const { session, pump } = setUp();
    const seen: [string, number | undefined][] = [];
    pump.add(1, (events) => {
      for (const event of events) {
        if (event.key === 'first') {
          session.waiting.push({ bytes: batchOf([{ entity: 1, key: 'within', payload: filled(64, 2) }]) });
          pump.wake();
        }
        seen.push([event.key, event.payload?.[63]]);
      }
    });
    const both = ['first', 'second'].map((key) => ({ entity: 1, key, payload: filled(64, 1) }));
    session.waiting.push({ bytes: batchOf(both) });
    pump.wake();
    expect(seen).toEqual([
      ['within', 2],
      ['first', 1],
      ['second', 1],
    ]);
  });

  it('is fetched in turns of the event loop while there is more, and a wake-up meanwhile adds none', async () => {
    const { session, pump, faults } = setUp();
    const keys: string[] = [];
    pump.add(1, (events) => keys.push(...events.map(({ key }) => key)));
    const one = (key: string) => batchOf([{ entity: 1, key, payload: filled(8, 0) }]);
    session.waiting.push(
      { bytes: one('a'), more: true },
      { bytes: one('b'), more: true, apart: true },
      { bytes: one('c') },
    );
    pump.wake();
    pump.wake();
    expect(keys).toEqual(['a']);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys).toEqual(['a', 'b', 'c']);
    expect(faults).toEqual([]);
  });
});
