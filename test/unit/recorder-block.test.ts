import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Block } from '../../daemon/execution/recorder/block.ts';
import { crc32Combine } from '../../formats/mcap/crc32-combine.ts';
import { ChunkBuilder, writeMessageHead } from '../../formats/mcap/index.ts';

const HEAD = 31;

describe('the CRC of two pieces', () => {
  it('is that of the whole, whatever their lengths', () => {
    const piece = fc.uint8Array({ maxLength: 5_000 });
    fc.assert(
      fc.property(piece, piece, (a, b) => {
        const combined = crc32Combine(crc32(a), crc32(b), b.length);
        expect(combined).toBe(crc32(Buffer.concat([a, b])));
      }),
    );
  });
});

describe('a block', () => {
  it('gives the chunk the records of its messages, byte for byte and with their CRC, however it laid them', () => {
    // Sizes on both sides of where a gap is made, sources at every distance from a word border.
    const size = fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 16_000, max: 70_000 }));
    const message = fc.record({ size, skew: fc.integer({ min: 0, max: 7 }), fill: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 100_000 }),
        (messages, wanted) => {
          const block = new Block(1, Block.memoryFor(1 << 20));
          const plain = messages.map(({ size: length, skew, fill }, i) => {
            const bytes = new Uint8Array(length + 8).subarray(skew, skew + length).fill(fill);
            const time = BigInt(1_000 + i);
            const sample = { topic: '/a', type: 'a/msg/A', stamp: time, received: time, bytes };
            expect(block.append(sample, 3, i)).toBe(true);
            const record = Buffer.alloc(HEAD + length);
            writeMessageHead(new DataView(record.buffer, record.byteOffset), 0, 3, i, time, time, length);
            record.set(bytes, HEAD);
            return record;
          });
          const chunks: Buffer[] = [];
          for (let at = 0; at < block.filled; ) {
            const chunk = new ChunkBuilder(true);
            at += chunk.add(block.bytes(at, block.filled), () => true, wanted);
            const bytes = Buffer.concat(chunk.parts);
            expect(chunk.crc).toBe(crc32(bytes));
            expect(chunk.size).toBe(bytes.length);
            chunks.push(bytes);
          }
          expect(Buffer.concat(chunks).equals(Buffer.concat(plain))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses what does not fit and keeps what it has', () => {
    const block = new Block(1, Block.memoryFor(70_000));
    const sample = { topic: '/a', type: 'a/msg/A', stamp: 1n, received: 1n, bytes: new Uint8Array(60_000) };
    expect(block.append(sample, 1, 0)).toBe(true);
    const filled = block.filled;
    expect(block.append(sample, 1, 1)).toBe(false);
    expect(block.filled).toBe(filled);
  });

  it('takes nothing for a gap in bytes that are not of our own memory', () => {
    // What would be a gap is a record without content: 9 bytes of zeros each, as they stand in a damaged file.
    const chunk = new ChunkBuilder();
    expect(chunk.add(new Uint8Array(18))).toBe(18);
    expect([chunk.size, chunk.messages]).toEqual([18, 0]);
    expect(chunk.crc).toBe(crc32(new Uint8Array(18)));
  });
});
