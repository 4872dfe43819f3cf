import {
  type AgentEvent,
  type CellName,
  type Clock,
  EdgeError,
  type Lake,
  type LakeAsk,
  type LakeCursor,
  type LakeInfo,
  type LakeOverdue,
  type LakeReader,
  type LakeRows,
  type StepBatch,
  type Timer,
  type UnreadSegment,
} from '../../contract/core.ts';

export type RestableLake = Lake & {
  /** No statement is open, and no segment is left to read. */
  readonly isIdle: boolean;
};

type Cursors = Readonly<Partial<Record<CellName, LakeCursor>>>;

/**
 * A lake whose engine is closed when nothing was done with it for `restAfterMs`: an idle engine keeps 25 MB. What
 * needs the engine opens it again and waits for that, some 0.3 s of processor time. What only asks how far the lake is
 * gets what was so when it closed: no other process may have written to it since, or the next batch is refused. Where it
 * cannot be opened again, the caller gets that error, and the next one tries again.
 */
export class RestingLake<L extends RestableLake = RestableLake> implements Lake {
  readonly #open: () => Promise<L>;
  readonly #clock: Clock;
  readonly #restAfterMs: number;
  /** Undefined while it rests. */
  #lake: L | undefined;
  #info: LakeInfo;
  /** As of the rest. */
  #cursors: Cursors = {};
  /** The lake had steps of no segment left to read, when it was last asked. */
  #isRead = false;
  #opening: Promise<L> | undefined;
  #resting: Promise<void> = Promise.resolve();
  #inWork = 0;
  #usedMs: number;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(open: () => Promise<L>, lake: L, clock: Clock, restAfterMs: number) {
    this.#open = open;
    this.#lake = lake;
    this.#info = lake.info();
    this.#clock = clock;
    this.#restAfterMs = restAfterMs;
    this.#usedMs = clock.monotonicMs();
    this.#watch(restAfterMs);
  }

  /** `anew`: what lies there is removed before the first opening. Rejects as `open` does. */
  static async open<L extends RestableLake>(
    open: (anew: boolean) => Promise<L>,
    clock: Clock,
    restAfterMs: number,
    anew = false,
  ): Promise<RestingLake<L>> {
    return new RestingLake(() => open(false), await open(anew), clock, restAfterMs);
  }

  get isResting(): boolean {
    return this.#lake === undefined;
  }

  info(): LakeInfo {
    return this.#lake?.info() ?? this.#info;
  }

  project(cell: CellName, events: readonly AgentEvent[], cutThrough?: number): Promise<void> {
    return this.with((lake) => lake.project(cell, events, cutThrough));
  }

  async cursors(): Promise<Cursors> {
    return this.#lake ? this.#beside((lake) => lake.cursors()) : this.#cursors;
  }

  query(sql: string, ask: LakeAsk): Promise<LakeRows> {
    return this.with((lake) => lake.query(sql, ask));
  }

  read(sql: string, ask: LakeAsk): Promise<LakeReader> {
    return this.with((lake) => lake.read(sql, ask));
  }

  rebuild(cell?: CellName, keepThrough?: number): Promise<void> {
    return this.with((lake) => lake.rebuild(cell, keepThrough));
  }

  overdue(): LakeOverdue {
    return this.#lake?.overdue() ?? { count: 0, oldest: 0 };
  }

  async unreadSegments(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]> {
    if (!this.#lake) return [];
    const unread = await this.#beside((lake) => lake.unreadSegments(topicsBegin, limit));
    this.#isRead = unread.length === 0;
    return unread;
  }

  addSteps(segment: UnreadSegment, batch: StepBatch): Promise<boolean> {
    return this.with((lake) => lake.addSteps(segment, batch));
  }

  async readTopics(isOver: () => boolean): Promise<boolean> {
    return this.#lake ? this.#beside(async (lake) => (await lake.readTopics?.(isOver)) ?? false) : false;
  }

  /** May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#opening?.catch(() => {});
    await this.#resting;
    const lake = this.#lake;
    this.#lake = undefined;
    await lake?.close();
  }

  /** Work that needs the engine, and keeps it awake. */
  async with<T>(work: (lake: L) => Promise<T>): Promise<T> {
    // Between the two no rest can start: the lake was used just now, or work is counted before anything is waited for.
    const lake = this.#lake ?? (await this.#awake());
    this.#isRead = false;
    return this.#beside(() => work(lake)).finally(() => {
      this.#usedMs = this.#clock.monotonicMs();
    });
  }

  /** Work on an engine that is open; it rests no earlier than this ends. */
  async #beside<T>(work: (lake: L) => Promise<T>): Promise<T> {
    this.#inWork++;
    try {
      return await work(this.#lake!);
    } finally {
      this.#inWork--;
    }
  }

  #awake(): Promise<L> {
    if (this.#closed) return Promise.reject(isClosed(this.#info.path));
    this.#opening ??= this.#wake().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #wake(): Promise<L> {
    await this.#resting;
    const lake = await this.#open();
    this.#lake = lake;
    this.#info = lake.info();
    this.#usedMs = this.#clock.monotonicMs();
    if (!this.#closed) this.#watch(this.#restAfterMs);
    return lake;
  }

  #watch(ms: number): void {
    this.#timer = this.#clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    const cursors = await this.#beside((lake) => lake.cursors()).catch(() => undefined);
    if (this.#closed) return;
    const restsIn = this.#usedMs + this.#restAfterMs - this.#clock.monotonicMs();
    const lake = this.#lake!;
    if (restsIn > 0) return this.#watch(restsIn);
    if (!cursors || this.#inWork > 0 || !this.#isRead || !lake.isIdle) return this.#watch(this.#restAfterMs);
    this.#cursors = cursors;
    this.#info = lake.info();
    this.#lake = undefined;
    // What it left open would fail the next opening, and is said there.
    this.#resting = lake.close().catch(() => {});
  }
}

function isClosed(path: string): EdgeError {
  return new EdgeError('lake.unavailable', {
    ...{ operation: 'lake.use', subject: path, message: 'the lake is closed' },
  });
}
