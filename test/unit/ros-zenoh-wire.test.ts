import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyExprFault } from '../../adapters/zenoh/key-expr.ts';
import {
  ATTACHMENT_BYTES,
  makeAttachment,
  readAttachment,
  SequenceGaps,
} from '../../adapters/zenoh/ros/attachment.ts';
import { makeGidOf } from '../../adapters/zenoh/ros/gid.ts';
import { foldGraph } from '../../adapters/zenoh/ros/graph-cache.ts';
import { dataKey, type Entity, readToken, rosType, tokenOf } from '../../adapters/zenoh/ros/names.ts';
import { qosText, readQosText } from '../../adapters/zenoh/ros/qos-text.ts';
import { LATCHED_QOS, type Qos, SENSOR_QOS } from '../../contract/core.ts';

const HASH = 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18';
/** The example of rmw_zenoh's own design document, with a hash. */
const TALKER = `@ros2_lv/2/aac3178e146ba6f1fc6e6a4085e77f21/0/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/${HASH}/::,7:,:,:,,`;

describe('names', () => {
  it('are those of rmw_zenoh', () => {
    expect(dataKey(0, '/robot7/scan', 'sensor_msgs/msg/LaserScan', HASH)).toBe(
      `0/robot7/scan/sensor_msgs::msg::dds_::LaserScan_/${HASH}`,
    );
    const talker = readToken(TALKER)!;
    expect(talker).toMatchObject({
      domain: 2,
      kind: 'MP',
      namespace: '/',
      node: 'talker',
      end: { name: '/chatter', type: 'std_msgs/msg/String', hash: HASH },
    });
    expect(readQosText(talker.end!.qos)).toMatchObject({ reliability: 'reliable', depth: 7 });
    expect(tokenOf(talker)).toBe(TALKER);
  });

  it('survive the way into a token and back, and every token is a key', () => {
    const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/);
    const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => `/${words.join('/')}`);
    fc.assert(
      fc.property(
        name,
        name,
        word,
        word,
        fc.constantFrom('MP', 'MS', 'SS', 'SC'),
        (topic, ns, node, type, kind) => {
          const entity: Entity = {
            domain: 3,
            zid: 'ab12',
            nodeId: '0',
            entityId: '7',
            kind: kind as 'MP',
            enclave: ns,
            namespace: ns,
            node,
            end: { name: topic, type: `a_msgs/msg/${type}`, hash: HASH, qos: '::,10:,:,:,,' },
          };
          expect(readToken(tokenOf(entity))).toEqual(entity);
          expect(keyExprFault(tokenOf(entity))).toBeUndefined();
        },
      ),
    );
  });

  it('of strangers are taken or left, never trusted', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.nat(200), (noise, at) => {
        const mutated = TALKER.slice(0, at) + noise + TALKER.slice(at + noise.length);
        const entity = readToken(mutated);
        if (entity) foldGraph([entity]);
        if (entity?.end) readQosText(entity.end.qos);
      }),
      { numRuns: 2000 },
    );
    expect(rosType('weird')).toBe('weird');
  });
});

describe('quality of service', () => {
  it.each<[string, Qos]>([
    ['::,10:,:,:,,', { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 10 }],
    ['2::,10:,:,:,,', SENSOR_QOS],
    [':1:,1:,:,:,,', LATCHED_QOS],
    ['::2,200:,:,:,,', { reliability: 'reliable', durability: 'volatile', history: 'keep_all', depth: 200 }],
    [
      '::,10:0,100000000:1,500000000:3,2,0',
      {
        reliability: 'reliable',
        durability: 'volatile',
        history: 'keep_last',
        depth: 10,
        deadlineMs: 100,
        lifespanMs: 1500,
        liveliness: 'manual_by_topic',
        livelinessLeaseMs: 2000,
      },
    ],
  ])('%s', (text, qos) => {
    expect(qosText(qos)).toBe(text);
    expect(readQosText(text)).toEqual({ liveliness: 'automatic', ...qos });
  });
});

