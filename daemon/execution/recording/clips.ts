import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ClipInfo,
  type ClipRequest,
  type Clock,
  EdgeError,
  type EventPayload,
  type IdSource,
  LIMITS,
  pause,
  toMs,
} from '../../../contract/core.ts';
import {
  bagName,
  type ClipFile,
  type ClipSource,
  type Recorder,
  readClips,
  replaceFile,
  syncFolder,
} from '../recorder/index.ts';

export type ClipsOptions = {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly dataDir: string;
  readonly recorder: Pick<
    Recorder,
    'bag' | 'newestNs' | 'arrivedSince' | 'syncNow' | 'sealNow' | 'cutClip' | 'tell' | 'listen'
  >;
  /** Where a request says nothing, milliseconds. */
  readonly preMs: number;
  readonly postMs: number;
  /** A clip has come: a segment that no recorder sealed. */
  readonly onCut: (segment: EventPayload<'segment.sealed'>) => void;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

/** As it lies on the disk. `source`: the bag that was recorded when it was ordered; the next life has another. */
type Order = ClipInfo & Pick<ClipSource, 'source' | 'since'>;

/** How long a clip waits for samples of its end beyond the time itself: a source may have stopped sending. */
const PATIENCE_MS = 2_000;
const LOOK_MS = 20;
/**
 * A clip that fails is tried again this often, and the ring keeps its samples meanwhile. Not for ever: a ring that
 * may not turn fills the disk.
 */
const TRIES_MAX = 20;
const TRY_AGAIN_MS = 3_000;

/** `source`: the bag that was recorded when it was ordered. `sure`: its order, and what came before it, are durable. */
type Pending = {
  readonly info: ClipInfo;
  readonly source: string | undefined;
  readonly sure: Promise<void>;
  readonly whole: Promise<ClipInfo>;
  readonly isFirst: boolean;
};
/** One try, the first is 1. */
type Attempt = (tries: number) => Promise<ClipInfo>;
/** Clips that are being made or tried again. */
const PENDING_MAX = 256;

/**
 * Clips: the time around a trigger, cut out of what is recorded into a bag of its own. A request is
 * acknowledged when its order is durable and what was recorded up to its trigger; from then on it comes, also
 * when the power fails before its end: the order is carried out at the next start with what the disk then holds.
 */
export class Clips {
  readonly #options: ClipsOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #stopping = new AbortController();
  /** How often the recorder failed: then a segment may have been left that a clip needs. */
  #failures = 0;

  constructor(options: ClipsOptions) {
    this.#options = options;
    options.recorder.listen({
      onFailed: () => {
        this.#failures += 1;
      },
    });
  }

  /** Carries out the orders that a former life left. To be called when the recorder has started. */
  async start(): Promise<void> {
    const folder = this.#folder();
    const names = await readdir(folder).catch(() => [] as string[]);
    for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
      try {
        const { source, since, ...info } = JSON.parse(await readFile(join(folder, name), 'utf8')) as Order;
        const cut = (tries: number) => this.#cut(info, { source, since, left: leftAt(tries) });
        await this.#begin(info, source, Promise.resolve(), cut).catch(() => {});
      } catch (error) {
        this.#options.report('warn', 'the stored request for a clip cannot be read', {
          name,
          error: String(error),
        });
      }
    }
  }

  /** No clip that is waiting for its end is waited for: the next start makes it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([...this.#pending.values()].map(({ whole }) => whole));
  }

  /** The earliest time that a clip still needs of a bag; undefined when none is waiting. */
  neededFromNs(bag: string): bigint | undefined {
    const isWaiting = ({ source }: Pending) => bag === source || bag === this.#options.recorder.bag;
    const times = [...this.#pending.values()].filter(isWaiting).map(({ info }) => BigInt(info.from_ns));
    return times.reduce<bigint | undefined>(
      (least, ns) => (least === undefined || ns < least ? ns : least),
      undefined,
    );
  }

  /** Newest last; those that are still recorded at the end. */
  async list(): Promise<ClipInfo[]> {
    // Looked at first: what becomes whole meanwhile is not missed.
    const waiting = [...this.#pending.values()].map(({ info }) => info);
    const whole = (await readClips(this.#options.dataDir)).map(viewOf);
    whole.sort((a, b) => (a.clip_id < b.clip_id ? -1 : 1));
    const isWhole = new Set(whole.map(({ clip_id }) => clip_id));
    return [...whole, ...waiting.filter(({ clip_id }) => !isWhole.has(clip_id))];
  }

  /**
   * Rejects `schema.invalid`, `cell.overloaded`, or `recorder.failed` where nothing is recorded, or it cannot be made
   * durable: then it does not come. `isSpent`: no further call will come, and it is made as well as it can be.
   */
  async record(request: ClipRequest, isSpent = false): Promise<ClipInfo> {
    const known = this.#pendingOf(request) ?? (await this.#onDisk(request)) ?? this.#pendingOf(request);
    if (known) return await known;
    const info = this.#plan(request);
    const where: ClipSource = {
      source: this.#options.recorder.bag,
      since: this.#options.recorder.arrivedSince,
    };
    const carryOut = this.#carrier(info, where);
    const sure = this.#makeSure(info, where, isSpent);
    // Reserved at once: the ring must not overwrite what this needs while it becomes durable.
    const whole = this.#begin(info, where.source, sure, async (tries) => {
      const isOrdered = await sure.then(
        () => true,
        () => false,
      );
      return isOrdered ? await carryOut(tries) : info;
    });
    await sure;
    return request.wait === true ? await whole : info;
  }

  /** The order first: what came before may take long, and without an order a power cut leaves nothing of it. */
  async #makeSure(info: ClipInfo, where: ClipSource, isSpent: boolean): Promise<void> {
    const { recorder, report } = this.#options;
    const order = () => this.#order(info, where);
    for (const step of [order, () => recorder.syncNow(), () => this.#tellRequested(info)]) {
      try {
        await step();
      } catch (error) {
        if (!isSpent) {
          await unlink(this.#orderOf(info)).catch(() => {});
          throw error;
        }
        this.#failures += 1;
        report('warn', `clip ${info.bag} may be lost: storing it failed`, { error: String(error) });
      }
    }
  }

  /** What comes of the first try. Pending until it is made, or until it is left to the next start. */
  #begin(
    info: ClipInfo,
    source: string | undefined,
    sure: Promise<void>,
    attempt: Attempt,
  ): Promise<ClipInfo> {
    const first: Pending = { info, source, sure, whole: attempt(1), isFirst: true };
    this.#pending.set(info.clip_id, first);
    void this.#seeThrough(first, attempt);
    return first.whole;
  }

  async #seeThrough(first: Pending, attempt: Attempt): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    const { info } = first;
    let pending = first;
    for (let tries = 1; !(await this.#isOver(info, pending.whole, tries)); tries++) {
      pending = { ...pending, isFirst: false };
      this.#pending.set(info.clip_id, pending);
      await pause(clock, TRY_AGAIN_MS, signal);
      if (signal.aborted) break;
      pending = { ...pending, whole: attempt(tries + 1) };
      this.#pending.set(info.clip_id, pending);
    }
    this.#pending.delete(info.clip_id);
  }

  /** Whether there is nothing more to try in this life. The order goes where no later one can do better. */
  async #isOver(info: ClipInfo, whole: Promise<ClipInfo>, tries: number): Promise<boolean> {
    try {
      await whole;
      return true;
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'recorder.failed', 'record clip', info.bag);
      const isEmpty = error.code === 'recorder.failed' && !error.retryable;
      if (isEmpty) await unlink(this.#orderOf(info)).catch(() => {});
      const isOver = isEmpty || tries === TRIES_MAX;
      const what = isEmpty ? 'there is no clip' : 'is not made yet';
      if (isOver || tries === 1)
        this.#options.report('warn', `clip ${info.bag}: ${what}`, { error: error.message, tries });
      return isOver;
    }
  }

  /** The clip of a request that came before under the same id, of this life or a former. */
  #pendingOf({ clipId, wait }: ClipRequest): Promise<ClipInfo> | undefined {
    const pending = clipId === undefined ? undefined : this.#pending.get(clipId);
    return pending?.sure.then(() => (wait === true ? pending.whole : pending.info));
  }

  async #onDisk({ clipId }: ClipRequest): Promise<ClipInfo | undefined> {
    if (clipId === undefined) return undefined;
    const file = (await readClips(this.#options.dataDir)).find(({ info }) => info.clip_id === clipId);
    return file && viewOf(file);
  }

  #plan(request: ClipRequest): ClipInfo {
    const { clock, ids, recorder } = this.#options;
    const { trigger, reason, preMs = this.#options.preMs, postMs = this.#options.postMs } = request;
    const fault = (code: 'schema.invalid' | 'cell.overloaded' | 'recorder.failed', message: string) =>
      new EdgeError(code, { operation: 'record clip', subject: trigger, message });
    for (const span of [preMs, postMs]) {
      if (!(span >= 0 && span <= LIMITS.CLIP_SPAN_MS_MAX))
        throw fault('schema.invalid', `expected a span of 0 to ${LIMITS.CLIP_SPAN_MS_MAX} ms, found ${span}`);
    }
    // Those that failed wait for their next try, and do not keep others from their first.
    const first = [...this.#pending.values()].filter(({ isFirst }) => isFirst).length;
    if (first >= LIMITS.CLIPS_PENDING_MAX || this.#pending.size >= PENDING_MAX)
      throw fault('cell.overloaded', `${this.#pending.size} clips are being recorded`);
    const now = recorder.newestNs;
    if (now === 0n) throw fault('recorder.failed', 'nothing has been recorded yet');
    const id = request.clipId ?? ids.next<string>();
    const name = (request.name ?? trigger).replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
    return {
      clip_id: id,
      bag: `clip-${bagName(toMs(clock.now()))}-${name}-${id.slice(-6)}`,
      state: 'recording',
      trigger,
      reason: reason.slice(0, 512),
      trigger_ns: now.toString(),
      from_ns: (now - BigInt(Math.round(preMs * 1e6))).toString(),
      to_ns: (now + BigInt(Math.round(postMs * 1e6))).toString(),
      messages: 0,
      bytes: 0,
    };
  }

  async #order(info: ClipInfo, where: ClipSource): Promise<void> {
    const { dataDir } = this.#options;
    await mkdir(this.#folder(), { recursive: true });
    await syncFolder(join(dataDir, 'bags'));
    const { source, since } = where;
    const order: Order = { ...info, source, since };
    await replaceFile(this.#orderOf(info), JSON.stringify(order));
  }

  async #tellRequested(info: ClipInfo): Promise<void> {
    const { clip_id, bag, trigger, reason, trigger_ns, from_ns, to_ns } = info;
    const ms = (ns: bigint) => Math.round(Number(ns) / 1e6);
    const pre_ms = ms(BigInt(trigger_ns) - BigInt(from_ns));
    const post_ms = ms(BigInt(to_ns) - BigInt(trigger_ns));
    const payload = { clip_id, bag, trigger, reason, trigger_ns, pre_ms, post_ms };
    await this.#options.recorder.tell([{ kind: 'clip.requested', payload }]);
  }

  /**
   * What one try does. All that the clip needs is sealed once: a cut that failed needs no other segment. Where the
   * recorder, or that seal, failed meanwhile, a segment that is not repaired yet may be one of its own.
   */
  #carrier(info: ClipInfo, where: ClipSource): Attempt {
    const latestMs = this.#latestMs(info);
    const failures = this.#failures;
    let sealedAt = 0;
    return async (tries) => {
      await this.#untilOver(info, latestMs);
      if (this.#stopping.signal.aborted) return info;
      if (sealedAt === 0) await this.#options.recorder.sealNow();
      sealedAt ||= tries;
      const left = this.#failures > failures || sealedAt > 1 ? leftAt(tries) : 'last';
      return await this.#cut(info, { ...where, left });
    };
  }

  #latestMs({ to_ns, trigger_ns }: ClipInfo): number {
    const postMs = Number(BigInt(to_ns) - BigInt(trigger_ns)) / 1e6;
    return this.#options.clock.monotonicMs() + postMs + PATIENCE_MS;
  }

  /** Until a sample behind the end was recorded, or none came although it is time. */
  async #untilOver(info: ClipInfo, latestMs: number): Promise<void> {
    const { clock, recorder } = this.#options;
    if (info.to_ns === info.trigger_ns) return;
    while (recorder.newestNs <= BigInt(info.to_ns) && clock.monotonicMs() < latestMs) {
      await pause(clock, LOOK_MS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
    }
  }

  async #cut(order: ClipInfo, where: ClipSource): Promise<ClipInfo> {
    const { recorder, onCut } = this.#options;
    const file = await recorder.cutClip(order, where);
    const { info, sealed } = file;
    onCut(sealed);
    const { clip_id, bag, trigger, reason, trigger_ns, messages, bytes } = info;
    const { start_ns, end_ns } = sealed;
    const recorded = { clip_id, bag, trigger, reason, trigger_ns, start_ns, end_ns, messages, bytes };
    await recorder.tell([
      { kind: 'segment.sealed', payload: sealed },
      { kind: 'clip.recorded', payload: recorded },
    ]);
    await unlink(this.#orderOf(info)).catch(() => {});
    return viewOf(file);
  }

  #folder(): string {
    return join(this.#options.dataDir, 'bags', '.clips');
  }

  #orderOf(info: ClipInfo): string {
    return join(this.#folder(), `${info.clip_id}.json`);
  }
}

/** What a try does about segments that are not repaired yet. */
function leftAt(tries: number): ClipSource['left'] {
  return tries < TRIES_MAX ? 'waits' : 'last';
}

function viewOf({ info, sealed }: ClipFile): ClipInfo {
  return { ...info, path: sealed.path, sha256: sealed.sha256 };
}
