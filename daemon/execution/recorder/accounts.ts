import type { DropReason, EventPayload } from '../../../contract/index.ts';
import { writeAccount } from './intake.ts';
import type { ThreadOptions } from './protocol.ts';

type Reasons = Partial<Record<DropReason, number>>;

/**
 * The thread's book: what became of each sample since the last sealed segment, for the ledger beside the
 * data, and since the session began, for the count after a kill.
 */
export class Accounts {
  readonly #options: ThreadOptions;
  readonly #topics = new Map<number, string>();
  readonly #accounted = new Map<number, number>();
  #drops = new Map<string, Reasons>();
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
    this.#through = firstSegment - 1;
    this.#save();
  }

  addChannel(id: number, topic: string): void {
    this.#topics.set(id, topic);
  }

  /** Samples that were in the queue and will not be written. */
  dropQueued(reason: DropReason, counts: ReadonlyMap<number, number>): void {
    for (const [id, count] of counts) {
      this.drop(this.#topics.get(id) ?? '', reason, count);
      this.#accounted.set(id, (this.#accounted.get(id) ?? 0) + count);
    }
    this.#save();
  }

  /** Samples that never came into the queue. */
  drop(topic: string, reason: DropReason, count: number): void {
    const reasons = this.#drops.get(topic) ?? {};
    reasons[reason] = (reasons[reason] ?? 0) + count;
    this.#drops.set(topic, reasons);
  }

  /** The ledger of a segment that ends now: its messages, and all drops since the one before. */
  close(
    bag: string,
    segment: string,
    written: Readonly<Record<string, number>>,
  ): EventPayload<'losses.recorded'> {
    const drops = this.#drops;
    this.#drops = new Map();
    return { bag, segment, topics: ledgerTopics(written, drops) };
  }

  /** The drops of a ledger that will not be told, since its segment could not be ended: the next one tells them. */
  putBack({ topics }: EventPayload<'losses.recorded'>): void {
    for (const { topic, dropped } of topics) {
      for (const [reason, count] of Object.entries(dropped)) this.drop(topic, reason as DropReason, count);
    }
  }

  /** Whether there are drops that no ledger has told yet. */
  get hasDrops(): boolean {
    return this.#drops.size > 0;
  }

  /** The segment is on disk under its final name: its messages are accounted for without reading it. */
  sealed(segment: number, counts: ReadonlyMap<number, number>): void {
    if (!this.#isInOrder) return;
    for (const [id, count] of counts) this.#accounted.set(id, (this.#accounted.get(id) ?? 0) + count);
    this.#through = segment;
    this.#save();
  }

  /** A segment could not be finished; from here on the files are read to know what they hold. */
  left(): void {
    this.#isInOrder = false;
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
      });
    } catch {
      // Memory is full: only the count after a kill suffers.
    }
  }
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
