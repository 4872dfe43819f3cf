import { zstdDecompressSync } from 'node:zlib';
import { LIMITS } from '../../contract/core.ts';
import { parseProfiles, qosOf } from '../../formats/rosbag2/index.ts';
import type { BagChannel, BagTopic } from './bag.ts';
import { malformed } from './malformed.ts';

/** A row of the table of topics, with its channel. */
export type TopicRow = BagTopic & { readonly id: bigint; readonly channel: BagChannel };
/** `bytes`: encoded once, for all topics of its type. */
export type Definition = { readonly encoding: string; readonly text: string; readonly bytes: Uint8Array };

export function definitionOf(encoding: string, text: string): Definition {
  return { encoding, text, bytes: new TextEncoder().encode(text) };
}

export function topicRow(
  row: {
    readonly id: bigint;
    readonly name: string;
    readonly type: string;
    readonly serialization: string;
    readonly profiles: string;
    readonly hash: string;
  },
  definition: Definition | undefined,
  messages: number,
): TopicRow {
  const { id, name, type, serialization, profiles, hash } = row;
  const channel: BagChannel = {
    topic: name,
    type,
    schemaEncoding: definition?.encoding ?? '',
    schemaData: definition?.bytes ?? new Uint8Array(),
    messageEncoding: serialization,
    metadata: new Map([
      ['offered_qos_profiles', profiles],
      ...(hash === '' ? [] : [['topic_type_hash', hash] as const]),
    ]),
  };
  return {
    id,
    topic: name,
    type,
    messages,
    qos: qosOf(parseProfiles(profiles)[0]),
    definition: definition?.encoding === 'ros2msg' ? definition.text : undefined,
    channel,
  };
}

/** The bytes of a message, unpacked where rosbag2 compressed it. Throws `bag.malformed`, naming `where`. */
export function unpackPayload(data: unknown, path: string, where: string): Uint8Array {
  if (!(data instanceof Uint8Array)) throw malformed(path, `${where} holds no bytes`);
  // CDR starts with a zero byte; this is the magic of a zstd frame (rosbag2 compression mode MESSAGE).
  const isZstd = data[0] === 0x28 && data[1] === 0xb5 && data[2] === 0x2f && data[3] === 0xfd;
  if (!isZstd) return data;
  try {
    // Memory of its own and no Buffer, whose `slice` copies nothing.
    return new Uint8Array(zstdDecompressSync(data, { maxOutputLength: LIMITS.SAMPLE_BYTES_MAX }));
  } catch (cause) {
    throw malformed(path, `${where} cannot be decompressed`, cause);
  }
}
