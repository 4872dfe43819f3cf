import * as api from '../../../adapters/ros/api-wire.ts';
import { discoveredTopics } from '../../../adapters/ros/discovery.ts';
import { FrameReader as RosFrames } from '../../../adapters/ros/frame-reader.ts';
import * as wire from '../../../adapters/ros/wire.ts';
import { intersects, isKey, keyExprFault } from '../../../adapters/zenoh/key-expr.ts';
import { makeAttachment, readAttachment, SequenceGaps } from '../../../adapters/zenoh/ros/attachment.ts';
import { readToken, tokenOf } from '../../../adapters/zenoh/ros/names.ts';
import { readQosText } from '../../../adapters/zenoh/ros/qos-text.ts';
import { DEFAULT_QOS, EdgeError, type GraphSnapshot } from '../../../contract/core.ts';
import { decodeNote, encodeNote } from '../../../daemon/execution/routes/note.ts';
import {
  controlFrame,
  decodeControl,
  decodeSample,
  FRAME_SAMPLE,
  FrameReader,
  sampleFrameHead,
} from '../../../formats/sample-frame.ts';
import { mutate, mutateText } from '../mutate.ts';
import type { Target } from '../target.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PARTS = [
  'robot7',
  '*',
  '**',
  '$*',
  'a$*b',
  'scan',
  '@adv',
  'x',
  '',
  '#',
  '?',
  'tf_static',
  '**',
  'a',
  'b',
];

const keyExpr: Target = {
  name: 'key-expr',
  weight: 14,
  make(random) {
    const path = () => Array.from({ length: 1 + random.below(12) }, () => random.pick(PARTS)).join('/');
    const text = `${path()}\n${path()}`;
    return encoder.encode(random.chance(0.5) ? mutateText(text, random) : text);
  },
  run(input) {
    const [a = '', b = ''] = decoder.decode(input).split('\n');
    isKey(a);
    if (keyExprFault(a) === undefined && keyExprFault(b) === undefined) return intersects(a, b);
    return undefined;
  },
};

const attachmentSeed = makeAttachment(7n, 1_700_000_000_000_000_000n, new Uint8Array(16).fill(3));
const gaps = new SequenceGaps();
const attachment: Target = {
  name: 'rmw-attachment',
  weight: 8,
  make: (random) => mutate(attachmentSeed, random),
  run(input) {
    gaps.take(input);
    return readAttachment(input);
  },
};

const noteSeed = encodeNote({ type: 'sensor_msgs/msg/LaserScan', stamp: 17n, source: 'ab12', seq: 9 });
const note: Target = {
  name: 'route-note',
  weight: 6,
  make: (random) =>
    random.chance(0.5)
      ? mutate(noteSeed, random)
      : encoder.encode(mutateText(decoder.decode(noteSeed), random)),
  run: (input) => decodeNote(input),
};

const tokenSeeds = [
  tokenOf({
    domain: 0,
    zid: 'ab12',
    nodeId: 0,
    id: 1,
    kind: 'MP',
    enclave: '',
    namespace: '',
    node: 'talker',
    name: '/chatter',
    type: 'std_msgs/msg/String',
    hash: `RIHS01_${'a'.repeat(64)}`,
    qos: { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 10 },
  } as unknown as Parameters<typeof tokenOf>[0]),
  '::,10:,:,:,,',
];
const token: Target = {
  name: 'rmw-token',
  weight: 6,
  make: (random) => encoder.encode(mutateText(random.pick(tokenSeeds), random)),
  run(input) {
    const text = decoder.decode(input);
    readQosText(text);
    return readToken(text);
  },
};

const rosSeed = Buffer.concat([
  wire.encodeJson(wire.FRAME.notice, { kind: 'done', id: 3 }),
  wire.sampleHead(1, 5n, 6n, 4),
  Buffer.from([0, 1, 0, 0]),
  wire.publishHead(2, 4),
  Buffer.from([0, 1, 0, 0]),
]);

function inPieces(input: Uint8Array, push: (piece: Buffer) => void): void {
  const step = 1 + ((input[0] ?? 0) % 40);
  for (let at = 0; at < input.length; at += step) push(Buffer.from(input.subarray(at, at + step)));
}

