import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import {
  type ClipInfo,
  type DropReason,
  EdgeError,
  LIMITS,
  type NewEvent,
  type Sample,
  type SegmentInfo,
  SMALL_THREAD,
  type Timer,
  type TopicSpec,
  toMs,
} from '../../../contract/core.ts';
import { MESSAGE_HEAD_BYTES } from '../../../formats/mcap/index.ts';
import { ArrivalOrder, type ArrivedSince } from './arrival-order.ts';
import { bagName, bagOf, removeNote } from './bag-folder.ts';
import { type Block, roomFor } from './block.ts';
import { BlockPool } from './block-pool.ts';
import { type ChannelEntry, ChannelTable } from './channel-table.ts';
import type { ClipFile, ClipSource } from './clip-file.ts';
import { DropBook } from './drop-book.ts';
import { EventQueue } from './event-queue.ts';
import { forgetAccepted, IntakeCounter, intakeFolder, removeIntake } from './intake.ts';
import {
  type RecorderListener,
  type RecorderOptions,
  type RecorderStatus,
  threadOptions,
} from './options.ts';
import type { Facts, FromThread, ToThread } from './protocol.ts';
import { ThreadAsks } from './thread-asks.ts';
import { type Eviction, forgetTombstone, type Tombstone } from './tombstones.ts';

const SEGMENTS_LISTED_MAX = 1024;
const openedAt = (path: string) => ({ bag: bagOf(path), path });

/**
 * The recorder as its cell sees it: takes every sample without blocking, and counts in the ledger what becomes of
 * it. Writing happens in a worker thread, which this class starts again if it dies.
 */
