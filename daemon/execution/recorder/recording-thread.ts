import { basename } from 'node:path';
import { type Clock, type DropReason, EdgeError } from '../../../contract/core.ts';
import { type ChunkBuilder, McapWriter, type Packed } from '../../../formats/mcap/index.ts';
import { Accounts } from './accounts.ts';
import { BagFolder, topicCounts } from './bag-folder.ts';
import { BlockQueue } from './block-queue.ts';
import { type Chore, doChore } from './chores.ts';
import { ChunkLine } from './chunk-line.ts';
import { DiskSpace } from './disk-space.ts';
import { type Failure, failureOf, unsealed } from './failure.ts';
import { settleLeftovers } from './leftovers.ts';
import { Packing } from './packing.ts';
import type { FromThread, Sealed, ThreadOptions, ToThread } from './protocol.ts';
import { publishSegment } from './publish-segment.ts';
import { Repairs } from './repairs.ts';
import { Segment } from './segment.ts';
import { ThreadChannels } from './thread-channels.ts';

/** A chunk is written when it has this size, or at the sync interval. Large enough for few system calls. */
const CHUNK_BYTES = 2 * 1024 * 1024;
/** So much that is not on its way to the disk is synced before the interval: what is left for the end is short. */
const SYNC_BYTES = 64 * 1024 * 1024;
/** A full block within this time means high load, milliseconds: 40 MB/s and more. */
const BUSY_MS = 100;

type Open = { readonly segment: Segment; readonly number: number; readonly relative: string };
type DueAsk = Extract<ToThread, { t: 'seal' | 'bag' | 'sync' }>;

/**
 * The recorder thread: takes what the main thread published, writes it as chunks, syncs, rotates, seals.
 * One round at a time; each ends with a true file whatever failed in it. When it cannot write, it seals what
 * it can, counts what comes in as dropped, and tries again every `retryMs`.
 */
export class RecordingThread {
  readonly #options: ThreadOptions;
  readonly #clock: Clock;
  readonly #post: (message: FromThread) => void;
  readonly #queue = new BlockQueue();
  readonly #channels = new ThreadChannels();
  readonly #line: ChunkLine;
  readonly #space: DiskSpace;
  #folder!: BagFolder;
  /** Metadata of each segment, by name. */
  readonly #notes = new Map<string, ReadonlyMap<string, string>>();
  #accounts!: Accounts;
  #open: Open | undefined;
  #failure: Failure | undefined;
  #closing: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isAgain = false;
  #isFlushDue = false;
  #hasLeftSegment = false;
  readonly #repairs = new Repairs();
  #blockMs = Number.NEGATIVE_INFINITY;
  #asks: DueAsk[] = [];

  constructor(options: ThreadOptions, clock: Clock, post: (message: FromThread) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#post = post;
    this.#space = new DiskSpace(options.dataDir, options.freeSpaceFloorBytes, clock);
    const { compression } = options;
    const onFault = (message: string) => post({ t: 'report', level: 'error', message });
    const packing = compression === 'none' ? undefined : new Packing(compression, onFault);
    this.#line = new ChunkLine(packing, (chunk, packed) => this.#writeChunk(chunk, packed));
  }

  /** Repairs what a former life left, then starts to take samples. */
  async start(): Promise<void> {
    const { dataDir, bag, syncMs } = this.#options;
    this.#folder = await BagFolder.open(dataDir, bag);
    this.#repairs.giveUp(await settleLeftovers(this.#options, this.#post, true, this.#repairs));
    this.#folder = await BagFolder.open(dataDir, bag);
    this.#accounts = new Accounts(this.#options, this.#folder.nextNumber);
    for (const { channel } of this.#channels.values()) this.#accounts.addChannel(channel.id, channel.topic);
    this.#clock.every(syncMs, () => {
      this.#isFlushDue = !this.#isAtRest();
      if (this.#isFlushDue) this.#kick();
    });
    this.#post({ t: 'ready', segment: this.#folder.nextNumber });
  }

