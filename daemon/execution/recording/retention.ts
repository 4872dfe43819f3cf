import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EdgeError, type EventPayload } from '../../../contract/core.ts';
import { bagOf, type Recorder, readSummary } from '../recorder/index.ts';

/** `ring`: of one bag, by age and size. `quota`: of all recordings, by size. */
export type RetentionPolicy =
  | { readonly kind: 'ring'; readonly bag: string; readonly durationMs: number; readonly bytesMax: number }
  | { readonly kind: 'quota'; readonly bytesMax: number };

export type RetentionOptions = {
  readonly clock: Clock;
  readonly dataDir: string;
  readonly policies: readonly RetentionPolicy[];
  readonly recorder: Pick<Recorder, 'listen' | 'evict' | 'newestNs' | 'bag'>;
  /** What is needed of a bag from this time on stays; undefined: nothing is. */
  readonly neededFromNs: (bag: string) => bigint | undefined;
  /** Whether a quota may delete a segment: not at all, as a loss, or because somebody else has it. */
  readonly mayEvict: (path: string) => 'no' | 'lost' | 'kept';
  /** Bags that are more than their segments: removed as a whole, by their owner. */
  readonly isWhole: (bag: string) => boolean;
  readonly discard: (bag: string) => Promise<void>;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

type Kept = {
  readonly path: string;
  readonly bytes: number;
  /** By the wall clock: for the order of what former lives left. */
  readonly sealedMs: number;
  /** By the monotonic clock; of former lives, when it was found. */
  readonly sinceMs: number;
  readonly endNs: bigint;
};

/** How often age is looked at, milliseconds. */
const LOOK_MS = 1_000;
/** Segments deleted in one go. */
const BATCH = 64;
/** One that could not be deleted is passed over for so long: else it stood for others at each look. */
const STUCK_MS = 60_000;

/** Deletes the oldest sealed segments when there is more than the policies allow. The open one stays. */
export class Retention {
  readonly #options: RetentionOptions;
  #kept: Kept[] = [];
  /** Until when those that could not be deleted are passed over, by the monotonic clock. */
  readonly #stuck = new Map<string, number>();
  #timer: { cancel(): void } | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #hasTold = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    options.recorder.listen({
      onSealed: (segment) => this.add(segment),
      onEvicted: ({ path }) => {
        this.#kept = this.#kept.filter((one) => one.path !== path);
        this.#stuck.delete(path);
      },
    });
  }

  /** Learns what former lives left, then watches. */
  async start(): Promise<void> {
    const found = await this.#scan();
    const known = new Set(this.#kept.map(({ path }) => path));
    this.#kept = [...found.filter(({ path }) => !known.has(path)), ...this.#kept];
    this.#kept.sort((a, b) => a.sealedMs - b.sealedMs);
    this.#timer = this.#options.clock.every(LOOK_MS, () => void this.look());
    await this.look();
  }

  /** What is being deleted is deleted to its end; nothing more is started. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Bytes of all sealed segments. */
  get bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A segment is there: sealed, cut or imported. */
  add({ path, bytes, end_ns }: EventPayload<'segment.sealed'>): void {
    if (this.#kept.some((one) => one.path === path)) return;
    this.#kept.push({
      path,
      bytes,
      sealedMs: Number(this.#options.clock.now() / 1_000_000n),
      sinceMs: this.#options.clock.monotonicMs(),
      endNs: BigInt(end_ns),
    });
  }

  /** One look at all policies; one at a time. Does not reject. */
  async look(): Promise<void> {
    if (this.#running || this.#isStopped) return;
    this.#running = this.#look();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #look(): Promise<void> {
    try {
      for (const policy of this.#options.policies) {
        if (this.#isStopped) return;
        if (policy.kind === 'ring') await this.#turnRing(policy);
        else await this.#keepQuota(policy.bytesMax);
      }
    } catch (error) {
      this.#options.report('warn', 'old recordings could not be deleted', { error: String(error) });
    }
  }

  async #turnRing({ bag, durationMs, bytesMax }: Extract<RetentionPolicy, { kind: 'ring' }>): Promise<void> {
    const { recorder } = this.#options;
    const ring = this.#kept.filter(({ path }) => bagOf(path) === bag);
    let bytes = ring.reduce((sum, one) => sum + one.bytes, 0);
    const victims: string[] = [];
    for (const one of ring) {
      if (this.#isStuck(one)) continue;
      const isDue = bytes > bytesMax || this.#isOld(one, durationMs);
      if (!isDue || this.#isNeeded(one) || victims.length === BATCH) break;
      victims.push(one.path);
      bytes -= one.bytes;
    }
    const eviction = { paths: victims, reason: 'ring', isKept: false } as const;
    if (victims.length > 0) await this.#delete(victims, () => recorder.evict(eviction));
  }

  /**
   * By the time of the samples, and by our own too: a clock of samples that is set makes nothing old that was sealed
   * just now. What lies ahead of the newest sample is from before such a step back, and has only our own time.
   */
  #isOld({ endNs, sinceMs }: Kept, durationMs: number): boolean {
    const { clock, recorder } = this.#options;
    const { newestNs } = recorder;
    if (newestNs === 0n || clock.monotonicMs() - sinceMs <= durationMs) return false;
    return endNs > newestNs || endNs < newestNs - BigInt(Math.round(durationMs * 1e6));
  }

  async #keepQuota(bytesMax: number): Promise<void> {
    const { recorder, isWhole, discard } = this.#options;
    let over = this.bytes - bytesMax;
    const victims = { lost: [] as string[], kept: [] as string[], bags: new Set<string>() };
    let heldBack = 0;
    for (const one of [...this.#kept]) {
      if (over <= 0 || victims.lost.length + victims.kept.length >= BATCH) break;
      if (this.#isStuck(one)) continue;
      const bag = bagOf(one.path);
      const word = this.#mayGo(one, isWhole(bag));
      if (word === 'no' || this.#isNeeded(one) || (isWhole(bag) && bag === recorder.bag)) {
        heldBack += 1;
        continue;
      }
      over -= one.bytes;
      if (isWhole(bag)) victims.bags.add(bag);
      else victims[word].push(one.path);
    }
    for (const bag of victims.bags) {
      const paths = this.#kept.map(({ path }) => path).filter((path) => bagOf(path) === bag);
      await this.#delete(paths, () => discard(bag));
    }
    for (const word of ['lost', 'kept'] as const) {
      const eviction = { paths: victims[word], reason: 'quota', isKept: word === 'kept' } as const;
      if (victims[word].length > 0) await this.#delete(victims[word], () => recorder.evict(eviction));
    }
    this.#tell(over > 0 ? heldBack : 0);
  }

  /** Those that are still there after a fault that stays are reported once. Rejects where trying again may help. */
  async #delete(paths: readonly string[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof EdgeError && error.retryable) throw error;
      const left = this.#kept.map(({ path }) => path).filter((path) => paths.includes(path));
      const untold = left.filter((path) => !this.#stuck.has(path));
      if (untold.length > 0)
        this.#options.report('warn', `${untold[0]} cannot be deleted: other segments are deleted instead`, {
          segments: untold.length,
          error: String(error),
        });
      for (const path of left) this.#stuck.set(path, this.#options.clock.monotonicMs() + STUCK_MS);
    }
  }

  /** Of a bag that goes as a whole, whether every segment may go. */
  #mayGo({ path }: Kept, isWhole: boolean): 'no' | 'lost' | 'kept' {
    const { mayEvict } = this.#options;
    if (!isWhole) return mayEvict(path);
    const words = this.#kept
      .filter((one) => bagOf(one.path) === bagOf(path))
      .map((one) => mayEvict(one.path));
    return words.includes('no') ? 'no' : words.includes('lost') ? 'lost' : 'kept';
  }

  #isStuck({ path }: Kept): boolean {
    return (this.#stuck.get(path) ?? 0) > this.#options.clock.monotonicMs();
  }

  #tell(heldBack: number): void {
    if (heldBack > 0 && !this.#hasTold) {
      const hint = 'central has not acknowledged them; recorder.evict_unsynced = true allows deleting them';
      this.#options.report(
        'warn',
        `recordings exceed recorder.quota: ${heldBack} segments may not be deleted yet`,
        {
          hint,
        },
      );
    }
    this.#hasTold = heldBack > 0;
  }

  #isNeeded({ path, endNs }: Kept): boolean {
    const from = this.#options.neededFromNs(bagOf(path));
    return from !== undefined && endNs >= from;
  }

  /** Sealed files of all bags. The end of the messages is read where a ring or a clip needs it. */
  async #scan(): Promise<Kept[]> {
    const { dataDir, clock, policies, recorder, neededFromNs } = this.#options;
    const root = join(dataDir, 'bags');
    const sinceMs = clock.monotonicMs();
    const rings = policies.flatMap((one) => (one.kind === 'ring' ? [one.bag] : []));
    const timed = [...rings, recorder.bag];
    const found: Kept[] = [];
    const bags = await readdir(root, { withFileTypes: true }).catch(() => []);
    for (const { name: bag } of bags.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))) {
      const names = await readdir(join(root, bag)).catch(() => [] as string[]);
      const isTimed = timed.includes(bag) || neededFromNs(bag) !== undefined;
      for (const name of names.filter((one) => one.endsWith('.mcap'))) {
        const file = join(root, bag, name);
        const { size, mtimeMs } = await stat(file);
        const summary = isTimed ? await readSummary(file).catch(() => undefined) : undefined;
        const path = `bags/${bag}/${name}`;
        const endNs = summary?.endTime ?? 0n;
        found.push({ path, bytes: size, sealedMs: mtimeMs, sinceMs, endNs });
      }
    }
    return found;
  }
}
