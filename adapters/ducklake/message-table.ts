import {
  BIGINT,
  DuckDBDataChunk,
  DuckDBListValue,
  DuckDBTimestampNanosecondsValue,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  TIMESTAMP_NS,
  VARCHAR,
} from '@duckdb/node-api';
import { EdgeError, LIMITS, type RecordedMessage } from '../../contract/core.ts';
import { columnsOf, decodeAny, type RosTable } from '../../formats/ros2/index.ts';
import { engineType, engineValue, type LeftOut } from './message-values.ts';

export type MessageColumn = { readonly name: string; readonly type: DuckDBType; readonly text: string };
/** Where a message lies. */
export type Place = { readonly bag: string; readonly segment: string };

/** Columns that every table of messages starts with: the message as a record of its file. */
export const HEAD: readonly MessageColumn[] = [
  head('log_time', TIMESTAMP_NS, 'when it was recorded, UTC or the time of the simulation'),
  head('publish_time', TIMESTAMP_NS, 'when it was published, as far as the middleware says'),
  head('topic', VARCHAR, 'topic'),
  head('type', VARCHAR, 'type of the message'),
  head('bag', VARCHAR, 'recording it lies in'),
  head(
    'segment',
    VARCHAR,
    'path of the file it lies in, relative to the data directory; with log_time its place',
  ),
  head('sequence', BIGINT, 'its number in the channel, as the file has it'),
  head('bytes', BIGINT, 'size of the message, bytes'),
  head(
    'by_reference',
    LIST(VARCHAR),
    'fields that are NULL here since they are large: they are in the segment',
  ),
  head('fault', VARCHAR, 'why its fields could not be read; NULL where they could'),
];

function head(name: string, type: DuckDBType, text: string): MessageColumn {
  return { name, type, text };
}

/** How the messages of one definition fill the columns, or why they do not. */
type Fit = { readonly table: RosTable; readonly at: readonly number[] } | { readonly fault: string };

/**
 * Columns of a table that holds messages of any definitions, and their rows. A field has its own name; where that is a
 * name of `HEAD` it ends with `_`. A field that has another type in another definition is another column: `name_2`.
 */
export class MessageTable {
  readonly columns: MessageColumn[] = [...HEAD];
  readonly #there: Map<string, string>;
  readonly #fits = new Map<string, Fit>();

  /** `there`: the columns that the table has already, with their types. */
  constructor(there: ReadonlyMap<string, string> = new Map()) {
    this.#there = new Map([...there].map(([name, type]) => [name, plainType(type)]));
  }

  isThere(name: string): boolean {
    return this.#there.has(name);
  }

