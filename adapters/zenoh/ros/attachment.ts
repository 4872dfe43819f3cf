/**
 * The attachment of every message, request and reply: sequence number (int64 LE, a publisher starts at 1), source
 * time (int64 LE, nanoseconds since 1970), a byte with the length of the id, the id of the publisher (GID).
 */
export const GID_BYTES = 16;
const GID_AT = 17;
export const ATTACHMENT_BYTES = GID_AT + GID_BYTES;

export function makeAttachment(sequence: bigint, stamp: bigint, gid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ATTACHMENT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, sequence, true);
  view.setBigInt64(8, stamp, true);
  bytes[16] = GID_BYTES;
  bytes.set(gid.subarray(0, GID_BYTES), GID_AT);
  return bytes;
}

export type Attachment = { readonly sequence: bigint; readonly stamp: bigint; readonly gid: Uint8Array };

/** Undefined for bytes that are no attachment of rmw_zenoh. */
export function readAttachment(bytes: Uint8Array | undefined): Attachment | undefined {
  if (!bytes || !fits(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, ATTACHMENT_BYTES);
  return {
    sequence: view.getBigInt64(0, true),
    stamp: view.getBigInt64(8, true),
    gid: bytes.slice(GID_AT, ATTACHMENT_BYTES),
  };
}

type Publisher = {
  readonly gid: Uint8Array;
  readonly first: number;
  last: number;
  missing: number;
  /** When the last one was sent. */
  stamp: number;
  /** From the first to this one they were taken by a reader before: what a cache repeats of them is not new. */
  taken: number;
};
/** Publishers of one topic whose numbering is followed; beyond it the one not heard for longest is forgotten. */
const PUBLISHERS_MAX = 64;
/**
 * So many are never lost at once: a larger jump means that the number is invalid, or that the publisher started
 * again.
 */
const JUMP_MAX = 1_000_000;

/**
 * Follows the numbers of all publishers of a topic and counts what is missing between them. Losses before
 * the first received message, or after the last one, are unknown. Called for each message, so nothing is allocated
 * but for a publisher that was never heard before.
 */
export class SequenceGaps {
  /** The one heard last is first. */
  readonly #publishers: Publisher[] = [];
  #isOverlap = false;

  /** From here on two readers hear the same messages: each counts once, for the one that hears it first. */
  overlap(): void {
    this.#isOverlap = true;
  }

  endOverlap(): void {
    this.#isOverlap = false;
    for (const publisher of this.#publishers) publisher.taken = publisher.last;
  }

  /**
   * The number of messages now known to be lost: more than before, fewer when a late one comes after all. Undefined for
   * a message that was taken already, by the other reader of an overlap or by the one before.
   */
  take(attachment: Uint8Array): number | undefined {
    if (!fits(attachment)) return 0;
    const sequence = low53(attachment);
    const publisher = this.#find(attachment);
    if (!publisher) {
      if (this.#publishers.length >= PUBLISHERS_MAX) this.#publishers.pop();
      const gid = attachment.slice(GID_AT, ATTACHMENT_BYTES);
      this.#publishers.unshift({
        gid,
        first: sequence,
        last: sequence,
        missing: 0,
        stamp: coarseStamp(attachment),
        taken: -1,
      });
      return 0;
    }
    if (sequence > publisher.last) {
      const lost = sequence - publisher.last - 1;
      publisher.last = sequence;
      publisher.stamp = coarseStamp(attachment);
      if (lost > JUMP_MAX) return 0;
      publisher.missing += lost;
      return lost;
    }
    const isTaken = sequence >= publisher.first && (this.#isOverlap || sequence <= publisher.taken);
    // One that was started again under its old id starts at 1 again, later.
    if (isTaken && coarseStamp(attachment) <= publisher.stamp) return undefined;
    // A message that was overtaken is no loss; one from a cache was never counted.
    if (publisher.missing === 0 || sequence === publisher.last || sequence < publisher.first) return 0;
    publisher.missing -= 1;
    return -1;
  }

  #find(attachment: Uint8Array): Publisher | undefined {
    const publishers = this.#publishers;
    for (let i = 0; i < publishers.length; i++) {
      const publisher = publishers[i]!;
      if (!sameGid(publisher.gid, attachment)) continue;
      if (i > 0) {
        publishers.splice(i, 1);
        publishers.unshift(publisher);
      }
      return publisher;
    }
    return undefined;
  }
}

function fits(bytes: Uint8Array): boolean {
  return bytes.length >= ATTACHMENT_BYTES && bytes[16] === GID_BYTES;
}

function sameGid(gid: Uint8Array, attachment: Uint8Array): boolean {
  for (let i = 0; i < GID_BYTES; i++) if (gid[i] !== attachment[GID_AT + i]) return false;
  return true;
}

/** The sequence number without a bigint; 2^53 messages take longer than any robot lives. */
function low53(b: Uint8Array): number {
  const low = b[0]! + b[1]! * 0x100 + b[2]! * 0x10000 + b[3]! * 0x1000000;
  return low + (b[4]! + b[5]! * 0x100 + (b[6]! & 0x1f) * 0x10000) * 0x100000000;
}

/** The source time in units of 65,536 ns: what a double holds exactly. */
function coarseStamp(b: Uint8Array): number {
  const low = b[10]! + b[11]! * 0x100 + b[12]! * 0x10000 + b[13]! * 0x1000000;
  return low + (b[14]! + b[15]! * 0x100) * 0x100000000;
}