const rosFrames: Target = {
  name: 'ros-frames',
  weight: 8,
  make: (random) => mutate(rosSeed, random),
  run(input) {
    const reader = new RosFrames((kind, body) => {
      if (kind === wire.FRAME.sample) wire.decodeSample(body);
      else if (kind === wire.FRAME.publish) wire.decodePublish(body);
      else wire.decodeJson(body);
    });
    inPieces(input, (piece) => reader.push(piece));
  },
};

const error = {
  code: 'ros.failed',
  operation: 'o',
  subject: 's',
  message: 'm',
  hint: '',
  retryable: true,
} as const;
const goalId = 'ab'.repeat(16);
const endpoint = { node: '/a', type: 'a/msg/B', qos: DEFAULT_QOS };
const graph = {
  nodes: [{ name: '/a', enclave: '/' }],
  topics: [{ topic: '/t', types: ['a/msg/B'], publishers: [endpoint], subscribers: [] }],
  services: [{ name: '/s', types: ['a/srv/B'] }],
  actions: [],
};
const apiSeeds = [
  { id: 1, call: { op: 'call', name: '/s', type: 'a/srv/B', request: { a: 1n, b: [1, 2] }, timeoutMs: 9 } },
  { id: 2, call: { op: 'sendGoal', goalId, name: '/g', type: 'a/action/B', goal: {}, timeoutMs: 9 } },
  { id: 3, call: { op: 'graph' } },
  { op: 'answer', server: 1, request: 2, value: { data: Float32Array.of(1, 2) } },
  { op: 'finish', server: 1, goalId, result: { status: 'aborted', result: {} } },
  { op: 'reply', id: 4, value: { uuid: new Uint8Array(16), big: -(2n ** 63n) } },
  { op: 'error', id: 5, error },
  { op: 'goalLost', goalId, error },
  { op: 'goalResult', goalId, result: { status: 'succeeded', result: { n: 1 } } },
  { op: 'graph', graph },
].map((value) => api.encodeApi(value as api.ApiNews));

/** What its receivers do with a frame at once, on the word of its type. */
const rosApi: Target = {
  name: 'ros-api',
  weight: 8,
  make: (random) => mutate(random.pick(apiSeeds), random),
  run(input) {
    const readers = [api.decodeApiRequest, api.decodeApiWord, api.decodeApiNews];
    const refusals: unknown[] = [];
    for (const read of readers) {
      try {
        use(read(input));
      } catch (refusal) {
        if (!(refusal instanceof EdgeError)) throw refusal;
        refusals.push(refusal);
      }
    }
    if (refusals.length === readers.length) throw refusals[0];
  },
};

function use(frame: api.ApiRequest | api.ApiWord | api.ApiNews): void {
  if ('call' in frame) frame.call.op.at(0);
  else if (frame.op === 'error' || frame.op === 'goalLost') EdgeError.fromBody(frame.error).toBody();
  else if (frame.op === 'graph') foldOf(frame.graph);
  else if ('goalId' in frame) frame.goalId.at(0);
}

function foldOf(found: GraphSnapshot): unknown {
  found.nodes.map(({ name }) => name.at(0));
  return discoveredTopics(found, {
    allow: ['/**'],
    deny: [],
    known: new Set(),
    ownNodes: new Set(['/edge']),
  });
}

const sample = {
  topic: '/scan',
  type: 'sensor_msgs/msg/LaserScan',
  stamp: 1n,
  received: 2n,
  bytes: new Uint8Array([0, 1, 0, 0]),
};
const frameSeed = Buffer.concat([
  sampleFrameHead(sample),
  sample.bytes,
  controlFrame({ t: 'hello', a: [1, 2] }),
]);
const frames: Target = {
  name: 'sample-frames',
  weight: 8,
  make: (random) => mutate(frameSeed, random),
  run(input) {
    const reader = new FrameReader();
    inPieces(input, (piece) => {
      for (const { kind, body } of reader.push(piece))
        kind === FRAME_SAMPLE ? decodeSample(body) : decodeControl(body);
    });
  },
};

export const wireTargets: readonly Target[] = [keyExpr, attachment, note, token, rosFrames, rosApi, frames];
