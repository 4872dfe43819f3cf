import {
  type BlobStore,
  type BlobTrim,
  type BlobTrimRules,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  type NewEvent,
  type Timer,
  toMs,
  withDeadline,
} from '../../contract/core.ts';

export type BlobKeeperParts = {
  readonly blobs: BlobStore & { trim(rules: BlobTrimRules): Promise<BlobTrim> };
  readonly clock: Clock;
  /** Bytes; 0: no limit. */
  readonly quotaBytes: number;
  /**
   * Earliest wall time of what is left of this cell's log, milliseconds; undefined: no event was removed yet.
   * Blobs that were last put before it are named by no event that is left.
   */
  readonly keptSinceMs?: () => number | undefined;
  /** What the sessions of unfinished runs name. */
  readonly needed: () => ReadonlySet<string>;
  readonly emit: (events: readonly NewEvent[]) => Promise<unknown>;
  report(level: 'warn', message: string, facts?: Readonly<Record<string, unknown>>): void;
};

/** Starts of cells that are read at a time. */
const STARTS_PAGE = 500;

/**
 * The earliest wall time of what is left of a log after a removal, milliseconds: that of its oldest event, or of a later
 * start of the cell. A robot may start with a clock that is months behind, until it is set.
 */
export function keptSince(log: Pick<EventReader, 'read' | 'cutThrough'>): number | undefined {
  const cut = log.cutThrough?.() ?? 0;
  const oldest = cut > 0 ? log.read(cut, 1)[0] : undefined;
  if (!oldest) return undefined;
  let earliest = fromWireTime(oldest.ts);
  for (let after = cut; ; ) {
    const starts = log.read(after, STARTS_PAGE, { kinds: ['cell.started'] });
    for (const { ts } of starts) {
      const at = fromWireTime(ts);
      if (at < earliest) earliest = at;
    }
    const last = starts.at(-1);
    if (!last) return toMs(earliest);
    after = last.seq;
  }
}

/** How often it looks whether there is something to do, milliseconds. */
const LOOK_MS = 60_000;
/** Looking through all files is work: it is done after this part of the quota was put, and every so many looks. */
const PUT_SHARE = 16;
const LOOKS_MAX = 60;
/** What was put this lately is spared, milliseconds: the event that names it may be on its way. */
const SPARE_MS = 3_600_000;
/** A trim that is not over after so many looks is reported: the disk does not answer, or is very slow. */
const SLOW_LOOKS = 15;
/** What is wrong is said again after this, milliseconds. */
const SAY_AGAIN_MS = 86_400_000;
/** Of a disk that does not answer; the trim ends on its own when it does. */
const STOP_MS = 1_000;

/**
 * Keeps the blobs of this robot below their quota, and removes those whose events were removed from the log. The last
 * hour stays, and what the sessions of unfinished runs name, even above the quota; then it says so.
 */
export class BlobKeeper implements BlobStore {
  readonly #parts: BlobKeeperParts;
  readonly #over = new AbortController();
  #timer: Timer | undefined;
  #putBytes = 0;
  #looks = 0;
  #trimming: Promise<void> | undefined;
  /** Looks since the running trim started. */
  #looksMeanwhile = 0;
  /** Removed and not in the log yet. */
  #untold = { blobs: 0, bytes: 0 };
  readonly #said = new Map<string, number>();

  constructor(parts: BlobKeeperParts) {
    this.#parts = parts;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = await this.#parts.blobs.put(bytes);
    this.#putBytes += bytes.byteLength;
    return sha256;
  }

  get(sha256: string): Promise<Uint8Array | undefined> {
    return this.#parts.blobs.get(sha256);
  }

  renew(sha256: string): Promise<boolean> {
    return this.#parts.blobs.renew(sha256);
  }

  start(): void {
    if (this.#parts.quotaBytes === 0 && !this.#parts.keptSinceMs) return;
    this.#looks = LOOKS_MAX;
    this.#timer = this.#parts.clock.every(LOOK_MS, () => this.#look());
  }

  /** Settles within a second, also where the disk does not answer. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#over.abort();
    if (!this.#trimming) return;
    await withDeadline(this.#parts.clock, STOP_MS, this.#trimming, 'stop', 'blobs').catch(() => {});
  }

  #look(): void {
    this.#looks += 1;
    if (this.#trimming) {
      this.#looksMeanwhile += 1;
      if (this.#looksMeanwhile < SLOW_LOOKS) return;
      const seconds = (this.#looksMeanwhile * LOOK_MS) / 1_000;
      this.#say('blobs are being looked through for long: nothing is removed before that is over', {
        seconds,
      });
      return;
    }
    const { quotaBytes } = this.#parts;
    const isMuch = quotaBytes > 0 && this.#putBytes >= quotaBytes / PUT_SHARE;
    const isDue = isMuch || this.#looks >= LOOKS_MAX;
    if (!isDue) return;
    this.#looks = 0;
    this.#looksMeanwhile = 0;
    this.#putBytes = 0;
    this.#trimming = this.#trim().finally(() => {
      this.#trimming = undefined;
    });
  }

  async #trim(): Promise<void> {
    const { blobs, clock, quotaBytes, needed } = this.#parts;
    const nowMs = toMs(clock.now());
    try {
      const keptSinceMs = this.#parts.keptSinceMs?.();
      const isCut = keptSinceMs !== undefined && keptSinceMs < nowMs;
      if (quotaBytes === 0 && !isCut) return;
      const done = await blobs.trim({
        maxBytes: quotaBytes === 0 ? Number.POSITIVE_INFINITY : quotaBytes,
        // A blob is put before the event that names it.
        ...(isCut ? { goneBeforeMs: keptSinceMs - SPARE_MS } : {}),
        spareFromMs: nowMs - SPARE_MS,
        // What was put while the clock was ahead is not spared until that day comes.
        spareToMs: nowMs + SPARE_MS,
        needed,
        signal: this.#over.signal,
      });
      if (this.#over.signal.aborted) return;
      this.#judge(done);
      await this.#tell(done);
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'log.failed', 'trim', 'blobs');
      this.#say('blobs could not be looked through', { code, message });
    }
  }

  #judge({ left, failed, fault }: BlobTrim): void {
    const { quotaBytes } = this.#parts;
    if (failed > 0) this.#say('blobs could not be removed', { blobs: failed, fault });
    if (quotaBytes > 0 && left > quotaBytes)
      this.#say('blobs are above their quota: what is left is new, or sessions of unfinished runs name it', {
        left_bytes: left,
        quota_bytes: quotaBytes,
        hint: 'raise blobs.quota, or end runs that wait',
      });
  }

  /** A log that takes nothing now gets the counts with the next trim. */
  async #tell({ removed, bytes, left }: BlobTrim): Promise<void> {
    const untold = { blobs: this.#untold.blobs + removed, bytes: this.#untold.bytes + bytes };
    if (untold.blobs === 0) return;
    this.#untold = untold;
    try {
      await this.#parts.emit([{ kind: 'blobs.evicted', payload: { ...untold, left_bytes: left } }]);
      this.#untold = { blobs: 0, bytes: 0 };
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'log.failed', 'append', 'blobs');
      this.#say('that blobs were removed is not in the log yet', { code, message });
    }
  }

  #say(message: string, facts: Readonly<Record<string, unknown>>): void {
    if (this.#over.signal.aborted) return;
    const now = this.#parts.clock.monotonicMs();
    const last = this.#said.get(message);
    if (last !== undefined && now - last < SAY_AGAIN_MS) return;
    this.#said.set(message, now);
    this.#parts.report('warn', message, facts);
  }
}
