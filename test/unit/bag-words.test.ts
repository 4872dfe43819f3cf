import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matcherOf, wantedTopics } from '../../adapters/rosbag/index.ts';
import { keyOf } from '../../cli/commands/bag/play-keys.ts';
import { durationNs, momentNs, sizeBytes } from '../../cli/commands/bag/values.ts';
import { clockSample } from '../../daemon/execution/clock-message.ts';
import { compressLz4 } from '../../formats/mcap/index.ts';
import { unpackLz4 } from '../../formats/mcap/lz4.ts';
import { decodeAny } from '../../formats/ros2/index.ts';
import { formatMetadata, parseMetadata, parseProfiles, profileLines } from '../../formats/rosbag2/index.ts';

const S = 1_000_000_000n;
const LATCHED = '- history: keep_last\n  depth: 2\n  reliability: reliable\n  durability: transient_local';

describe('words of the command line', () => {
  it('are durations, sizes and moments', () => {
    const span = { startNs: 100n * S, endNs: 200n * S };
    expect(durationNs('1m30s', '--x')).toBe(90n * S);
    expect(sizeBytes('2GiB', '--x')).toBe(2 * 1024 ** 3);
    expect(momentNs('+10s', span, '--x')).toBe(110n * S);
    expect(momentNs('-10s', span, '--x')).toBe(190n * S);
    expect(momentNs('1663967375.5', span, '--x')).toBe(1_663_967_375_500_000_000n);
    expect(momentNs('2022-09-23T21:09:35.548411329Z', span, '--x')).toBe(1_663_967_375_548_411_329n);
    expect(() => momentNs('yesterday', span, '--start')).toThrow(/--start yesterday: .* expected/);
    expect([keyOf(' ')?.action, keyOf('\x1b[C'), keyOf('x')]).toEqual([
      'toggle',
      { action: 'skip', seconds: 5 },
      undefined,
    ]);
  });

  it('are patterns of topics', () => {
    const topics = ['/scan', '/camera/left/image', '/camera/right/image', '/tf'].map((topic) => ({ topic }));
    expect(wantedTopics(topics, ['/camera/*', 'tf'], ['*right*'])).toEqual(
      new Set(['/camera/left/image', '/tf']),
    );
    expect(() => wantedTopics(topics, ['/lidar'])).toThrow('/lidar');
    const text = fc.string({ unit: fc.constantFrom('/', 'a', 'b', '*', '?'), maxLength: 14 });
    fc.assert(
      fc.property(
        text,
        fc.string({ unit: fc.constantFrom('/', 'a', 'b'), maxLength: 14 }),
        (pattern, topic) => {
          const full = /^[/*?~]/.test(pattern) ? pattern : `/${pattern}`;
          const expected = new RegExp(`^${full.replaceAll('?', '.').replaceAll('*', '.*')}$`).test(topic);
          expect(matcherOf(pattern)(topic)).toBe(expected || (!/[*?]/.test(full) && pattern === topic));
        },
      ),
    );
  });
});

describe('formats', () => {
  it('the time of a play is a ROS clock message', () => {
    const { type, bytes } = clockSample(1_700_000_000_123_456_789n);
    expect(decodeAny(type, bytes)).toEqual({ clock: { sec: 1_700_000_000, nanosec: 123_456_789 } });
  });

  it('LZ4 comes back as it was, whatever it holds', () => {
    const some = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.array(fc.constantFrom(1, 2, 3), { maxLength: 3000 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(some, (bytes) => {
        expect(unpackLz4(compressLz4([bytes]), bytes.length, 0, 'x')).toEqual({
          bytes: new Uint8Array(bytes),
          fault: undefined,
        });
      }),
    );
  });

  it('metadata.yaml is read as it was written, in both spellings of QoS', () => {
    const profiles = parseProfiles(LATCHED);
    const written = formatMetadata({
      storage: 'mcap',
      files: [{ path: 'a "b": c.mcap', startNs: 5n, endNs: 9n, messages: 2 }],
      topics: [{ topic: '/map', type: 'a/msg/B', messages: 2, profiles, typeHash: '' }],
      customData: { 'site: hall': 'é\n#' },
    });
    expect(parseMetadata(written, 'x')).toMatchObject({
      version: 9,
      paths: ['a "b": c.mcap'],
      messages: 2,
      customData: { 'site: hall': 'é\n#' },
      topics: [{ topic: '/map', profiles }],
    });
    const humble = '- history: 1\n  depth: 2\n  reliability: 1\n  durability: 1';
    expect(profileLines(parseProfiles(humble)).slice(0, 4)).toEqual(profileLines(profiles).slice(0, 4));
  });
});
