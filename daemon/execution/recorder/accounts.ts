import type { DropReason, EventPayload } from '../../../contract/core.ts';
import { type Reasons, type UntoldDrops, writeAccount } from './intake.ts';
import type { Drops, ThreadOptions } from './protocol.ts';

type Counts = ReadonlyMap<number, number>;
type Losses = EventPayload<'losses.recorded'>;

/**
 * The thread's book: what became of each sample since the last sealed segment, for the ledger beside the
 * data, and since the session started, for the count after a kill. What no ledger has reported yet survives a kill
 * in the account file.
 */
export class Accounts {
  readonly #options: ThreadOptions;
  readonly #topics = new Map<number, string>();
  readonly #accounted = new Map<number, number>();
  #drops = new Map<string, Reasons>();
  /** Drops in ledgers of segments that have no final name yet, by the path of the segment. */
  readonly #closed = new Map<string, ReadonlyMap<string, Reasons>>();
  /** Written by channel id since a segment was left: in files that are read after a kill. */
  readonly #unread = new Map<number, number>();
  #through: number;
  #isInOrder = true;
  #firstSegment: number;
  #bag: string;

  constructor(options: ThreadOptions, firstSegment: number) {
    this.#options = options;
    this.#bag = options.bag;
    this.#firstSegment = firstSegment;
    this.#through = firstSegment - 1;
    this.#save();
  }

  /** All of the bag so far is sealed; what comes goes into another. */
  moveTo(bag: string, firstSegment: number): void {
    this.#bag = bag;
    this.#firstSegment = firstSegment;
    this.settled(firstSegment);
  }

  /** All segments before this one are sealed, those that were left too: from here on in order again. */
  settled(nextSegment: number): void {
    add(this.#accounted, this.#unread);
    this.#unread.clear();
    this.#isInOrder = true;
    this.#through = nextSegment - 1;
    this.#save();
  }

  addChannel(id: number, topic: string): void {
    this.#topics.set(id, topic);
  }

  /** Samples that were in the queue and will not be written. */
  dropQueued(reason: DropReason, counts: Counts): void {
    for (const [id, count] of counts) this.#drop({ topic: this.#topics.get(id) ?? '', reason, count });
    add(this.#accounted, counts);
    this.#save();
  }

  /** Samples that never came into the queue. */
  drop(drops: readonly Drops[]): void {
    for (const one of drops) this.#drop(one);
    this.#save();
  }

  #drop({ topic, reason, count }: Drops): void {
    const reasons = this.#drops.get(topic) ?? {};
    reasons[reason] = (reasons[reason] ?? 0) + count;
    this.#drops.set(topic, reasons);
  }

  /** The ledger of a segment that ends now: its messages, and all drops since the one before. */
  close(bag: string, segment: string, written: Readonly<Record<string, number>>): Losses {
    const drops = this.#drops;
    this.#drops = new Map();
    if (drops.size > 0) {
      this.#closed.set(segment, drops);
      this.#save();
    }
    return { bag, segment, topics: ledgerTopics(written, drops) };
  }

  /** The ledger is sure to be reported, or was. */
  told({ segment = '' }: Losses): void {
    if (this.#closed.delete(segment)) this.#save();
  }

  /**
   * The drops of a ledger that will not be reported, since its segment could not be ended: the next one reports them.
   */
  putBack({ segment = '', topics }: Losses): void {
    this.#closed.delete(segment);
    for (const { topic, dropped } of topics) {
      for (const [reason, count] of Object.entries(dropped))
        this.#drop({ topic, reason: reason as DropReason, count });
    }
    this.#save();
  }

  /** Whether there are drops that no ledger has reported yet. */
  get hasDrops(): boolean {
    return this.#drops.size > 0;
  }

  /** The segment is on disk under its final name: its messages are accounted for without reading it. */
  sealed(segment: number, counts: Counts): void {
    add(this.#isInOrder ? this.#accounted : this.#unread, counts);
    if (!this.#isInOrder) return;
    this.#through = segment;
    this.#save();
  }

  /** A segment with these could not be finished; until all is settled a kill has the files read. */
  left(counts: Counts): void {
    this.#isInOrder = false;
    add(this.#unread, counts);
  }

  #save(): void {
    const { intakeDir, session } = this.#options;
    const accounted = Object.fromEntries(this.#accounted);
    try {
      writeAccount(intakeDir, session, {
        bag: this.#bag,
        through: this.#through,
        firstSegment: this.#firstSegment,
        accounted,
        drops: this.#untold(),
      });
    } catch {
      // Memory is full: only the count after a kill suffers.
    }
  }

  #untold(): UntoldDrops[] {
    const closed = [...this.#closed].map(([segment, drops]) => ({
      segment,
      topics: Object.fromEntries(drops),
    }));
    return this.hasDrops ? [...closed, { topics: Object.fromEntries(this.#drops) }] : closed;
  }
}

function add(sums: Map<number, number>, counts: Counts): void {
  for (const [id, count] of counts) sums.set(id, (sums.get(id) ?? 0) + count);
}

export function ledgerTopics(
  written: Readonly<Record<string, number>>,
  drops: ReadonlyMap<string, Reasons>,
): EventPayload<'losses.recorded'>['topics'] {
  const names = [...new Set([...Object.keys(written), ...drops.keys()])].sort();
  return names.map((topic) => {
    const dropped = { ...drops.get(topic) } as Record<string, number>;
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const count = written[topic] ?? 0;
    return { topic, received: count + lost, written: count, dropped };
  });
}