  receive(message: ToThread): void {
    switch (message.t) {
      case 'channel':
        this.#channels.add(message);
        this.#accounts.addChannel(message.id, message.topic);
        return;
      case 'drops':
        this.#accounts.drop(message.drops);
        return;
      case 'block':
        this.#blockMs = this.#clock.monotonicMs();
        this.#queue.push(message);
        break;
      case 'note':
        this.#notes.set(`auraison.${message.name}`, new Map(Object.entries(message.facts)));
        return;
      case 'gone':
        this.#queue.gone(message.id);
        return;
      case 'seal':
      case 'bag':
      case 'sync':
        this.#asks.push(message);
        break;
      case 'clip':
      case 'evict':
        this.#chore(message);
        return;
    }
    this.#kick();
  }

  #kick(): void {
    this.#isAgain = this.#isRunning;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
      void this.#hashWhileIdle();
    });
  }

  async #run(): Promise<void> {
    do {
      this.#isAgain = false;
      await this.#round();
      // Messages of the main thread, such as the declaration of a channel, get their turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.#isAgain);
  }

  async #round(): Promise<void> {
    const asks = this.#asks.splice(0);
    const isFlush = this.#isFlushDue || asks.length > 0;
    this.#isFlushDue = false;
    if (isFlush) await this.#checkDisk();
    if (isFlush) this.#queue.mark();
    while (this.#gather(isFlush)) {
      await this.#line.send(this.#queue.bytes > this.#options.queueBytesMax / 2);
      this.#release();
      if (!isFlush && this.#isFlushDue) break;
    }
    await this.#line.drain();
    this.#release();
    if (isFlush) this.#sync();
    if (asks.length > 0 && this.#queue.hasMarked) {
      // What the main thread published before it asked is not all taken yet: a channel is still to come.
      this.#isAgain = true;
      this.#asks.unshift(...asks);
    } else if (asks.length > 0) await this.#carryOut(asks);
  }

  async #carryOut(asks: readonly DueAsk[]): Promise<void> {
    for (const one of asks) if (one.t === 'sync') await this.#reply(one, () => this.#syncAll());
    const seals = asks.filter(({ t }) => t !== 'sync');
    if (seals.length === 0) return;
    await this.#sealOpen();
    this.#tellDrops();
    for (const ask of seals) if (ask.t === 'bag') await this.#moveTo(ask.bag);
    for (const ask of seals)
      void this.#closing.then(() => this.#reply(ask, async () => this.#requireNoneLeft()));
  }

  async #syncAll(): Promise<void> {
    this.#requireNoneLeft();
    await this.#open?.segment.syncWritten();
  }

  /** The caller takes the sealed, or synced, part for all: it is refused while a segment is left. */
  #requireNoneLeft(): void {
    if (this.#hasLeftSegment) throw unsealed(this.#folder.bag, this.#failure);
  }

  async #moveTo(bag: string): Promise<void> {
    await this.#closing;
    if (this.#hasLeftSegment) return;
    this.#folder = await BagFolder.open(this.#options.dataDir, bag);
    this.#accounts.moveTo(bag, this.#folder.nextNumber);
  }

  /** Beside the writing, behind the seals asked for before, one after the other. */
  #chore(message: Chore): void {
    const work = () => doChore(message, this.#folder, this.#options, this.#post, this.#repairs.givenUp);
    this.#closing = this.#closing.then(() => this.#reply(message, work));
  }

  async #reply({ t, ask }: Chore | DueAsk, work: () => Promise<unknown>): Promise<void> {
    try {
      this.#post({ t: 'done', ask, result: await work() });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'recorder.failed', t, this.#folder.bag).toBody();
      this.#post({ t: 'refused', ask, error });
    }
  }

  /** Fills the chunk; false when there is nothing to write now. */
  #gather(isFlush: boolean): boolean {
    const filled = this.#queue.fill(this.#line, (id) => this.#channels.has(id), CHUNK_BYTES, isFlush);
    if (filled.isBlocked) this.#isAgain = true;
    return this.#line.filling.messages > 0;
  }

  async #writeChunk(chunk: ChunkBuilder, packed: Packed | undefined): Promise<void> {
    try {
      if (this.#failure) this.#dropChunk(chunk, this.#failure.reason);
      else {
        await this.#space.require(chunk.size);
        const { segment } = await this.#ensureOpen();
        const counts = chunk.counts();
        for (const id of counts.keys()) {
          if (segment.hasChannel(id)) continue;
          const { channel, schema } = this.#channels.get(id);
          await segment.declare(channel, schema);
        }
        await segment.writeChunk(chunk, packed);
        this.#space.written(chunk.size);
        this.#post({ t: 'written', counts: [...counts], bytes: chunk.size });
        if (segment.unsyncedBytes >= SYNC_BYTES) this.#sync();
        await this.#rotate(segment);
      }
    } catch (error) {
      await this.#fail(error, chunk);
    }
  }

  #release(): void {
    this.#queue.release((id) => this.#post({ t: 'free', id }));
  }

  async #ensureOpen(): Promise<Open> {
    if (this.#open) return this.#open;
    await this.#folder.make();
    const { number, relative, absolute } = this.#folder.nextSegment();
    const now = this.#clock.monotonicMs();
    const segment = await Segment.create(absolute, this.#options.library, new McapWriter(), now);
    this.#open = { segment, number, relative };
    this.#post({ t: 'opened', path: relative });
    // While it was made, the one before may have been left.
    if (!this.#failure) this.#post({ t: 'state', state: 'recording', reason: '', bytes: segment.bytes });
    return this.#open;
  }

  async #rotate(segment: Segment): Promise<void> {
    const age = this.#clock.monotonicMs() - segment.openedMs;
    const isDue = segment.bytes >= this.#options.segmentBytesMax || age >= this.#options.segmentMs;
    if (isDue) await this.#sealOpen();
  }

  /** The sync runs beside the next writes; its failure is seen by the next flush. */
  #sync(): void {
    this.#open?.segment.sync().catch(() => {});
  }

  /** Nothing to write, sync or seal; the disk is still looked at once a second. */
  #isAtRest(): boolean {
    if (this.#failure || this.#queue.hasNews || !this.#space.isFresh) return false;
    return this.#open?.segment.isAtRest(this.#clock.monotonicMs() - this.#options.segmentMs) ?? true;
  }

  /** Before a flush: a failed sync, an old segment, too little space, or space again after a failure. */
  async #checkDisk(): Promise<void> {
    const now = this.#clock.monotonicMs();
    const fault = this.#open?.segment.syncFault;
    if (fault !== undefined) await this.#fail(fault);
    if (this.#failure) {
      if (now - this.#failure.sinceMs >= this.#options.retryMs) await this.#retry(this.#failure, now);
      return;
    }
    if (this.#open) await this.#rotate(this.#open.segment);
    try {
      await this.#space.require(0);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #retry(failure: Failure, now: number): Promise<void> {
    const shortage = await this.#space.shortage(0);
    if (shortage) {
      this.#failure = { reason: 'disk_full', message: shortage, sinceMs: now };
      return;
    }
    try {
      if (this.#hasLeftSegment) await this.#settleLeft();
    } catch (error) {
      this.#failure = { ...failure, message: (error as Error).message, sinceMs: now };
      return;
    }
    this.#failure = undefined;
    this.#post({ t: 'report', level: 'info', message: `recording again after: ${failure.message}` });
    this.#post({ t: 'state', state: 'recording', reason: '', bytes: 0 });
  }

  /** The repair takes up every unsealed file: none may be open meanwhile, nor be written to after it. */
  async #settleLeft(): Promise<void> {
    await this.#sealOpen();
    await this.#closing;
    const broken = await settleLeftovers(this.#options, this.#post, false, this.#repairs);
    this.#folder = await BagFolder.open(this.#options.dataDir, this.#folder.bag);
    const isAll = this.#repairs.isAll(broken);
    this.#hasLeftSegment = false;
    if (isAll) this.#accounts.settled(this.#folder.nextNumber);
  }

  /** `chunk`: it was to be written when it happened. */
  async #fail(error: unknown, chunk?: ChunkBuilder): Promise<void> {
    const { reason } = this.#failed(error);
    if (chunk && chunk.messages > 0) this.#dropChunk(chunk, reason);
    await this.#sealOpen();
  }

  #failed(error: unknown): Failure {
    this.#failure = failureOf(error, this.#clock.monotonicMs());
    this.#post({ t: 'state', state: 'failed', reason: this.#failure.message, bytes: 0 });
    return this.#failure;
  }

  #dropChunk(chunk: ChunkBuilder, reason: DropReason): void {
    const counts = chunk.counts();
    this.#accounts.dropQueued(reason, counts);
    this.#post({ t: 'dropped', reason, counts: [...counts], bytes: chunk.size });
    chunk.clear();
  }

  /** Ends the open segment now; hashing and naming it continue beside the next one. */
  async #sealOpen(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    const written = topicCounts(open.relative, open.segment.summary);
    const losses = this.#accounts.close(this.#folder.bag, open.relative, written);
    try {
      const told = losses.topics.map((line) => [line.topic, JSON.stringify(line)] as const);
      await open.segment.end(new Map(told), this.#notes);
    } catch (error) {
      await this.#leave(open, losses, error);
      return;
    }
    this.#post({ t: 'ended', path: open.relative });
    this.#closing = this.#closing.then(() => this.#finish(open, losses));
  }

  async #finish(open: Open, losses: ReturnType<Accounts['close']>): Promise<void> {
    const { segment, relative, number } = open;
    const onProgress = () => this.#post({ t: 'progress' });
    let sealed: Sealed;
    try {
      sealed = await publishSegment(this.#options.dataDir, relative, segment, losses, onProgress);
    } catch (error) {
      await this.#leave(open, losses, error);
      return;
    }
    this.#accounts.told(losses);
    this.#accounts.sealed(number, segment.summary.counts);
    // Before it is reported: its note stays until then, and by that a next life knows what the list may lack.
    await this.#folder.enter(basename(relative), segment.summary).catch(({ message }: Error) => {
      this.#post({ t: 'report', level: 'warn', message: `metadata.yaml lacks ${relative}: ${message}` });
    });
    this.#post({ t: 'sealed', ...sealed });
  }

  /** Drops since the last segment, where none is open that would carry them. */
  #tellDrops(): void {
    if (!this.#accounts.hasDrops) return;
    const { bag } = this.#folder;
    const losses = this.#accounts.close(bag, `bags/${bag}`, {});
    this.#post({ t: 'crashed', losses });
    this.#accounts.told(losses);
  }

  /** The segment stays under its unsealed name until there is space, or until the next start. */
  async #leave(open: Open, losses: ReturnType<Accounts['close']>, error: unknown): Promise<void> {
    this.#accounts.left(open.segment.summary.counts);
    this.#accounts.putBack(losses);
    this.#hasLeftSegment = true;
    this.#repairs.suspect(open.relative, open.segment.suspectFrom);
    await open.segment.abandon();
    const message = `segment ${open.relative} is not sealed yet: ${(error as Error).message}`;
    this.#post({ t: 'report', level: 'warn', message });
    if (!this.#failure) this.#failed(error);
  }

  /** Blocks come fast: hashing now would take the processor from writing. What is left is done at the seal. */
  #isBusy(): boolean {
    return this.#clock.monotonicMs() - this.#blockMs < BUSY_MS;
  }

  async #hashWhileIdle(): Promise<void> {
    const segment = this.#open?.segment;
    try {
      while (segment && !this.#isRunning && !this.#isBusy() && this.#open?.segment === segment) {
        if (!(await segment.hashSome())) return;
      }
    } catch {
      // The read error comes back, and is reported, when the segment is sealed.
    }
  }
}
