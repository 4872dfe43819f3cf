import { type CellContext, type Clock, EdgeError, type LakeReader, type Timer } from '../../contract/core.ts';
import type { DuckLakeLake } from './ducklake-lake.ts';
import type { FromLake, LakeOp, LakeOps, LakeOrder, LakeState, ToLake } from './lake-wire.ts';

/** How often a process that works says so, milliseconds. */
const WORKS_MS = 500;

export type HostParts = {
  readonly clock: Clock;
  send(message: FromLake): void;
  open(order: LakeOrder, commits: { count: number }, report: CellContext['report']): Promise<DuckLakeLake>;
  install: LakeOps['install'];
};

/** The lake in its process: does what `LakeProcess` asks on the other side. Calls run side by side, as on the lake. */
export class HostedLake {
  readonly #parts: HostParts;
  readonly #commits = { count: 0 };
  readonly #readers = new Map<number, LakeReader>();
  readonly #ops: LakeOps;
  #lake: DuckLakeLake | undefined;
  #readerIds = 0;
  #inWork = 0;
  #isOver = false;
  #pulse: Timer | undefined;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#ops = this.#makeOps();
  }

  /** Never rejects. */
  async receive(message: ToLake): Promise<void> {
    if (message.t === 'over') this.#isOver = true;
    else await this.#call(message.id, message.op, message.args);
  }

  /** Whether what was open is closed, and nothing works on it. */
  get isClosed(): boolean {
    return this.#lake === undefined && this.#inWork === 0;
  }

  async #call(id: number, op: LakeOp, args: readonly unknown[]): Promise<void> {
    const { clock, send } = this.#parts;
    this.#inWork++;
    this.#pulse ??= clock.every(WORKS_MS, () => send({ t: 'works', ...this.#state() }));
    let answer: FromLake;
    try {
      const value = await (this.#ops[op] as (...all: readonly unknown[]) => Promise<unknown>)(...args);
      answer = { t: 'ok', id, value };
    } catch (thrown) {
      answer = {
        t: 'failed',
        id,
        error: EdgeError.from(thrown, 'lake.failed', `lake.${op}`, 'lake').toBody(),
      };
    }
    this.#inWork--;
    if (this.#inWork === 0) {
      this.#pulse?.cancel();
      this.#pulse = undefined;
    }
    send({ ...answer, ...this.#state() });
  }

  #state(): { readonly state?: LakeState } {
    const lake = this.#lake;
    if (!lake) return {};
    const overdue = lake.overdue();
    return { state: { info: lake.info(), isIdle: lake.isIdle, overdue, commits: this.#commits.count } };
  }

  #open(): DuckLakeLake {
    if (this.#lake) return this.#lake;
    throw new EdgeError('lake.unavailable', {
      ...{ operation: 'lake.use', subject: 'lake', message: 'the lake is closed' },
    });
  }

  #reader(id: number): LakeReader {
    const reader = this.#readers.get(id);
    if (reader) return reader;
    throw new EdgeError('lake.unavailable', {
      ...{ operation: 'lake.read', subject: String(id), message: 'the statement is closed' },
    });
  }

  #makeOps(): LakeOps {
    const lake = () => this.#open();
    return {
      open: async (order) => {
        this.#commits.count = order.commits;
        const report: CellContext['report'] = (level, message, facts = {}) =>
          this.#parts.send({ t: 'report', level, message, facts });
        this.#lake = await this.#parts.open(order, this.#commits, report);
      },
      install: () => this.#parts.install(),
      project: async (...all) => lake().project(...all),
      cursors: async () => lake().cursors(),
      query: async (...all) => lake().query(...all),
      read: async (...all) => {
        const reader = await lake().read(...all);
        this.#readers.set(++this.#readerIds, reader);
        return { reader: this.#readerIds, columns: reader.columns };
      },
      next: async (id, bytes) => this.#reader(id).next(bytes),
      endRead: async (id) => {
        const reader = this.#readers.get(id);
        this.#readers.delete(id);
        await reader?.close();
      },
      rebuild: async (...all) => lake().rebuild(...all),
      unreadSegments: async (...all) => lake().unreadSegments(...all),
      addSteps: async (...all) => lake().addSteps(...all),
      readTopics: async () => {
        this.#isOver = false;
        return lake().readTopics(() => this.#isOver);
      },
      digest: async () => lake().digest(),
      close: async () => {
        const open = this.#lake;
        this.#lake = undefined;
        await open?.close();
      },
    };
  }
}
