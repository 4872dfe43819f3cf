import { createHash } from 'node:crypto';
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
  type OpenRecorded,
  type StepBatch,
  type TopicTable,
  type UnreadSegment,
} from '../../contract/core.ts';
import { lakeFailed } from './faults.ts';
import { type EngineOptions, LakeEngine, removeLake } from './lake-engine.ts';
import { LakeMaintenance } from './lake-maintenance.ts';
import { LakeQueries } from './lake-queries.ts';
import { LakeWriter } from './lake-writer.ts';
import { MessageStage } from './message-stage.ts';
import { digestStatement } from './schema-sql.ts';
import { StepWriter } from './step-writer.ts';
import { TABLES } from './tables.ts';
import { TopicReader } from './topic-reader.ts';
import { topicSpec } from './topic-tables.ts';
import { TopicWriter } from './topic-writer.ts';

export type LakeOptions = EngineOptions & {
  readonly clock: Clock;
  /** Messages of segments, for messages(); absent: it is refused. */
  readonly openRecorded?: OpenRecorded;
  /** Tables of messages; none without `openRecorded`. */
  readonly topics?: readonly TopicTable[];
  /** Commits since the daemon started: counted on where the lake is opened again. */
  readonly commits?: { count: number };
};

/**
 * One write to servers, milliseconds: a batch over a slow link takes a minute. The engine cannot end one whose server
 * took the request and never answers: it counts as overdue, and only a new process is rid of it.
 */
const REMOTE_TURN_MS = 180_000;

type Open = {
  readonly engine: LakeEngine;
  readonly writer: LakeWriter;
  readonly steps: StepWriter;
  readonly topics: TopicWriter;
  readonly maintenance: LakeMaintenance;
  readonly queries: LakeQueries;
};

/**
 * The lakehouse on DuckLake with an embedded catalogue or, where its extension is not installed, the same
 * tables in plain DuckDB, which a later start with the extension takes over. Writes are done one after the
 * other; queries run beside them and see whole commits.
 */
export class DuckLakeLake implements Lake {
  readonly #options: LakeOptions;
  #open: Open | undefined;
  #info: LakeInfo;
  #last: Promise<unknown> = Promise.resolve();
  #running: { readonly turn: number; readonly sinceMs: number | undefined } = { turn: 0, sinceMs: undefined };
  readonly #topicReader: TopicReader | undefined;

  private constructor(options: LakeOptions, open: Open) {
    this.#options = options;
    this.#open = open;
    this.#info = open.engine.info;
    const { openRecorded, clock, report } = options;
    this.#topicReader =
      openRecorded &&
      new TopicReader(openRecorded, clock, (work) => this.#inTurn(() => work(this.#parts().topics)), report);
  }

  /** Opens or makes the lake; rejects with `lake.unavailable`. With `anew` what lies there is removed before. */
  static async open(options: LakeOptions, anew = false): Promise<DuckLakeLake> {
    if (anew) await removeLake(options);
    return new DuckLakeLake(options, await openParts(options));
  }

  info(): LakeInfo {
    return this.#info;
  }

  /** For what copies the tables of lakes. */
  engine(): LakeEngine {
    return this.#parts().engine;
  }

  /** The tables were written by other means: what is known of them is read again. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const { engine } = this.#parts();
      this.#open = await partsOf(engine, this.#options);
    });
  }

  project(cell: CellName, events: readonly AgentEvent[], cutThrough = 0): Promise<void> {
    return this.#inTurn(async () => {
      const { writer, maintenance } = this.#parts();
      await writer.project(cell, events, cutThrough);
      await maintenance.committed();
    });
  }

  cursors(): Promise<Readonly<Partial<Record<CellName, LakeCursor>>>> {
    return Promise.resolve().then(() => this.#parts().writer.cursors());
  }

  async query(sql: string, ask: LakeAsk): Promise<LakeRows> {
    return this.#parts().queries.run(sql, ask);
  }

  async read(sql: string, ask: LakeAsk): Promise<LakeReader> {
    return this.#parts().queries.open(sql, ask);
  }

  overdue(): LakeOverdue {
    const queries = this.#open?.queries.overdue() ?? { count: 0, oldest: 0 };
    const { turn, sinceMs } = this.#running;
    const isStuck = sinceMs !== undefined && this.#options.clock.monotonicMs() - sinceMs > REMOTE_TURN_MS;
    if (this.#info.place !== 'remote' || !isStuck) return queries;
    return { count: queries.count + 1, oldest: queries.oldest + turn };
  }

  get isIdle(): boolean {
    return (this.#open?.queries.isIdle ?? true) && (this.#topicReader?.isDone ?? true);
  }

  /** Without a cell also drops the rows of logs that are gone, and interrupts the queries that run. */
  rebuild(cell?: CellName, keepThrough = 0): Promise<void> {
    return this.#inTurn(async () => {
      if (cell !== undefined) return this.#parts().writer.forget(cell, keepThrough);
      this.#topicReader?.drop();
      await this.#closeParts();
      await removeLake(this.#options);
      this.#open = await openParts(this.#options);
      this.#info = this.#open.engine.info;
    });
  }

