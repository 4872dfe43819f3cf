import type { AgentEvent, EventReader } from '../contract/core.ts';
import type { CustodyBook } from './custody-book.ts';

export type ObjectLogOptions = {
  readonly book: CustodyBook;
  /** Opens the log that names files; may throw while it does not exist yet. */
  readonly openReader: () => EventReader;
  /** Bags that are never sent: a ring, out of which only clips are kept. */
  readonly skips: (bag: string) => boolean;
  /** Which recordings are sent. */
  readonly bags: 'all' | 'clips';
};

const LOG = 'execution';
const KINDS = ['clip.requested', 'segment.sealed', 'segment.evicted'] as const;
const READ_EVENTS = 256;

/** Enters the files that the log of the execution cell names into the book, each once, from where it was read to. */
export class ObjectLog {
  readonly #options: ObjectLogOptions;
  #reader: EventReader | undefined;

  constructor(options: ObjectLogOptions) {
    this.#options = options;
  }

  /** Reads what is new. Throws what the reader and the book throw. */
  follow(): void {
    const { book, openReader } = this.#options;
    this.#reader ??= openReader();
    const reader = this.#reader;
    const epoch = reader.read(0, 1)[0]?.event_id;
    if (epoch === undefined) return;
    for (;;) {
      const place = book.place(LOG);
      const from = place?.epoch === epoch ? place.seq : 0;
      const last = reader.lastSeq();
      if (last <= from) return;
      const events = reader.read(from, READ_EVENTS, { kinds: [...KINDS] });
      const seq = events.at(-1)?.seq ?? last;
      book.readTo(LOG, { epoch, seq }, () => {
        for (const event of events) this.#enter(event, epoch);
      });
      if (events.length === 0) return;
    }
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #enter(event: AgentEvent, epoch: string): void {
    const { book, skips, bags } = this.#options;
    if (event.kind === 'clip.requested') book.noteClip(event.payload.bag);
    if (event.kind === 'segment.evicted') book.gone(event.payload.path);
    if (event.kind !== 'segment.sealed') return;
    const { bag, path, sha256, bytes } = event.payload;
    const lane = book.isClip(bag) ? 'clips' : 'bags';
    if (bytes === 0 || skips(bag) || (lane === 'bags' && bags === 'clips')) return;
    book.add({ path, lane, epoch, seq: event.seq, sha256, bytes });
  }
}
