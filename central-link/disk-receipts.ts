import {
  CELL_NAMES,
  type CellName,
  type Clock,
  custodyText,
  type DiskReceiptsTaken,
  diskReceiptsChecker,
  diskReceiptsText,
  EdgeError,
  type EventReader,
  type LinkReceipt,
  type NewEvent,
  type ObjectReceipt,
} from '../contract/index.ts';
import type { CustodyBook } from './custody-book.ts';
import { isOwnReceipt, OWN_LANE, ReceiptBook } from './receipt-book.ts';
import { ReceiptKeys } from './receipt-keys.ts';

export type DiskReceiptsParts = {
  readonly robot: string;
  readonly clock: Clock;
  /** PEM of the only key whose receipts count; undefined: nothing says whose. */
  readonly publicKey: () => string | undefined;
  readonly openReader: (cell: CellName) => EventReader;
  /** The last event of this log that central acknowledged; 0: none. */
  readonly receipted: (cell: CellName) => number;
  /** Undefined: no files go to central. */
  readonly openBook: () => Pick<CustodyBook, 'named' | 'hold' | 'noteHead' | 'close'> | undefined;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
};

type Verdict = 'taken' | 'known' | 'foreign';

/** Receipts that a disk brought back. They count as those over HTTP: signed by central, about what this robot has. */
export class DiskReceiptDesk {
  readonly #parts: DiskReceiptsParts;

  constructor(parts: DiskReceiptsParts) {
    this.#parts = parts;
  }

  /**
   * Durable when it resolves. Throws `schema.invalid`, `config.invalid` (no key of central is known), `link.refused` (another
   * key signed it, or it is for another robot); nothing was taken then.
   */
  async take(body: unknown): Promise<DiskReceiptsTaken> {
    const { robot } = this.#parts;
    const file = diskReceiptsChecker.parse(body, 'receipts');
    const keys = this.#keys();
    if (file.robot !== robot) throw refused(`they are for ${file.robot}; this robot is ${robot}`);
    if (!(await keys.verifyText(diskReceiptsText(file), file.signature)))
      throw refused(
        'their signature is not one of central: they were changed, or another coordinator made them',
      );
    for (const receipt of file.events)
      if (receipt.robot !== robot || !(await keys.verify(receipt)))
        throw refused(`the receipt for ${receipt.lane} is not one of central for this robot`);
    for (const receipt of file.objects)
      if (receipt.robot !== robot || !(await keys.verifyText(custodyText(receipt), receipt.signature)))
        throw refused(`the receipt for ${receipt.sha256} is not one of central for this robot`);
    const taken: { lanes: { lane: string; seq: number }[]; known: number; foreign: number } = {
      lanes: [],
      known: 0,
      foreign: 0,
    };
    const conflicts: DiskReceiptsTaken['refused'][number][] = [];
    for (const receipt of file.events) {
      const verdict = await this.#lane(receipt).catch((error: unknown) => {
        if (!(error instanceof EdgeError) || error.code !== 'link.conflict') throw error;
        conflicts.push({ what: receipt.lane, code: error.code, message: error.message });
      });
      if (verdict === 'taken') taken.lanes.push({ lane: receipt.lane, seq: receipt.seq });
      else if (verdict) taken[verdict] += 1;
    }
    const files = this.#files(file.objects, file.head);
    return {
      lanes: taken.lanes,
      files: files.taken,
      known: taken.known + files.known,
      foreign: taken.foreign + files.foreign,
      refused: [...conflicts, ...file.refused],
      refused_more: file.refused_more,
    };
  }

  #keys(): ReceiptKeys {
    const { publicKey } = this.#parts;
    if (publicKey() !== undefined) return new ReceiptKeys(publicKey, async () => undefined);
    throw new EdgeError('config.invalid', {
      ...{ operation: 'import receipts', subject: 'link.key_file' },
      message: 'nothing says whose receipts count: this robot is not enrolled, and link.key_file is not set',
      hint: 'enrol this robot (auraison link enrol), or set link.key_file to the public key of central',
    });
  }

  /** The same checks as for an answer over HTTP: this log, this epoch, and the same event at that position. */
  async #lane(receipt: LinkReceipt): Promise<Verdict> {
    const { openReader, receipted, emit, clock } = this.#parts;
    const cell = CELL_NAMES.find((name) => `events.${name}` === receipt.lane);
    if (!cell) return 'foreign';
    const reader = openReader(cell);
    try {
      if (reader.read(0, 1)[0]?.event_id !== receipt.epoch) return 'foreign';
      const before = receipted(cell);
      if (receipt.seq <= Math.max(before, reader.cutThrough?.() ?? 0)) return 'known';
      const event = reader.read(receipt.seq - 1, 1).find(({ seq }) => seq === receipt.seq);
      if (event?.hash !== receipt.sha256) throw conflict(receipt, event ? undefined : reader.lastSeq());
      // Otherwise each receipt would be a reason for the next export.
      if (receipt.lane === OWN_LANE && onlyOwnReceipts(reader, before, receipt.seq)) return 'known';
      const book = new ReceiptBook();
      book.note(receipt, [event]);
      const due = book.due(clock.monotonicMs(), true);
      if (due.length === 0) return 'known';
      await emit(due);
      return 'taken';
    } finally {
      reader.close();
    }
  }

  #files(receipts: readonly ObjectReceipt[], head: string | null): Record<Verdict, number> {
    const counts = { taken: 0, known: 0, foreign: 0 };
    const book = receipts.length > 0 ? this.#parts.openBook() : undefined;
    try {
      for (const receipt of receipts) {
        const rows = (book?.named(receipt) ?? []).filter(({ bytes }) => bytes === receipt.bytes);
        const fresh = rows.filter(({ state }) => state !== 'held');
        for (const { path } of fresh) book?.hold(path, receipt);
        counts[rows.length === 0 ? 'foreign' : fresh.length > 0 ? 'taken' : 'known'] += 1;
      }
      // An older disk must not set back what is known of central.
      if (counts.taken > 0 && head !== null) book?.noteHead(head);
      return counts;
    } finally {
      book?.close();
    }
  }
}

function onlyOwnReceipts(reader: EventReader, after: number, through: number): boolean {
  for (let at = after; at < through; ) {
    const events = reader.read(at, Math.min(256, through - at));
    const last = events.at(-1);
    if (!last) return true;
    if (!events.every(isOwnReceipt)) return false;
    at = last.seq;
  }
  return true;
}

function refused(message: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'import receipts', subject: 'receipts', message: `receipts not taken: ${message}` },
    hint: 'nothing of this file counts, and nothing is deleted for it; import the disk at central again',
  });
}

function conflict({ robot, lane, seq }: LinkReceipt, last: number | undefined): EdgeError {
  return new EdgeError('link.conflict', {
    ...{ operation: 'import receipts', subject: `${robot}/${lane}` },
    message:
      last === undefined
        ? `central holds another event ${seq} than this log`
        : `central holds ${seq} events, this log has only ${last}: it was set back`,
    hint: 'nothing is overwritten; keep both logs and decide which one is right',
  });
}
