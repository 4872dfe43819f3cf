import type { DuckDBAppender, DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { MessageTable } from './message-table.ts';

/** Rows and bytes that are handed to the engine at a time. */
const CHUNK_ROWS = 2_048;
const CHUNK_BYTES = 2 * 1024 * 1024;

/** A temporary table that is being filled; columns come with the messages that need them. */
export class Filling {
  readonly #connection: DuckDBConnection;
  readonly #name: string;
  readonly #table = new MessageTable();
  #appender: DuckDBAppender | undefined;
  #rows: DuckDBValue[][] = [];
  #bytes = 0;
  count = 0;
  /** The latest log time of its messages. */
  lastNs = 0n;

  private constructor(connection: DuckDBConnection, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  static async start(connection: DuckDBConnection, name: string): Promise<Filling> {
    const filling = new Filling(connection, name);
    const columns = filling.#table.columns.map((one) => `${one.name} ${one.type}`);
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} (${columns.join(', ')})`);
    return filling;
  }

  async add(...[message, place]: Parameters<MessageTable['row']>): Promise<number> {
    const added = this.#table.adopt(message);
    if (added.length > 0) {
      await this.flush(this.#table.columns.length - added.length);
      for (const { name, type } of added)
        await this.#connection.run(`ALTER TABLE temp.main.${this.#name} ADD COLUMN "${name}" ${type}`);
    }
    const { values, bytes } = this.#table.row(message, place);
    this.#rows.push(values);
    this.#bytes += bytes;
    this.count += 1;
    if (message.logTime > this.lastNs) this.lastNs = message.logTime;
    if (this.#rows.length >= CHUNK_ROWS || this.#bytes >= CHUNK_BYTES) await this.flush();
    return bytes;
  }

  /** Hands the rows that wait to the engine; `columns`: as many as its table has. */
  async flush(columns = this.#table.columns.length): Promise<void> {
    const rows = this.#rows;
    [this.#rows, this.#bytes] = [[], 0];
    if (rows.length === 0) return;
    this.#appender = await this.#connection.createAppender(this.#name, 'main', 'temp');
    this.#appender.appendDataChunk(this.#table.chunk(rows, columns));
    this.#appender.flushSync();
    this.close();
  }

  close(): void {
    try {
      this.#appender?.closeSync();
    } catch {
      // Closing complains about what was thrown before.
    }
    this.#appender = undefined;
  }
}