  /** Columns that this message is the first to need; they are in `columns` from then on. */
  adopt(message: RecordedMessage): readonly MessageColumn[] {
    const key = keyOf(message);
    if (this.#fits.has(key)) return [];
    const before = this.columns.length;
    this.#fits.set(key, this.#fitOf(message));
    return this.columns.slice(before);
  }

  /** The row of an adopted message, and what it takes, bytes. */
  row(message: RecordedMessage, place: Place): { readonly values: DuckDBValue[]; readonly bytes: number } {
    const { topic, type, sequence, logTime, publishTime, bytes } = message;
    const left: LeftOut = { paths: new Set(), bytes: 0, values: 0 };
    const fields: DuckDBValue[] = new Array(this.columns.length - HEAD.length).fill(null);
    let fault: string | null = null;
    try {
      this.#fill(message, fields, left);
    } catch (thrown) {
      fields.fill(null);
      fault = EdgeError.from(thrown, 'sample.malformed', 'decode', topic).message;
    }
    const values: DuckDBValue[] = [
      ...[timeValue(logTime), timeValue(publishTime), topic.toWellFormed(), type.toWellFormed()],
      ...[place.bag, place.segment, BigInt(sequence), BigInt(bytes.byteLength)],
      left.paths.size === 0 ? null : new DuckDBListValue([...left.paths]),
      fault,
      ...fields,
    ];
    const kept = Math.max(0, bytes.byteLength - left.bytes);
    return { values, bytes: ROW_BYTES + Math.max(kept, VALUE_BYTES * left.values) };
  }

  /** Rows as the engine takes them, for a table that has the first `count` columns. */
  chunk(rows: readonly (readonly DuckDBValue[])[], count = this.columns.length): DuckDBDataChunk {
    const columns = this.columns.slice(0, count);
    const chunk = DuckDBDataChunk.create(
      columns.map(({ type }) => type),
      rows.length,
    );
    chunk.setColumns(columns.map((_, i) => rows.map((row) => row[i] ?? null)));
    return chunk;
  }

  #fill({ type, definition, encoding, bytes }: RecordedMessage, fields: DuckDBValue[], left: LeftOut): void {
    const fit = this.#fits.get(keyOf({ type, definition, encoding }))!;
    if ('fault' in fit) throw cannotRead(type, fit.fault);
    if (fit.table.isOpenEnded && bytes.byteLength > LIMITS.LAKE_NESTED_BYTES_MAX)
      throw cannotRead(type, `${bytes.byteLength} bytes of nested lists are not decoded here`);
    const value = decodeAny(type, bytes, definition);
    for (const [i, { name, type: of }] of fit.table.columns.entries())
      fields[fit.at[i]! - HEAD.length] = engineValue(of, value[name], name, left);
  }

  #fitOf({ type, definition, encoding }: RecordedMessage): Fit {
    if (encoding !== 'cdr') return { fault: `the encoding ${encoding.slice(0, 64)} is not read` };
    try {
      const table = columnsOf(type, definition);
      const own = new Set(table.columns.map(({ name }) => plainName(name)));
      const taken = new Set<number>();
      for (const one of table.columns)
        taken.add(this.#place(plainName(one.name), engineType(one.type), one.note, { own, taken }));
      return { table, at: [...taken] };
    } catch (thrown) {
      return { fault: EdgeError.from(thrown, 'sample.unknown_type', 'read-definition', type).message };
    }
  }

  /** Where a field goes: into a column of its name and type that no other field of its message has, or a new one. */
  #place(
    plain: string,
    type: DuckDBType,
    text: string,
    { own, taken }: { readonly own: ReadonlySet<string>; readonly taken: ReadonlySet<number> },
  ): number {
    const wanted = plainType(type.toString());
    for (let n = 1; ; n++) {
      const name = n === 1 ? plain : `${plain}_${n}`;
      if (n > 1 && own.has(name)) continue;
      const at = this.columns.findIndex((one) => one.name === name);
      const isSame = at >= HEAD.length && plainType(this.columns[at]!.type.toString()) === wanted;
      if (isSame && !taken.has(at)) return at;
      if (at >= 0 || (this.#there.get(name) ?? wanted) !== wanted) continue;
      return this.columns.push({ name, type, text }) - 1;
    }
  }
}

/** The name of a field as a column. */
function plainName(field: string): string {
  return HEAD.some(({ name }) => name === field) ? `${field}_` : field;
}

/** The engine and its client do not quote the same names. */
function plainType(type: string): string {
  return type.replaceAll('"', '');
}

/** What a row takes beside its message, about. */
const ROW_BYTES = 200;
/** What one value takes at least, in memory and in time. */
const VALUE_BYTES = 8;
/** Nanoseconds since the epoch to the year 2262. */
const TIME_MAX = 9_223_372_036_854_775_806n;

function timeValue(ns: bigint): DuckDBValue {
  return ns > TIME_MAX || ns < -TIME_MAX ? null : new DuckDBTimestampNanosecondsValue(ns);
}

function keyOf({ type, definition, encoding }: Pick<RecordedMessage, 'type' | 'definition' | 'encoding'>) {
  return `${encoding}\n${type}\n${definition ?? ''}`;
}

function cannotRead(type: string, message: string): EdgeError {
  return new EdgeError('sample.malformed', { operation: 'decode', subject: type, message });
}
