/** Mirrors `native/src/wire.rs`, where the layout is drawn. The loader refuses an addon with another one. */
export const WIRE_VERSION = 5;

export const EVENT = { sample: 1, query: 2, reply: 3, errorReply: 4, getDone: 5, sendDone: 6 } as const;
const FLAG = { external: 1, attachment: 2, timestamp: 4, delete: 8, payload: 16, failed: 64 } as const;
const HEAD = 40;
const SAME = 0xffff_ffff;

export type NativeEvent = {
  readonly type: number;
  readonly entity: number;
  /** Query id, lost replies or ticket, by type. */
  readonly aux: number;
  readonly deleted: boolean;
  readonly failed: boolean;
  readonly priority: number;
  readonly key: string;
  readonly encoding: string;
  /** Parameters of a query; text of a failed send. */
  readonly text: string;
  readonly payload: Uint8Array | undefined;
  readonly attachment: Uint8Array | undefined;
  readonly timestamp: bigint | undefined;
};

/** Up to this a batch is written into a room (`native/src/session.rs`). */
const ROOM_BATCH_MAX = 4096;
/** Each small payload that is kept keeps this much memory alive. */
const ROOM_BYTES = 4 * ROOM_BATCH_MAX;
const NONE: readonly Uint8Array[] = [];

/** Bytes of batches, one after the other: a buffer for each would cost more than all else about a small one. */
export class BatchRoom {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly slab: Buffer;
  readonly view: DataView;
  /** Where the next batch starts. */
  at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(ROOM_BYTES)) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.bytes = bytes;
    this.slab = Buffer.from(buffer, byteOffset, byteLength);
    this.view = new DataView(buffer, byteOffset, byteLength);
  }

  /** This buffer, or a new one if it has no room for a batch. */
  ready(): BatchRoom {
    return this.bytes.byteLength - this.at < ROOM_BATCH_MAX ? new BatchRoom() : this;
  }
}

/**
 * Reads the batch of `length` bytes at the room's place, and moves that on. Payloads are views: small ones of the room,
 * large ones of memory owned by Zenoh; neither is copied. They stay valid as long as somebody holds them, and are never
 * to be written to.
 */
export function decodeBatch(
  room: BatchRoom,
  length: number,
  onEvent: (event: NativeEvent) => void,
  large: readonly Uint8Array[] = NONE,
): void {
  const { slab, view } = room;
  const { buffer, byteOffset } = room.bytes;
  let { at } = room;
  const end = at + length;
  // The callback of an event may drain again.
  room.at = end;
  let key = '';
  let encoding = '';
  const bytes = (start: number, size: number) => new Uint8Array(buffer, byteOffset + start, size);

  while (at < end) {
    const type = view.getUint8(at);
    const flags = view.getUint8(at + 1);
    const keyLength = view.getUint32(at + 12, true);
    const encodingLength = view.getUint32(at + 16, true);
    const textLength = view.getUint32(at + 20, true);
    const attachmentLength = view.getUint32(at + 24, true);
    const payloadLength = view.getUint32(at + 28, true);

    let cursor = at + HEAD;
    if (keyLength !== SAME) {
      key = slab.toString('utf8', cursor, cursor + keyLength);
      cursor += keyLength;
    }
    if (encodingLength !== SAME) {
      encoding = slab.toString('utf8', cursor, cursor + encodingLength);
      cursor += encodingLength;
    }
    const text = textLength === 0 ? '' : slab.toString('utf8', cursor, cursor + textLength);
    cursor += textLength;
    const attachment = flags & FLAG.attachment ? bytes(cursor, attachmentLength) : undefined;
    cursor = align(cursor + attachmentLength);

    let payload: Uint8Array | undefined;
    if (flags & FLAG.external) {
      payload = large[payloadLength];
    } else if (flags & FLAG.payload) {
      payload = bytes(cursor, payloadLength);
      cursor = align(cursor + payloadLength);
    }

    onEvent({
      type,
      entity: view.getUint32(at + 4, true),
      aux: view.getUint32(at + 8, true),
      deleted: (flags & FLAG.delete) !== 0,
      failed: (flags & FLAG.failed) !== 0,
      priority: view.getUint8(at + 2),
      key,
      encoding,
      text,
      payload,
      attachment,
      timestamp: flags & FLAG.timestamp ? view.getBigUint64(at + 32, true) : undefined,
    });
    at = cursor;
  }
}

function align(offset: number): number {
  return (offset + 7) & ~7;
}