describe('ids and attachments', () => {
  /** By the reference implementation (Python's xxhash), one for each of the ways that XXH3 takes by length. */
  it.each([
    [0, '7f498d4624c30160d8984701d306aa99'],
    [3, '50392f89945faf7885613a73b65ab006'],
    [16, '30632ff13f158e3e4b8c1b9b80fc581f'],
    [128, '1eae6dfcb199544c25df17c67a157fa8'],
    [200, '395be8e152ab87092f3dba52b444e2f0'],
    [240, 'bc16eeea02027579309db04303fc81ee'],
    [300, '48961c731f0c727fcad7a760ad2ade34'],
    [1030, 'e7d5a4cd50b4607c637137edbbe9d127'],
  ])('hash a token of %i characters as XXH3-128 does, low half first', async (length, gid) => {
    const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(40).slice(0, length);
    expect(Buffer.from((await makeGidOf())(text)).toString('hex')).toBe(gid);
  });

  it('have 33 bytes in the order of rmw_zenoh', () => {
    const gid = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
    const bytes = makeAttachment(258n, 1_700_000_000_000_000_001n, gid);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `0201000000000000${Buffer.from(BigInt64Array.of(1_700_000_000_000_000_001n).buffer).toString('hex')}10a0a1a2a3a4a5a6a7a8a9aaabacadaeaf`,
    );
    expect(readAttachment(bytes)).toEqual({ sequence: 258n, stamp: 1_700_000_000_000_000_001n, gid });
    for (let length = 0; length < ATTACHMENT_BYTES; length++)
      expect(readAttachment(bytes.subarray(0, length))).toBeUndefined();
    expect(readAttachment(undefined)).toBeUndefined();
  });

  it('count exactly what is missing, whatever the order of publishers and messages', () => {
    const publisher = fc.record({
      length: fc.integer({ min: 2, max: 30 }),
      lost: fc.array(fc.integer({ min: 1, max: 28 }), { maxLength: 10 }),
    });
    fc.assert(
      fc.property(
        fc.array(publisher, { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fc.nat(3)),
        (all, next) => {
          const gaps = new SequenceGaps();
          const queues = all.map(({ length, lost }, i) => {
            const missing = new Set(lost.filter((n) => n < length - 1));
            const gid = new Uint8Array(16).fill(i + 1);
            const sent = Array.from({ length }, (_, n) => n).filter((n) => !missing.has(n));
            return {
              missing: missing.size,
              waiting: sent.map((n) => makeAttachment(BigInt(n + 1), 0n, gid)),
            };
          });
          let counted = 0;
          for (const turn of next) {
            const left = queues.filter(({ waiting }) => waiting.length > 0);
            if (left.length === 0) break;
            counted += gaps.take(left[turn % left.length]!.waiting.shift()!)!;
          }
          expect(counted).toBe(queues.reduce((sum, { missing }) => sum + missing, 0));
        },
      ),
    );
  });

  it('do not count a message that was overtaken, nor one out of a cache', () => {
    const gaps = new SequenceGaps();
    const gid = new Uint8Array(16).fill(3);
    const counts = [5n, 8n, 6n, 7n, 7n, 2n, 9n].map((n) => gaps.take(makeAttachment(n, 0n, gid))!);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(0);
    expect(gaps.take(new Uint8Array(3))).toBe(0);
  });

  it('are followed over two readers: each message counts once, and a publisher that begins anew is heard', () => {
    const gaps = new SequenceGaps();
    const gid = new Uint8Array(16).fill(3);
    const take = (n: bigint, life = 1n) => gaps.take(makeAttachment(n, life * 1_000_000_000n + n, gid));
    expect([take(2n), take(5n)]).toEqual([0, 2]);
    gaps.overlap();
    expect([take(5n), take(6n), take(6n), take(1n)]).toEqual([undefined, 0, undefined, 0]);
    gaps.endOverlap();
    // Its cache, and what comes after it.
    expect([1n, 2n, 5n, 6n, 7n, 9n].map((n) => take(n))).toEqual([0, undefined, undefined, undefined, 0, 1]);
    expect([2n, 3n].map((n) => take(n, 20n))).not.toContain(undefined);
  });
});