  unreadSegments(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]> {
    return this.#inTurn(async () => this.#parts().steps.unread(topicsBegin, limit));
  }

  addSteps(segment: UnreadSegment, batch: StepBatch): Promise<boolean> {
    return this.#inTurn(async () => {
      const { steps, maintenance } = this.#parts();
      const { isWanted, isCommitted } = await steps.add(segment, batch);
      if (isCommitted) await maintenance.committed();
      return isWanted;
    });
  }

  async readTopics(isOver: () => boolean): Promise<boolean> {
    return (await this.#topicReader?.slice(isOver)) ?? false;
  }

  /** Rewrites small files into larger ones; also done now and then by `project`. */
  maintain(): Promise<void> {
    return this.#inTurn(async () => this.#parts().maintenance.run());
  }

  /** SHA-256 over all rows that come from events; equal for equal rows, however they were written. */
  digest(): Promise<string> {
    return this.#inTurn(async () => {
      const hash = createHash('sha256');
      const { engine } = this.#parts();
      for (const table of TABLES) {
        const reader = await engine.writer.runAndReadAll(digestStatement(table));
        hash.update(`${table.name} ${reader.getRows()[0]?.join(' ')}\n`);
      }
      return hash.digest('hex');
    });
  }

  /** May be called twice; waits for the write that runs, interrupts queries. */
  close(): Promise<void> {
    this.#topicReader?.drop();
    return this.#inTurn(() => this.#closeParts());
  }

  async #closeParts(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    await open.queries.stop();
    await open.engine.close();
  }

  #parts(): Open {
    if (this.#open) return this.#open;
    throw new EdgeError('lake.unavailable', {
      operation: 'lake.use',
      subject: this.#info.path,
      message: 'the lake is closed',
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      this.#running = { turn: this.#running.turn + 1, sinceMs: this.#options.clock.monotonicMs() };
      try {
        return await work();
      } finally {
        this.#running = { ...this.#running, sinceMs: undefined };
      }
    });
    this.#last = result.catch(() => {});
    return result.catch((thrown: unknown) => {
      throw lakeFailed(thrown, 'lake.use', this.#info.path);
    });
  }
}

function openParts(options: LakeOptions): Promise<Open> {
  return LakeEngine.open(options, (engine) => partsOf(engine, options));
}

async function partsOf(engine: LakeEngine, options: LakeOptions): Promise<Open> {
  const steps = new StepWriter(engine);
  const topics = new TopicWriter(engine, options.openRecorded ? (options.topics ?? []).map(topicSpec) : []);
  const writer = new LakeWriter(engine, steps, topics);
  await writer.load();
  await topics.load();
  const maintenance = new LakeMaintenance(engine, options.clock, options.commits);
  const stage = options.openRecorded && new MessageStage(options.openRecorded);
  const queries = new LakeQueries(engine, options.clock, stage, topics);
  return { engine, writer, steps, topics, maintenance, queries };
}
