import * as cdr from '../../../formats/cdr/index.ts';
import { decodeVlaRequest } from '../../../formats/inference/index.ts';
import { decodeAny, encodeAny, headerStamp, KNOWN_TYPES, schemaFor } from '../../../formats/ros2/index.ts';
import { mutate, mutateText } from '../mutate.ts';
import type { Random } from '../random.ts';
import type { Target } from '../target.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Some bytes of a message of each type: of its defaults, with room behind it for what lengths may claim. */
const corpus = KNOWN_TYPES.map((type) => ({ type, bytes: encodeAny(type, {}) }));

function message(random: Random): { index: number; bytes: Uint8Array } {
  const index = random.below(corpus.length);
  const { bytes } = corpus[index]!;
  const tail = random.chance(0.5) ? random.bytes(random.below(256)) : new Uint8Array(random.below(64));
  return { index, bytes: mutate(Buffer.concat([bytes, tail]), random) };
}

/** The first two bytes of the input choose the type, so that a saved case says all. */
function tagged(index: number, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(2 + bytes.length);
  new DataView(input.buffer).setUint16(0, index, true);
  input.set(bytes, 2);
  return input;
}

function tagOf(input: Uint8Array, count: number): number {
  return (input[0]! | (input[1]! << 8)) % count;
}

const any: Target = {
  name: 'cdr-any',
  weight: 30,
  make(random) {
    const { index, bytes } = message(random);
    return tagged(index, bytes);
  },
  run(input) {
    const { type } = corpus[tagOf(input, corpus.length)]!;
    const bytes = input.subarray(2);
    headerStamp(type, bytes);
    return decodeAny(type, bytes);
  },
};

/** The readers that were written by hand. */
const HAND = [
  [cdr.decodeTwist, 'geometry_msgs/msg/Twist'],
  [cdr.decodeTwistStamped, 'geometry_msgs/msg/TwistStamped'],
  [cdr.decodeTf, 'tf2_msgs/msg/TFMessage'],
  [cdr.decodeOdometry, 'nav_msgs/msg/Odometry'],
  [cdr.decodeOccupancyGrid, 'nav_msgs/msg/OccupancyGrid'],
  [cdr.decodeBool, 'std_msgs/msg/Bool'],
  [cdr.decodeLaserScan, 'sensor_msgs/msg/LaserScan'],
  [cdr.decodeJointState, 'sensor_msgs/msg/JointState'],
] as const;
const handCorpus = HAND.map(
  ([, type]) => corpus.find((one) => one.type === type)?.bytes ?? new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]),
);

const hand: Target = {
  name: 'cdr-hand',
  weight: 14,
  make(random) {
    const index = random.below(HAND.length);
    return tagged(
      index,
      mutate(Buffer.concat([handCorpus[index]!, random.bytes(random.below(128))]), random),
    );
  },
  run: (input) => HAND[tagOf(input, HAND.length)]![0](input.subarray(2)),
};

/** Definitions come with a bag, also with foreign bags. */
const definition: Target = {
  name: 'definition',
  weight: 1,
  make(random) {
    const index = random.below(corpus.length);
    return tagged(index, encoder.encode(mutateText(schemaFor(corpus[index]!.type)!.data, random)));
  },
  run(input) {
    const { type, bytes } = corpus[tagOf(input, corpus.length)]!;
    return decodeAny(type, bytes, decoder.decode(input.subarray(2)));
  },
};

const request = {
  tensors: {
    state: { dtype: 'float32', shape: [2], data: [0.5, 1] },
    image: { dtype: 'uint8', shape: [1, 2, 3], data: [1, 2, 3, 4, 5, 6] },
  },
  task: 'pick',
  stamp: '1700000000000000000',
  deadline_ms: 100,
};
/** A request as MessagePack, written by hand: {"tensors": {"s": {"dtype": "float32", "shape": [1], "data": bin}}}. */
const packed = Uint8Array.of(
  0x81,
  0xa7,
  ...encoder.encode('tensors'),
  0x81,
  0xa1,
  0x73,
  0x83,
  0xa5,
  ...encoder.encode('dtype'),
  0xa7,
  ...encoder.encode('float32'),
  0xa5,
  ...encoder.encode('shape'),
  0x91,
  0x01,
  0xa4,
  ...encoder.encode('data'),
  0xc4,
  0x04,
  0,
  0,
  0x80,
  0x3f,
);

const vla: Target = {
  name: 'vla',
  weight: 6,
  make(random) {
    if (random.chance(0.5)) return tagged(0, encoder.encode(mutateText(JSON.stringify(request), random)));
    return tagged(1, mutate(packed, random));
  },
  run(input) {
    const encoding = tagOf(input, 2) === 0 ? 'application/json' : 'application/msgpack';
    return decodeVlaRequest(input.subarray(2), encoding, 1n);
  },
};

export const messageTargets: readonly Target[] = [any, hand, definition, vla];
