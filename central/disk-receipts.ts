import {
  type Clock,
  canonicalJson,
  type DiskReceipts,
  diskReceiptsText,
  type ErrorCode,
  LIMITS,
  type LinkReceipt,
  type ObjectReceipt,
} from '../contract/index.ts';
import type { RobotDisk } from '../io/robot-disk.ts';
import type { ReceiptSigner } from './receipt-signer.ts';

export type Refused = { readonly what: string; readonly code: ErrorCode; readonly message: string };

export type DiskReceiptsParts = {
  readonly robot: string;
  readonly disk: RobotDisk;
  readonly signer: ReceiptSigner;
  readonly clock: Clock;
  /** The head of custody of this robot now. */
  readonly head: () => string | null;
};

/** Receipts for one robot on their way to its disk, file by file, so that a disk that is pulled out has most of them. */
export class DiskReceiptWriter {
  readonly #parts: DiskReceiptsParts;
  #events: LinkReceipt[] = [];
  #objects: ObjectReceipt[] = [];
  #refused: Refused[] = [];
  #more = 0;
  #files = 0;
  written = 0;

  constructor(parts: DiskReceiptsParts) {
    this.#parts = parts;
  }

  async event(receipt: LinkReceipt): Promise<void> {
    this.#events.push(receipt);
    if (this.#events.length === LIMITS.LINK_DISK_RECEIPTS_MAX) await this.flush();
  }

  async object(receipt: ObjectReceipt): Promise<void> {
    this.#objects.push(receipt);
    if (this.#objects.length === LIMITS.LINK_DISK_RECEIPTS_MAX) await this.flush();
  }

  refused({ what, code, message }: Refused): void {
    if (this.#refused.length >= LIMITS.LINK_DISK_REFUSED_MAX) this.#more += 1;
    else this.#refused.push({ what: what.slice(0, 1_200), code, message: message.slice(0, 512) });
  }

  /** Durable when it resolves. */
  async flush(): Promise<void> {
    const { robot, disk, signer, clock, head } = this.#parts;
    const receipts: Omit<DiskReceipts, 'signature'> = {
      format: 'auraison-link-receipts/v1',
      robot,
      made_ns: `${clock.now()}`,
      head: head(),
      events: this.#events,
      objects: this.#objects,
      refused: this.#refused,
      refused_more: this.#more,
    };
    const signature = signer.signText(diskReceiptsText(receipts));
    await disk.writeReceipts(signer.key.key_id, this.#files, canonicalJson({ ...receipts, signature }));
    this.#files += 1;
    this.written += this.#events.length + this.#objects.length;
    this.#events = [];
    this.#objects = [];
    this.#refused = [];
    this.#more = 0;
  }

  /** Writes the rest, and removes the files of an earlier import beyond it. */
  async close(): Promise<void> {
    await this.flush();
    await this.#parts.disk.dropReceipts(this.#parts.signer.key.key_id, this.#files);
  }
}
