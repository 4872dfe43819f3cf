import type { EdgeError, Sample } from '../../contract/core.ts';
import type { BagNotes } from '../../formats/rosbag2/index.ts';
import type { AbsentFiles } from './absent-files.ts';
import type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic } from './bag.ts';

/** Several files, or several bags, as one, merged by time. Closing it closes them. */
export class JoinedBag implements Bag {
  readonly path: string;
  readonly notes: BagNotes | undefined;
  readonly absent: readonly AbsentFiles[];
  readonly #parts: readonly Bag[];
  /** Of files that are missing or cannot be opened at all. */
  readonly #faults: readonly EdgeError[];

  constructor(
    path: string,
    parts: readonly Bag[],
    more: {
      readonly notes?: BagNotes | undefined;
      readonly faults?: readonly EdgeError[];
      readonly absent?: readonly AbsentFiles[];
    } = {},
  ) {
    this.path = path;
    this.#parts = parts;
    this.notes = more.notes ?? joinedNotes(parts);
    this.#faults = more.faults ?? [];
    this.absent = more.absent ?? parts.flatMap((part) => part.absent ?? []);
  }

  get storage() {
    return this.#parts[0]!.storage;
  }

  get topics(): readonly BagTopic[] {
    const topics = new Map<string, BagTopic>();
    for (const topic of this.#parts.flatMap((part) => part.topics)) {
      const known = topics.get(topic.topic);
      topics.set(topic.topic, known ? { ...known, messages: known.messages + topic.messages } : topic);
    }
    return [...topics.values()];
  }

  get channels(): readonly BagChannel[] {
    return this.#parts.flatMap((part) => part.channels);
  }

  get startNs(): bigint {
    return (
      this.#filled()
        .map((part) => part.startNs)
        .sort(byTime)[0] ?? 0n
    );
  }

  get endNs(): bigint {
    return (
      this.#filled()
        .map((part) => part.endNs)
        .sort(byTime)
        .at(-1) ?? 0n
    );
  }

  get bytes(): number {
    return this.#parts.reduce((sum, part) => sum + part.bytes, 0);
  }

  get fault(): EdgeError | undefined {
    return this.#parts.find((part) => part.fault)?.fault ?? this.#faults[0];
  }

  get warning(): EdgeError | undefined {
    return this.#parts.find((part) => part.warning)?.warning;
  }

  records(filter: BagFilter = {}): AsyncGenerator<BagMessage> {
    return this.#merge(
      filter,
      (part) => part.records(filter),
      (message) => message.logTime,
    );
  }

  messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    return this.#merge(
      filter,
      (part) => part.messages(filter),
      (sample) => sample.received,
    );
  }

  async *extras(): AsyncGenerator<BagExtra> {
    for (const part of this.#parts) yield* part.extras();
  }

  async close(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.close()));
  }

  #filled(): readonly Bag[] {
    return this.#parts.filter((part) => part.topics.some((topic) => topic.messages > 0) || part.fault);
  }

  /** Parts are opened when their time comes; a fault of one is thrown after all that can be read of the others. */
  async *#merge<T>(
    filter: BagFilter,
    open: (part: Bag) => AsyncGenerator<T>,
    time: (item: T) => bigint,
  ): AsyncGenerator<T> {
    const { startNs, endNs } = filter;
    const waiting = this.#filled()
      .filter(
        (part) =>
          part.fault ||
          ((startNs ?? part.endNs) <= part.endNs && (endNs ?? part.startNs + 1n) > part.startNs),
      )
      .sort((a, b) => byTime(a.startNs, b.startNs));
    const running: { readonly source: AsyncGenerator<T>; next: T }[] = [];
    let fault: unknown;
    const draw = async (source: AsyncGenerator<T>): Promise<{ value: T } | undefined> => {
      try {
        const { value, done } = await source.next();
        return done ? undefined : { value };
      } catch (error) {
        fault ??= error;
        return undefined;
      }
    };
    try {
      for (;;) {
        const first = running.reduce<(typeof running)[number] | undefined>(
          (best, one) => (best && time(best.next) <= time(one.next) ? best : one),
          undefined,
        );
        if (waiting[0] && (!first || waiting[0].startNs <= time(first.next))) {
          const source = open(waiting.shift()!);
          const next = await draw(source);
          if (next) running.push({ source, next: next.value });
          continue;
        }
        if (!first) break;
        yield first.next;
        const next = await draw(first.source);
        if (next) first.next = next.value;
        else running.splice(running.indexOf(first), 1);
      }
    } finally {
      // A receiver that has seen enough ends the parts too.
      for (const { source } of running) await source.return(undefined);
    }
    for (const error of this.#faults) {
      if (filter.onDamage) filter.onDamage(error, undefined);
      else fault ??= error;
    }
    if (fault) throw fault;
  }
}

/** Of several bags that are joined: all of their topics and remarks. */
function joinedNotes(parts: readonly Bag[]): BagNotes | undefined {
  const found = parts.flatMap(({ notes }) => (notes ? [notes] : []));
  const first = found[0];
  if (!first) return undefined;
  return {
    ...first,
    customData: Object.assign({}, ...found.map(({ customData }) => customData).reverse()) as Record<
      string,
      string
    >,
    topics: found.flatMap(({ topics }) => topics),
  };
}

function byTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
