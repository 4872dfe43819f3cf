import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeApiNews, decodeApiRequest, decodeApiWord, encodeApi } from '../../adapters/ros/api-wire.ts';
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

describe('calls between adapter and ROS host', () => {
  const goalId = 'ab'.repeat(16);

  it('come as they were sent, with large numbers and arrays', () => {
    const call = { op: 'sendGoal', goalId, name: '/g', type: 'a/action/B', timeoutMs: 9 } as const;
    const request = { id: 1, call: { ...call, goal: { n: -(2n ** 63n), data: Float32Array.of(1, 2) } } };
    expect(decodeApiRequest(encodeApi(request))).toEqual(request);
    const word = { op: 'answer', server: 1, request: 2 } as const;
    expect(decodeApiWord(encodeApi(word))).toEqual(word);
    const news = { op: 'reply', id: 3, value: undefined } as const;
    expect(decodeApiNews(encodeApi(news))).toEqual(news);
  });

  it('are refused with a typed error where they are something else', () => {
    const refused = expect.objectContaining({ code: 'ros.failed', operation: 'read frames' });
    const error = { code: 'no.such', operation: '', subject: '', message: '' };
    // A few bytes that say so: an array of four billion holes is not walked through.
    const holes: unknown[] = [];
    holes.length = 2 ** 32 - 1;
    const graph = { nodes: holes, topics: [], services: [], actions: [] };
    const wrong: unknown[] = [
      undefined,
      null,
      7,
      {},
      { op: 'constructor' },
      { op: 'reply', id: '3' },
      { op: 'error', id: 3, error },
      { op: 'goalResult', goalId },
      { op: 'graph', graph },
      { op: 'graph', graph: { ...graph, nodes: [], topics: [{ topic: '/a', publishers: [{}] }] } },
    ];
    for (const value of wrong) {
      const bytes = encodeApi(value as never);
      expect(() => decodeApiNews(bytes)).toThrow(refused);
      expect(() => decodeApiWord(bytes)).toThrow(refused);
      expect(() => decodeApiRequest(bytes)).toThrow(refused);
    }
    for (const bytes of [Buffer.of(), Buffer.from('junk'), encodeApi({ op: 'abort', id: 1 }).subarray(0, 9)])
      expect(() => decodeApiWord(bytes)).toThrow(refused);
  });
});
