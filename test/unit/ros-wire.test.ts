import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../adapters/ros/frame-reader.ts';
import {
  decodeJson,
  decodePublish,
  decodeSample,
  encodeJson,
  FRAME,
  publishHead,
  sampleHead,
} from '../../adapters/ros/wire.ts';

/** Any cut of the stream, since sockets promise none. */
function inChunks(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
  return [...ends, stream.length].map((end, i) => stream.subarray(ends[i - 1] ?? 0, end));
}

describe('the frames between adapter and ROS host', () => {
  it('survive every cut of the stream, in order and byte by byte', () => {
    const message = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (messages, cuts) => {
          const stream = Buffer.concat(
            messages.flatMap((bytes, i) => [sampleHead(i, BigInt(i) * 10n, 7n, bytes.length), bytes]),
          );
          const found: Uint8Array[] = [];
          const reader = new FrameReader((kind, body) => {
            expect(kind).toBe(FRAME.sample);
            const sample = decodeSample(body);
            expect(sample.channel).toBe(found.length);
            expect(sample.stamp).toBe(BigInt(found.length) * 10n);
            expect(sample.received).toBe(7n);
            found.push(sample.bytes);
          });
          for (const chunk of inChunks(stream, cuts)) reader.push(Buffer.from(chunk));
          expect(found).toEqual(messages);
        },
      ),
    );
  });

  it('give each sample a memory that nobody else writes to', () => {
    const bytes = Buffer.from([1, 2, 3]);
    const stream = Buffer.concat([sampleHead(0, 0n, 0n, 3), bytes]);
    const whole = Buffer.alloc(stream.length * 2);
    stream.copy(whole);
    stream.copy(whole, stream.length);
    const samples: Uint8Array[] = [];
    new FrameReader((_, body) => samples.push(decodeSample(body).bytes)).push(whole);
    whole.fill(0xff);
    expect(samples.map((sample) => [...sample])).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(samples[0]!.buffer).not.toBe(samples[1]!.buffer);
  });

  it('carry control messages and publications', () => {
    const seen: unknown[] = [];
    const reader = new FrameReader((kind, body) => {
      if (kind === FRAME.publish) seen.push([decodePublish(body).channel, [...decodePublish(body).bytes]]);
      else seen.push(decodeJson(body));
    });
    reader.push(
      encodeJson(FRAME.control, {
        kind: 'start',
        node: 'größe',
        namespace: '',
        useSimTime: false,
        native: false,
      }),
    );
    reader.push(Buffer.concat([publishHead(65_535, 2), Buffer.from([9, 8])]));
    expect(seen).toEqual([
      { kind: 'start', node: 'größe', namespace: '', useSimTime: false, native: false },
      [65_535, [9, 8]],
    ]);
  });

  it('refuse what is no frame', () => {
    const reader = new FrameReader(() => {});
    expect(() => reader.push(Buffer.from('HTTP/1.1 200 OK'))).toThrow(/not made of frames/);
    expect(() => new FrameReader(() => {}).push(Buffer.alloc(8))).toThrow(/not made of frames/);
  });
});