export class Recorder {
  /** While it is, samples are dropped and counted as `paused`. */
  paused = false;
  readonly #options: RecorderOptions;
  #bag: string;
  #intakeDir = '';
  readonly #pool: BlockPool;
  readonly #channels: ChannelTable;
  readonly #order: ArrivalOrder;
  readonly #events: EventQueue;
  readonly #asks: ThreadAsks;
  readonly #listeners: RecorderListener[] = [];
  /** Sealed in this life and still there: what the ledger counts of them as written. */
  readonly #live = new Set<string>();
  readonly #drops: DropBook;
  #segments: SegmentInfo[] = [];
  #sealedBytes = 0;
  #worker: Worker | undefined;
  #session = '';
  #intake: IntakeCounter | undefined;
  #block: Block | undefined;
  #queuedBytes = 0;
  #state: RecorderStatus['state'] = 'off';
  #reason = 'not started';
  #retry: Timer | undefined;
  #ticks: Timer | undefined;
  #onReady: (() => void) | undefined;
  #onDeath: ((error: Error) => void) | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#bag = options.bag || bagName(toMs(options.clock.now()));
    this.#pool = new BlockPool(options.queueBytesMax ?? LIMITS.RECORDER_QUEUE_BYTES_MAX, (id) =>
      this.#post({ t: 'gone', id }),
    );
    this.#asks = new ThreadAsks(options.clock);
    this.#channels = new ChannelTable(options);
    this.#order = new ArrivalOrder(options.clock, () => this.#channels.all());
    this.#events = new EventQueue(options.emit, options.report);
    this.#drops = new DropBook(options.ledger, (drops) => this.#post({ t: 'drops', drops }));
  }

  /** Resolves when leftovers are repaired and samples can be taken. Rejects `recorder.failed`. */
  async start(): Promise<void> {
    await this.#startThread();
    this.#ticks = this.#options.clock.every(1_000, () => {
      this.#drops.tell();
      this.#pool.trim();
    });
  }

  /** How topics are offered, for the metadata of their channels. Best before their first sample. */
  declare(topics: readonly TopicSpec[]): void {
    this.#channels.offered(topics);
  }

  /** Takes a sample, or drops and counts it. Never blocks, never throws, keeps no reference to the bytes. */
  offer(sample: Sample): void {
    this.#options.ledger.received(sample.topic);
    this.#order.take(sample.received);
    const reason = this.#take(sample);
    if (reason) this.#drops.drop(sample.topic, reason);
  }

  /** Counts samples that never came as far as `offer`: received only in the ledger, and dropped. */
  missed(topic: string, reason: DropReason, count: number): void {
    this.#options.ledger.received(topic, count);
    this.#drops.drop(topic, reason, count);
  }

  /** Metadata of each segment sealed from now on. */
  readonly note = (name: string, facts: Facts): void => void this.#post({ t: 'note', name, facts });

  /** Why the sample is not taken; undefined when it is. */
  #take(sample: Sample): DropReason | undefined {
    if (this.paused) return 'paused';
    if (!this.#intake) return this.#state === 'failed' ? 'write_failed' : 'shutdown';
    if (sample.bytes.length > LIMITS.SAMPLE_BYTES_MAX) return 'too_large';
    const channel = this.#channels.find(sample) ?? this.#addChannel(sample);
    if (typeof channel === 'string') return channel;
    if (!this.#append(sample, channel)) return 'queue_full';
    channel.sequence += 1;
    this.#queuedBytes += MESSAGE_HEAD_BYTES + sample.bytes.length;
    this.#intake.accept(channel.id);
    return undefined;
  }

  /** Bytes taken and not yet in a file: a simulation holds back while this is high. */
  backlogBytes(): number {
    return this.#queuedBytes;
  }

  status(): RecorderStatus {
    return {
      state: this.#state,
      reason: this.#reason,
      bag: this.#bag,
      segments: this.#segments,
      bytes: this.#sealedBytes,
      backlogBytes: this.#queuedBytes,
    };
  }

  /**
   * Seals what was offered so far; resolves when the segment has its final name and its events are durable. Rejects
   * `recorder.failed` while a segment is left that could not be sealed.
   */
  async sealNow(): Promise<void> {
    if (!this.#worker) return;
    this.#drops.tell();
    await this.#asks.ask('seal', this.#bag, (ask) => this.#post({ t: 'seal', ask }));
    await this.#events.idle();
  }

  /** Resolves when what was offered so far, and not dropped, is durable. Rejects as `sealNow`, and without a thread. */
  async syncNow(): Promise<void> {
    if (!this.#worker) this.#requireThread('sync');
    await this.#asks.ask('sync', this.#bag, (ask) => this.#post({ t: 'sync', ask }));
  }

  /** As `ArrivalOrder`. */
  get newestNs(): bigint {
    return this.#order.newestNs;
  }

  get arrivedSince(): ArrivedSince | undefined {
    return this.#order.since;
  }

  /** Name of the recording. */
  get bag(): string {
    return this.#bag;
  }

  /** As `sealNow`; what is offered after it resolved goes into this bag. Pause meanwhile. */
  async useBag(bag: string): Promise<void> {
    this.#requireThread('use-bag');
    this.#drops.tell();
    await this.#asks.ask('use-bag', bag, (ask) => this.#post({ t: 'bag', ask, bag }));
    this.#bag = bag;
  }

  /** Cuts a clip out of the sealed segments of the bag and of `source`, of what came `since`: whole when it resolves. */
  cutClip(info: ClipInfo, { source = this.#bag, since, left }: ClipSource): Promise<ClipFile> {
    this.#requireThread('cut-clip');
    const post = (ask: number) => this.#post({ t: 'clip', ask, info, source, since, left });
    return this.#asks.ask('cut-clip', info.bag, post);
  }

  /** Deletes sealed segments and writes that to the log. */
  async evict(eviction: Eviction): Promise<void> {
    this.#requireThread('evict');
    await this.#asks.ask('evict', this.#bag, (ask) => this.#post({ t: 'evict', ask, ...eviction }));
  }

  /** Appends events behind those of the recorder; resolves when they are durable, rejects when they are refused. */
  tell(events: readonly NewEvent[]): Promise<void> {
    return this.#events.sure(events);
  }

  listen(listener: RecorderListener): void {
    this.#listeners.push(listener);
  }

  #requireThread(operation: string): void {
    if (this.#worker && this.#state !== 'failed') return;
    const message = `the recorder is ${this.#state}: ${this.#reason}`;
    throw new EdgeError('recorder.failed', { operation, subject: this.#bag, message });
  }

  /** Takes nothing more, seals, ends the thread. May be called twice, also without a start. */
  async stop(): Promise<void> {
    this.#ticks?.cancel();
    this.#retry?.cancel();
    const worker = this.#worker;
    const intake = this.#intake;
    this.#intake = undefined;
    if (worker) {
      try {
        await this.sealNow();
        // A clip or an eviction that was asked for behind the seal is not interrupted.
        await this.#asks.idle();
        // A segment left unsealed is repaired at the next start, which then knows what to expect.
        if (this.#state !== 'failed') removeIntake(this.#intakeDir, this.#session, true);
      } catch (error) {
        this.#options.report('error', 'the recorder did not seal all segments; the next start seals them', {
          error: String(error),
        });
      }
      this.#worker = undefined;
      await worker.terminate();
    }
    intake?.close();
    this.#state = 'off';
    this.#reason = 'stopped';
    await this.#events.idle();
  }

  async #startThread(): Promise<void> {
    this.#intakeDir = this.#options.intakeDir ?? intakeFolder(this.#options.dataDir);
    this.#session = `${toMs(this.#options.clock.now())}-${randomBytes(6).toString('hex')}`;
    const life = { bag: this.#bag, session: this.#session, intakeDir: this.#intakeDir };
    const workerData = threadOptions(this.#options, life);
    const entry = this.#options.threadEntry ?? new URL('./recorder-main.ts', import.meta.url);
    const worker = new Worker(entry, { ...SMALL_THREAD, workerData, name: 'recorder' });
    this.#worker = worker;
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => this.#died(worker, error as Error));
    worker.on('exit', (code) => this.#died(worker, new Error(`the recorder thread ended with code ${code}`)));
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve;
      this.#onDeath = reject;
    });
    await this.#asks.ready(worker, ready);
    this.#intake = new IntakeCounter(this.#intakeDir, this.#session);
    for (const channel of this.#channels.all()) this.#announce(channel);
  }

  /** False where there is no thread. */
  #post(message: ToThread): boolean {
    this.#worker?.postMessage(message);
    return this.#worker !== undefined;
  }

  #addChannel(sample: Sample): ChannelEntry | DropReason {
    const channel = this.#channels.add(sample);
    if (typeof channel !== 'string') this.#announce(channel);
    return channel;
  }

  #announce(channel: ChannelEntry): void {
    this.#post({ t: 'channel', ...this.#channels.declarationOf(channel) });
    this.#intake?.addChannel(channel.id, channel.topic);
  }

  #append(sample: Sample, channel: ChannelEntry): boolean {
    if (this.#block?.append(sample, channel.id, channel.sequence)) return true;
    const next = this.#pool.lend(roomFor(sample.bytes.length));
    if (!next) return false;
    this.#block?.close();
    this.#block = next;
    next.append(sample, channel.id, channel.sequence);
    this.#post({ t: 'block', id: next.id, memory: next.memory });
    return true;
  }

  #receive(message: FromThread): void {
    const { ledger, report } = this.#options;
    switch (message.t) {
      case 'ready':
        this.#state = 'recording';
        this.#reason = '';
        this.#order.begins(this.#bag, message.segment);
        this.#onReady?.();
        return;
      case 'written':
        this.#queuedBytes -= message.bytes;
        this.#asks.progress();
        for (const [id, count] of message.counts) ledger.written(this.#channels.topicOf(id), count);
        return;
      case 'dropped':
        this.#queuedBytes -= message.bytes;
        for (const [id, count] of message.counts)
          ledger.dropped(this.#channels.topicOf(id), message.reason, count);
        return;
      case 'free':
        this.#pool.giveBack(message.id);
        return;
      case 'opened':
        this.#events.add([{ kind: 'segment.opened', payload: openedAt(message.path) }]);
        return;
      case 'ended':
        this.#options.onEnded?.(message.path);
        return;
      case 'sealed':
        this.#sealed(message);
        return;
      case 'crashed':
        this.#drops.crashed(message.losses);
        this.#events.add([{ kind: 'losses.recorded', payload: message.losses }]);
        return;
      case 'state':
        this.#state = message.state;
        this.#reason = message.reason;
        if (message.state === 'failed') this.#failed(`recording failed: ${message.reason}`);
        return;
      case 'report':
        report(message.level, message.message);
        return;
      case 'evicted':
        this.#evicted(message.tombstone);
        return;
      case 'progress':
        this.#asks.progress();
        return;
      case 'done':
        this.#asks.answer(message.ask, message.result);
        return;
      case 'refused':
        this.#asks.refuse(message.ask, message.error);
        return;
    }
  }

  #sealed({ segment, losses }: Extract<FromThread, { t: 'sealed' }>): void {
    const { bag, path, sha256, bytes, messages, repaired } = segment;
    const listed = { bag, path, sha256, bytes, messages, repaired };
    this.#segments = [...this.#segments, listed].slice(-SEGMENTS_LISTED_MAX);
    this.#sealedBytes += bytes;
    if (losses && repaired) this.#drops.crashed(losses);
    if (!repaired) this.#live.add(path);
    for (const listener of this.#listeners) listener.onSealed?.(segment);
    const events: NewEvent[] = [{ kind: 'segment.sealed', payload: segment }];
    if (losses) events.push({ kind: 'losses.recorded', payload: losses });
    this.#events.add(events, () => removeNote(this.#options.dataDir, path));
  }

  /** What the ledger counted as written no longer exists; segments of former lives were not counted. */
  #evicted(tombstone: Tombstone): void {
    const { path, topics, reason } = tombstone;
    const why = reason === 'discarded' ? 'discarded' : 'evicted';
    if (this.#live.delete(path)) {
      for (const [topic, count] of Object.entries(topics)) this.#options.ledger.unwritten(topic, why, count);
    }
    for (const listener of this.#listeners) listener.onEvicted?.(tombstone);
    this.#events.add([{ kind: 'segment.evicted', payload: tombstone }], () =>
      forgetTombstone(this.#options.dataDir, path),
    );
  }

  #failed(message: string, facts: Record<string, unknown> = {}): void {
    this.#options.report('error', message, facts);
    for (const listener of this.#listeners) listener.onFailed?.();
  }

  /** The thread is gone: what it held is lost and counted; a new one repairs the file and continues. */
  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#intake?.close();
    this.#intake = undefined;
    this.#block = undefined;
    this.#pool.clear();
    this.#queuedBytes = 0;
    this.#state = 'failed';
    this.#reason = error.message;
    this.#failed('the recorder thread ended unexpectedly', { error: error.stack ?? error.message });
    this.#drops.dropInFlight();
    forgetAccepted(this.#intakeDir, this.#session);
    const failed = EdgeError.from(error, 'recorder.failed', 'run', 'recorder thread');
    this.#asks.refuseAll(failed);
    this.#onDeath?.(failed);
    this.#retry = this.#options.clock.after(this.#options.retryMs ?? 1_000, () => {
      // A start that fails ends in another death, which tries again.
      void this.#startThread().catch(() => {});
    });
  }
}
