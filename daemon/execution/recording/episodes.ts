import { mkdir, readdir, readFile, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  EdgeError,
  type EpisodeDiscard,
  type EpisodeInfo,
  type EpisodeOrder,
  type EventPayload,
  type IdSource,
  type NewEvent,
  toMs,
} from '../../../contract/core.ts';
import { bagName, type Recorder, replaceFile, syncFolder } from '../recorder/index.ts';

export type EpisodesOptions = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly dataDir: string;
  readonly recorder: Pick<Recorder, 'paused' | 'useBag' | 'sealNow' | 'status' | 'listen' | 'evict' | 'tell'>;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

type Segment = EventPayload<'segment.sealed'>;
/** `untold`: the events that say so are not known to be in the log. */
type EpisodeFile = { readonly info: EpisodeInfo; readonly untold: readonly ('ended' | 'relabelled')[] };
type Marks = {
  readonly whole: EpisodeFile | undefined;
  readonly open: EpisodeInfo | undefined;
  readonly gone: Gone | undefined;
};
type Gone = { readonly episode_id: string; readonly reason: string };

/** Written last, atomically: where it is, the episode is whole. */
const WHOLE = 'episode.json';
/** Where it is alone, the episode was being recorded. */
const OPEN = 'episode.open.json';
/** Where it exists, the episode is gone, and its files go. */
const GONE = 'episode.discarded.json';

/**
 * Episodes: one bounded attempt each, a bag of its own. An episode is there with its label and all of its
 * segments, or not at all, whenever it is looked at and whenever the process or the power is cut: one durable
 * rename decides. One order at a time; what a cut left half is finished at the next start.
 */
export class Episodes {
  readonly #options: EpisodesOptions;
  readonly #whole = new Map<string, EpisodeInfo>();
  #running: EpisodeInfo | undefined;
  /** Since the last start: what came meanwhile is dropped. */
  #hasFailed = false;
  #segments: Segment[] = [];
  /** What the running one is, whose recording ended well, and whose mark could not be written yet. */
  #ended: EpisodeInfo | undefined;
  /** The mark that the running one is discarded may lie on the disk, and could not be taken away: it is never whole. */
  #isDoomed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EpisodesOptions) {
    this.#options = options;
    options.recorder.paused = true;
    options.recorder.listen({
      onSealed: (segment) => {
        if (segment.bag === this.#running?.bag) this.#segments.push(segment);
      },
      onFailed: () => {
        this.#hasFailed = true;
      },
    });
  }

