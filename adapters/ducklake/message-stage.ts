import type { DuckDBConnection } from '@duckdb/node-api';
import { EdgeError, LIMITS, type OpenRecorded, type RecordedMessage } from '../../contract/core.ts';
import { Filling } from './message-filling.ts';
import {
  argumentsOf,
  checkCalls,
  type MessagesAsk,
  messagesCalls,
  replaceCall,
  textOf,
} from './messages-call.ts';
import { checkReadOnly, type SyntaxTree } from './read-only-statement.ts';
import { type RecordedSegment, segmentsOf } from './recorded-segments.ts';
import { quote } from './schema-sql.ts';

/** Messages and bytes after which the event loop gets its turn: a few milliseconds. */
const TURN_MESSAGES = 128;
const TURN_BYTES = 512 * 1024;
/** Faults of recordings that an answer names. */
const NOTES_MAX = 16;

export type Staged = {
  /** The statement with tables in the place of its calls. */
  readonly sql: string;
  /** What could not be read. */
  readonly notes: readonly string[];
};
/** A statement that is being prepared. */
type Statement = {
  readonly connection: DuckDBConnection;
  readonly sql: string;
  readonly isOver: () => boolean;
  /** Settles when `isOver` becomes true. */
  readonly over: Promise<void>;
  readonly notes: Set<string>;
  readonly spent: { bytes: number; messages: number };
};

/**
 * Reads what calls of messages() in a statement ask for out of segments into temporary tables of its connection, one
 * statement at a time. Only segments whose time overlaps that of the call are opened, and in them only chunks that do.
 */
export class MessageStage {
  readonly #open: OpenRecorded;
  #last: Promise<unknown> = Promise.resolve();

  constructor(open: OpenRecorded) {
    this.#open = open;
  }

  /**
   * `tables` gets the names of the tables at once: the caller drops them, also after an error. Neither a file that hangs
   * nor the statement before is waited for when `over` settles.
   */
  async prepare(
    connection: DuckDBConnection,
    sql: string,
    tree: SyntaxTree,
    tables: string[],
    isOver: () => boolean,
    over: Promise<void>,
  ): Promise<Staged> {
    const calls = messagesCalls(tree);
    checkCalls(sql, calls);
    const statement = {
      ...{ connection, sql, isOver, over },
      notes: new Set<string>(),
      spent: { bytes: 0, messages: 0 },
    };
    const known = new Map<string, string>();
    for (const node of calls) {
      const ask = await argumentsOf(connection, sql, node);
      const key = JSON.stringify([ask.topic, `${ask.startNs}`, `${ask.endNs}`, ask.most]);
      const table = known.get(key) ?? `messages_${known.size + 1}`;
      if (!known.has(key)) {
        known.set(key, table);
        tables.push(table);
        await this.#inTurn(() => this.#fill(statement, ask, table), over);
      }
      replaceCall(node, table);
    }
    const text = await textOf(connection, tree);
    await checkReadOnly(connection, text);
    return { sql: text, notes: [...statement.notes].slice(0, NOTES_MAX) };
  }

