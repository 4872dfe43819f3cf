import { crc32 } from 'node:zlib';
import { ByteWriter } from './byte-writer.ts';
import { crc32Combine } from './crc32-combine.ts';
import { malformed } from './malformed.ts';
import { GAP_OPCODE, gapAt } from './message-gap.ts';
import { MESSAGE_FIELDS_BYTES, MESSAGE_HEAD_BYTES, OP, RECORD_HEAD_BYTES } from './records.ts';

/** Index entries of one channel within the chunk being built: log time and offset, 16 bytes each. */
class EntryList {
  bytes = new Uint8Array(4096);
  view = new DataView(this.bytes.buffer);
  length = 0;
  count = 0;

  add(timeLow: number, timeHigh: number, offset: number): void {
    if (this.length + 16 > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    const at = this.length;
    this.view.setUint32(at, timeLow, true);
    this.view.setUint32(at + 4, timeHigh, true);
    this.view.setUint32(at + 8, offset >>> 0, true);
    this.view.setUint32(at + 12, Math.floor(offset / 2 ** 32), true);
    this.length += 16;
    this.count += 1;
  }

  clear(): void {
    this.length = 0;
    this.count = 0;
  }
}

/**
 * Collects the fields of a chunk record about its content: size, CRC, time span, and where each message
 * stands. It reads the heads of message records and never touches or keeps their bytes.
 */
export class ChunkBuilder {
  size = 0;
  crc = 0;
  messages = 0;
  readonly parts: Uint8Array[] = [];
  readonly #hasGaps: boolean;
  readonly #lists = new Map<number, EntryList>();
  #minLow = 0;
  #minHigh = 0;
  #maxLow = 0;
  #maxHigh = 0;

  /** `hasGaps`: the records come from memory of our own, with gaps (message-gap.ts) between them. */
  constructor(hasGaps = false) {
    this.#hasGaps = hasGaps;
  }

  /**
   * Takes the records of `bytes` up to the first message whose channel `isKnown` refuses, or until the chunk
   * has `sizeWanted` bytes, and returns how many bytes that were. `bytes` holds whole records and stays
   * unchanged until the chunk is written.
   */
  add(
    bytes: Uint8Array,
    isKnown: (channelId: number) => boolean = () => true,
    sizeWanted = Number.POSITIVE_INFINITY,
  ): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    let partAt = 0;
    while (at < bytes.length && this.size + at - partAt < sizeWanted) {
      const gap = this.#hasGaps && view.getUint8(at) === GAP_OPCODE ? gapAt(view, at) : undefined;
      const record = at + (gap?.bytes ?? 0);
      const length = this.#lengthOf(view, record, this.size + at - partAt);
      if (view.getUint8(record) === OP.message) {
        if (length < MESSAGE_FIELDS_BYTES)
          throw malformed('chunk', this.size + at - partAt, 'a message has no header');
        const channel = view.getUint16(record + 9, true);
        if (!isKnown(channel)) break;
        const offset = this.size + at - partAt;
        this.#enter(channel, view.getUint32(record + 15, true), view.getUint32(record + 19, true), offset);
      }
      const end = record + RECORD_HEAD_BYTES + length;
      if (gap) {
        this.#take(bytes.subarray(partAt, at));
        this.#takeKnown(bytes.subarray(record, end), gap.dataCrc);
        partAt = end;
      }
      at = end;
    }
    this.#take(bytes.subarray(partAt, at));
    return at;
  }

  #lengthOf(view: DataView, at: number, offset: number): number {
    const room = view.byteLength - at - RECORD_HEAD_BYTES;
    const length = room < 0 ? 0 : view.getUint32(at + 1, true) + view.getUint32(at + 5, true) * 2 ** 32;
    if (room < length) throw malformed('chunk', offset, `a record of ${length} bytes is truncated`);
    return length;
  }

  #take(part: Uint8Array): void {
    if (part.length === 0) return;
    this.crc = crc32(part, this.crc);
    this.size += part.length;
    this.parts.push(part);
  }

  /** A message record whose data has been read for its CRC already. */
  #takeKnown(part: Uint8Array, dataCrc: number): void {
    const head = crc32(part.subarray(0, MESSAGE_HEAD_BYTES), this.crc);
    this.crc = crc32Combine(head, dataCrc, part.length - MESSAGE_HEAD_BYTES);
    this.size += part.length;
    this.parts.push(part);
  }

  get startTime(): bigint {
    return (BigInt(this.#minHigh) << 32n) | BigInt(this.#minLow);
  }

  get endTime(): bigint {
    return (BigInt(this.#maxHigh) << 32n) | BigInt(this.#maxLow);
  }

  counts(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const [channel, list] of this.#lists) if (list.count > 0) counts.set(channel, list.count);
    return counts;
  }

  /** The message index records; `offsets` receives where each channel's starts, relative to the first. */
  indexRecords(offsets: Map<number, number>): Uint8Array {
    const out = new ByteWriter(this.messages * 16 + 1024);
    for (const [channel, list] of this.#lists) {
      if (list.count === 0) continue;
      offsets.set(channel, out.length);
      out.record(OP.messageIndex, () => {
        out.u16(channel).u32(list.length).raw(list.bytes.subarray(0, list.length));
      });
    }
    return out.view();
  }

  /** Forgets the content and keeps the memory for the next chunk. */
  clear(): void {
    this.size = 0;
    this.crc = 0;
    this.messages = 0;
    this.parts.length = 0;
    for (const list of this.#lists.values()) list.clear();
  }

  #enter(channel: number, low: number, high: number, offset: number): void {
    if (this.messages === 0) {
      this.#minLow = this.#maxLow = low;
      this.#minHigh = this.#maxHigh = high;
    } else if (high < this.#minHigh || (high === this.#minHigh && low < this.#minLow)) {
      this.#minLow = low;
      this.#minHigh = high;
    } else if (high > this.#maxHigh || (high === this.#maxHigh && low > this.#maxLow)) {
      this.#maxLow = low;
      this.#maxHigh = high;
    }
    let list = this.#lists.get(channel);
    if (!list) {
      list = new EntryList();
      this.#lists.set(channel, list);
    }
    list.add(low, high, offset);
    this.messages += 1;
  }
}