  /** To be called when the recorder has started, before any order. */
  async begin(): Promise<void> {
    const root = join(this.#options.dataDir, 'bags');
    for (const bag of (await readdir(root).catch(() => [] as string[])).sort()) {
      const marks = await this.#marksOf(bag);
      if (marks.gone) await this.#finishDiscard(bag, marks.gone);
      else if (marks.whole) await this.#settleWhole(marks.whole);
      else if (marks.open) await this.#settleInterrupted(marks.open);
    }
  }

  list(): EpisodeInfo[] {
    // By time, and those of one moment by name: ids of the same millisecond have no order.
    const key = ({ start_ns, bag }: EpisodeInfo) => `${start_ns.padStart(20, '0')} ${bag}`;
    const whole = [...this.#whole.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return this.#running ? [...whole, this.#running] : whole;
  }

  isEpisode(bag: string): boolean {
    return this.#running?.bag === bag || [...this.#whole.values()].some((one) => one.bag === bag);
  }

  /** Rejects `lease.held` while another is recorded. */
  start(order: EpisodeOrder): Promise<EpisodeInfo> {
    return this.#inTurn(async () => {
      if (this.#running)
        throw refused('start', 'another episode is being recorded', this.#running.episode_id);
      const { clock, ids, recorder } = this.#options;
      const id = ids.next<string>();
      const bag = `episode-${bagName(toMs(clock.now()))}-${id.slice(-6)}`;
      const info: EpisodeInfo = { ...EMPTY, episode_id: id, bag, ...labelOf(order) };
      await mkdir(this.#folder(bag), { recursive: true });
      await syncFolder(join(this.#options.dataDir, 'bags'));
      await this.#write(bag, OPEN, info);
      this.#hasFailed = false;
      await recorder.useBag(bag);
      await recorder.tell([{ kind: 'episode.started', payload: { episode_id: id, bag, label: info.label } }]);
      this.#segments = [];
      this.#ended = undefined;
      this.#isDoomed = false;
      this.#running = info;
      recorder.paused = false;
      return info;
    });
  }

  /**
   * Resolves when the episode is whole and durable. When its recording failed there is no episode: `recorder.failed`.
   */
  stop(order: EpisodeOrder): Promise<EpisodeInfo> {
    return this.#inTurn(async () => {
      const running = this.#requireSound('stop', order.episode_id);
      if (!this.#ended) await this.#endRecording(running);
      const info: EpisodeInfo = {
        ...running,
        ...labelOf(order, this.#ended ?? running),
        ...sumOf(this.#segments),
        state: 'whole',
      };
      this.#ended = info;
      const file = await this.#commit(info, ['ended']);
      // Not before: where it could not be written the order can be given again.
      this.#running = undefined;
      await this.#settleWhole(file);
      return info;
    });
  }

  /** Rejects where the recording failed: then there is no episode. */
  async #endRecording(running: EpisodeInfo): Promise<void> {
    const { recorder } = this.#options;
    recorder.paused = true;
    await recorder.sealNow().catch((error: unknown) => {
      if (!this.#hasFailed) throw error;
    });
    const isDamaged = this.#hasFailed || this.#segments.some(({ repaired }) => repaired);
    if (!isDamaged && recorder.status().state === 'recording') return;
    await this.#settleInterrupted(running, 'the recorder failed while it was recorded');
    this.#running = undefined;
    throw refused(
      'stop',
      'the recorder failed during the episode, so the episode is discarded',
      running.episode_id,
    );
  }

  /** Of the one being recorded, or of a whole one: its files go, the ledger counts them as discarded. */
  discard({ episode_id: id, reason }: EpisodeDiscard): Promise<void> {
    return this.#inTurn(async () => {
      const whole = id === undefined ? undefined : this.#whole.get(id);
      const info = whole ?? this.#requireRunning('discard', id);
      const gone: Gone = { episode_id: info.episode_id, reason: reason.slice(0, 512) };
      if (whole) await this.#markGone(info.bag, gone);
      else await this.#endRunning(info, gone);
      this.#whole.delete(info.episode_id);
      await this.#finishDiscard(info.bag, gone);
    });
  }

  /** Where that fails it continues, and can be discarded later; also where it can no longer continue. */
  async #endRunning({ bag }: EpisodeInfo, gone: Gone): Promise<void> {
    const { recorder } = this.#options;
    recorder.paused = true;
    try {
      await recorder.sealNow();
      await this.#markGone(bag, gone, () => {
        this.#isDoomed = true;
      });
      this.#running = undefined;
    } catch (error) {
      recorder.paused = this.#ended !== undefined || this.#isDoomed;
      throw error;
    }
  }

  /** Where that fails there is no mark, or, where not even that is sure, `onUnsure` is called. */
  async #markGone(bag: string, gone: Gone, onUnsure: () => void = () => {}): Promise<void> {
    try {
      await this.#write(bag, GONE, gone);
    } catch (error) {
      // It may have its name already: the next start would believe it.
      await rm(join(this.#folder(bag), GONE), { force: true })
        .then(() => syncFolder(this.#folder(bag)))
        .catch(onUnsure);
      throw error;
    }
  }

  relabel(order: EpisodeOrder): Promise<EpisodeInfo> {
    return this.#inTurn(async () => {
      const known = order.episode_id === undefined ? undefined : this.#whole.get(order.episode_id);
      if (known) {
        const info = { ...known, ...labelOf(order, known) };
        await this.#settleWhole(await this.#commit(info, ['relabelled']));
        return info;
      }
      const running = this.#requireSound('relabel', order.episode_id);
      const label = labelOf(order, this.#ended ?? running);
      this.#running = { ...running, ...label };
      if (this.#ended) this.#ended = { ...this.#ended, ...label };
      await this.#write(running.bag, OPEN, this.#running);
      return this.#running;
    });
  }

  /** Gives the bag of a whole episode away, for a quota. */
  async discardBag(bag: string, reason: string): Promise<void> {
    const episode = [...this.#whole.values()].find((one) => one.bag === bag);
    if (episode) await this.discard({ episode_id: episode.episode_id, reason });
  }

  /** What is recorded now is no episode: it was not ended. */
  async end(): Promise<void> {
    await this.#last.catch(() => {});
    const running = this.#running;
    if (!running) return;
    this.#options.recorder.paused = true;
    this.#running = undefined;
    // The next start finds what the disk has of it.
    if (this.#isDoomed) return;
    if (this.#ended) await this.#settleWhole(await this.#commit(this.#ended, ['ended']));
    else await this.#settleInterrupted(running, 'the daemon was stopped while it was recorded');
  }

  async #commit(info: EpisodeInfo, untold: EpisodeFile['untold']): Promise<EpisodeFile> {
    const file: EpisodeFile = { info, untold };
    await this.#write(info.bag, WHOLE, file);
    return file;
  }

  async #settleWhole({ info, untold }: EpisodeFile): Promise<void> {
    this.#whole.set(info.episode_id, info);
    if (untold.length > 0) {
      await this.#options.recorder.tell(untold.map((what) => eventOf(info, what)));
      await this.#commit(info, []);
    }
    await unlink(join(this.#folder(info.bag), OPEN)).catch(() => {});
  }

  /** The messages stay as a recording; there is no episode of it. */
  async #settleInterrupted(
    info: EpisodeInfo,
    reason = 'the daemon ended unexpectedly while it was recorded',
  ): Promise<void> {
    const { episode_id, bag } = info;
    await this.#options.recorder.tell([{ kind: 'episode.discarded', payload: { episode_id, bag, reason } }]);
    await unlink(join(this.#folder(bag), OPEN)).catch(() => {});
    // Where nothing was recorded nothing stays.
    await rmdir(this.#folder(bag)).catch(() => {});
  }

  async #finishDiscard(bag: string, { episode_id, reason }: Gone): Promise<void> {
    const { recorder } = this.#options;
    await recorder.tell([{ kind: 'episode.discarded', payload: { episode_id, bag, reason } }]);
    const names = await readdir(this.#folder(bag)).catch(() => [] as string[]);
    for (const mark of [WHOLE, OPEN]) await unlink(join(this.#folder(bag), mark)).catch(() => {});
    const paths = names.filter((name) => name.endsWith('.mcap')).map((name) => `bags/${bag}/${name}`);
    if (recorder.status().bag === bag) await recorder.useBag('idle');
    await recorder.evict({ paths, reason: 'discarded', isKept: false });
    await rm(this.#folder(bag), { recursive: true, force: true });
  }

  async #marksOf(bag: string): Promise<Marks> {
    const read = async <T>(name: string): Promise<T | undefined> => {
      try {
        return JSON.parse(await readFile(join(this.#folder(bag), name), 'utf8')) as T;
      } catch {
        return undefined;
      }
    };
    return {
      whole: await read<EpisodeFile>(WHOLE),
      open: await read<EpisodeInfo>(OPEN),
      gone: await read<Gone>(GONE),
    };
  }

  #write(bag: string, name: string, content: unknown): Promise<void> {
    return replaceFile(join(this.#folder(bag), name), JSON.stringify(content));
  }

  #folder(bag: string): string {
    return join(this.#options.dataDir, 'bags', bag);
  }

  #requireRunning(what: string, id: string | undefined): EpisodeInfo {
    if (this.#running && (id === undefined || id === this.#running.episode_id)) return this.#running;
    throw refused(
      what,
      id === undefined ? 'no episode is being recorded' : 'there is no such episode',
      id ?? '',
    );
  }

  #requireSound(what: string, id: string | undefined): EpisodeInfo {
    const running = this.#requireRunning(what, id);
    if (!this.#isDoomed) return running;
    throw refused(what, 'it is being discarded; discard it again', running.episode_id);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }
}

const EMPTY = {
  state: 'recording',
  start_ns: '0',
  end_ns: '0',
  messages: 0,
  bytes: 0,
  segments: [],
} as const;

function labelOf(order: EpisodeOrder, known?: EpisodeInfo): Pick<EpisodeInfo, 'label' | 'success'> {
  const success = order.success ?? known?.success;
  return { label: order.label ?? known?.label ?? '', ...(success === undefined ? {} : { success }) };
}

function sumOf(
  segments: readonly Segment[],
): Pick<EpisodeInfo, 'start_ns' | 'end_ns' | 'messages' | 'bytes' | 'segments'> {
  const filled = segments.filter(({ messages }) => messages > 0);
  const by = (a: bigint, b: bigint) => (a < b ? -1 : 1);
  return {
    start_ns:
      filled
        .map(({ start_ns }) => BigInt(start_ns))
        .sort(by)[0]
        ?.toString() ?? '0',
    end_ns:
      filled
        .map(({ end_ns }) => BigInt(end_ns))
        .sort(by)
        .at(-1)
        ?.toString() ?? '0',
    messages: segments.reduce((sum, { messages }) => sum + messages, 0),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    segments: segments.map(({ path, sha256 }) => ({ path, sha256 })),
  };
}

function eventOf(info: EpisodeInfo, what: 'ended' | 'relabelled'): NewEvent {
  const { episode_id, bag, label, success, start_ns, end_ns, messages, bytes, segments } = info;
  const named = { episode_id, bag, label, ...(success === undefined ? {} : { success }) };
  if (what === 'relabelled') return { kind: 'episode.relabelled', payload: named };
  return {
    kind: 'episode.ended',
    payload: { ...named, start_ns, end_ns, messages, bytes, segments: segments.length },
  };
}

function refused(what: string, message: string, subject: string): EdgeError {
  return new EdgeError('recorder.failed', {
    operation: `${what} episode`,
    subject,
    message,
    retryable: false,
  });
}