  #inTurn(work: () => Promise<void>, over: Promise<void>): Promise<void> {
    let isStarted = false;
    const result = this.#last.then(() => {
      isStarted = true;
      return work();
    });
    this.#last = result.catch(() => {});
    return Promise.race([result, over.then(() => (isStarted ? result : undefined))]);
  }

  async #fill(statement: Statement, ask: MessagesAsk, name: string): Promise<void> {
    const { connection, isOver, notes } = statement;
    if (isOver()) return;
    const segments = await segmentsOf(connection, ask.topic, ask.startNs, ask.endNs);
    const { most = Number.POSITIVE_INFINITY } = ask;
    const filling = await Filling.start(connection, name);
    let hasCopies = false;
    const dropCopies = async () => {
      await filling.flush();
      if (hasCopies) filling.count -= await withoutCopies(connection, name, segments);
      hasCopies = false;
    };
    try {
      for (const segment of segments) {
        if (isOver()) return;
        const isLater = segment.startNs !== undefined && segment.startNs > filling.lastNs;
        // What a clip repeats does not count.
        if (isLater && filling.count >= most) await dropCopies();
        if (isLater && filling.count >= most) continue;
        await this.#read(statement, ask, segment, filling);
        hasCopies ||= segments.some(({ isClip }) => isClip);
      }
      await dropCopies();
    } finally {
      filling.close();
    }
    if (filling.count === 0 && segments.length === 0)
      notes.add(`no sealed segment holds ${ask.topic.slice(0, 255)} in this time`);
    if (ask.most !== undefined) await keepFirst(connection, name, ask.most);
  }

  async #read(
    statement: Statement,
    { topic, startNs, endNs, most = Number.POSITIVE_INFINITY }: MessagesAsk,
    { path, bag }: RecordedSegment,
    filling: Filling,
  ): Promise<void> {
    const { isOver, over, notes, spent } = statement;
    const onDamage = (fault: EdgeError, lost?: ReadonlyMap<string, number>) => {
      const count = lost?.get(topic);
      // Other topics lost it all.
      if (lost !== undefined && count === undefined) return;
      notes.add(`${path}: ${fault.message}${count === undefined ? '' : ` (${count} messages)`}`);
    };
    let [messages, turnMessages, turnBytes] = [0, 0, 0];
    try {
      const recorded = this.#open(path, { topics: new Set([topic]), startNs, endNs, onDamage });
      for await (const message of until(recorded, over)) {
        if (isOver()) return;
        const bytes = await filling.add(message, { bag, segment: path });
        spent.bytes += bytes;
        spent.messages += 1;
        if (spent.bytes > LIMITS.LAKE_MESSAGES_BYTES_MAX || spent.messages > LIMITS.LAKE_MESSAGES_MAX)
          throw tooMuch(topic, message.logTime);
        messages += 1;
        if (messages >= most) return;
        turnMessages += 1;
        turnBytes += message.bytes.byteLength;
        if (turnMessages < TURN_MESSAGES && turnBytes < TURN_BYTES) continue;
        [turnMessages, turnBytes] = [0, 0];
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (thrown) {
      // A statement that is too large, or a fault of the engine, ends it; a file that cannot be read is named.
      const isUnreadable =
        thrown instanceof EdgeError ? thrown.code.endsWith('.malformed') : isOfFileSystem(thrown);
      if (!isUnreadable) throw thrown;
      notes.add(`${path}: ${(thrown as Error).message}`);
    }
  }
}

/** Ends with `over`, also while it waits for the next message. */
async function* until(
  messages: AsyncIterable<RecordedMessage>,
  over: Promise<void>,
): AsyncGenerator<RecordedMessage> {
  const iterator = messages[Symbol.asyncIterator]();
  // One reaction to `over` for all messages: a race for each would keep a million of them.
  let end = () => {};
  void over.then(() => end());
  try {
    for (;;) {
      const found = await new Promise<IteratorResult<RecordedMessage> | undefined>((resolve, reject) => {
        end = () => resolve(undefined);
        iterator.next().then(resolve, reject);
      });
      if (!found || found.done) return;
      yield found.value;
    }
  } finally {
    // A file that hangs is not waited for.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** Deletes messages of clips that another recording has too; of two clips the first keeps them. Gives how many. */
async function withoutCopies(
  connection: DuckDBConnection,
  name: string,
  segments: readonly RecordedSegment[],
): Promise<number> {
  const clips = segments
    .filter(({ isClip }) => isClip)
    .map(({ path }) => quote(path))
    .join(', ');
  const { rowsChanged } = await connection.run(
    `DELETE FROM temp.main.${name} c WHERE segment IN (${clips}) AND EXISTS (
       SELECT 1 FROM temp.main.${name} o WHERE o.log_time = c.log_time AND o.publish_time = c.publish_time
         AND o.bytes = c.bytes AND (o.segment NOT IN (${clips}) OR o.segment < c.segment))`,
  );
  return rowsChanged;
}

async function keepFirst(connection: DuckDBConnection, name: string, most: number): Promise<void> {
  await connection.run(
    `DELETE FROM temp.main.${name} WHERE rowid NOT IN (
       SELECT rowid FROM temp.main.${name} ORDER BY log_time, sequence LIMIT ${most})`,
  );
}

function isOfFileSystem(thrown: unknown): boolean {
  return thrown instanceof Error && 'syscall' in thrown;
}

function tooMuch(topic: string, reachedNs: bigint): EdgeError {
  const most = `${LIMITS.LAKE_MESSAGES_BYTES_MAX / 1024 / 1024} MiB or ${LIMITS.LAKE_MESSAGES_MAX} messages`;
  return new EdgeError('limit.exceeded', {
    operation: 'lake.query',
    subject: topic.slice(0, 255),
    message: `messages() reads at most ${most} for one statement; ${topic.slice(0, 255)} holds more, at log time ${reachedNs}`,
    hint: "restrict the time: messages('/topic', since, until), or take the first: most => 1000; [[lake.topics]] makes a table of the topic",
    retryable: false,
  });
}
