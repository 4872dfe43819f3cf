import { createHash } from 'node:crypto';
import { malformed } from './malformed.ts';
import type { Channel, Schema } from './records.ts';
import type { Summary } from './summary.ts';

/** Ids of a file are 16 bits; a definition that gives an id a second meaning is kept under a number from here on. */
const FIRST_OTHER_ID = 65_536;
/** Second meanings of one file. A hostile file would fill the memory with them. */
const OTHERS_MAX = 65_536;

/** Definitions within one chunk; they count for the records behind them. Values are keys of the summary's maps. */
export class Overlay {
  readonly schemas = new Map<number, number>();
  readonly channels = new Map<number, number>();
}

type Entry = { readonly version: number; readonly key: number };

/**
 * The meaning of a channel id at a place of the file. Files that were concatenated, or whose writer restarted, define
 * an id again with another topic; a message belongs to the definition in force where it stands. Each meaning has a key in
 * `summary.channels`: the id itself for the first one, a number above 65,535 for later ones.
 */
export class Definitions {
  readonly #summary: Summary;
  readonly #subject: string;
  readonly #keys = new Map<string, number>();
  readonly #schemas = new Map<number, Entry[]>();
  readonly #channels = new Map<number, Entry[]>();
  readonly #isKnown = new Set<string>();
  readonly #otherIds = new Map<number, number>();
  #nextOther = FIRST_OTHER_ID;
  /** Counts the definitions so far; a chunk remembers it to look up what was in force at its start. */
  version = 0;

  constructor(summary: Summary, subject: string) {
    this.#summary = summary;
    this.#subject = subject;
  }

  /** Keys that are a second meaning, with the id that they share. */
  get others(): ReadonlyMap<number, number> {
    return this.#otherIds;
  }

  /** Starts with what the summary holds already. */
  adopt(): void {
    for (const schema of [...this.#summary.schemas.values()]) this.schema(schema);
    for (const channel of [...this.#summary.channels.values()]) this.channel(channel);
  }

  schema(record: Schema, overlay?: Overlay): void {
    if (record.id === 0) return;
    const digest = createHash('sha256').update(record.data).digest('base64');
    const { schemas } = this.#summary;
    const key = this.#keyOf(
      `schema ${record.id} ${record.name}\0${record.encoding}\0${digest}`,
      record.id,
      schemas,
    );
    if (!schemas.has(key)) schemas.set(key, key === record.id ? record : { ...record, id: key });
    if (overlay) overlay.schemas.set(record.id, key);
    else this.#enter(this.#schemas, record.id, key);
  }

  channel(record: Channel, overlay?: Overlay): void {
    const schemaId =
      overlay?.schemas.get(record.schemaId) ?? last(this.#schemas, record.schemaId) ?? record.schemaId;
    const metadata = JSON.stringify([...record.metadata].sort());
    const { channels } = this.#summary;
    const text = `channel ${record.id} ${schemaId} ${record.topic}\0${record.messageEncoding}\0${metadata}`;
    const key = this.#keyOf(text, record.id, channels);
    if (!channels.has(key)) channels.set(key, { ...record, id: key, schemaId });
    if (overlay) overlay.channels.set(record.id, key);
    else this.#enter(this.#channels, record.id, key);
  }

  /** What a chunk defined stays in force behind it. */
  commit(overlay: Overlay): void {
    for (const [id, key] of overlay.schemas) this.#enter(this.#schemas, id, key);
    for (const [id, key] of overlay.channels) this.#enter(this.#channels, id, key);
  }

  /**
   * The key of the channel `id` at `version`. Where no definition came before, the first one behind counts: the summary
   * repeats what a lost part of the file had defined.
   */
  keyOf(id: number, version: number, overlay?: Overlay): number | undefined {
    const local = overlay?.channels.get(id);
    if (local !== undefined) return local;
    const entries = this.#channels.get(id);
    if (!entries) return undefined;
    for (let i = entries.length - 1; i >= 0; i--) if (entries[i]!.version <= version) return entries[i]!.key;
    return entries[0]!.key;
  }

  /**
   * Takes over what a summary with a valid CRC says of an id that the data section defines only once: a definition
   * outside a chunk has no checksum of its own.
   */
  correct(valid: Summary): void {
    for (const [id, schema] of valid.schemas) {
      const entries = this.#schemas.get(id);
      if (entries && new Set(entries.map(({ key }) => key)).size === 1) this.#summary.schemas.set(id, schema);
    }
    for (const [id, channel] of valid.channels) {
      const entries = this.#channels.get(id);
      if (entries && new Set(entries.map(({ key }) => key)).size === 1)
        this.#summary.channels.set(id, channel);
    }
  }

  #enter(log: Map<number, Entry[]>, id: number, key: number): void {
    this.version += 1;
    const entries = log.get(id);
    if (!entries) log.set(id, [{ version: this.version, key }]);
    else if (entries.at(-1)!.key !== key) entries.push({ version: this.version, key });
  }

  #keyOf(content: string, id: number, taken: ReadonlyMap<number, unknown>): number {
    const known = this.#keys.get(content);
    if (known !== undefined) return known;
    let key = id;
    // Its first meaning has been taken, or it is in the summary from the start.
    if (taken.has(id) && this.#isKnown.has(`${content.split(' ', 1)[0]} ${id}`)) {
      if (this.#nextOther - FIRST_OTHER_ID >= OTHERS_MAX) {
        throw malformed(this.#subject, 0, `more than ${OTHERS_MAX} definitions of ids that have one already`);
      }
      key = this.#nextOther++;
      this.#otherIds.set(key, id);
    }
    this.#isKnown.add(`${content.split(' ', 1)[0]} ${id}`);
    this.#keys.set(content, key);
    return key;
  }
}

function last(log: ReadonlyMap<number, Entry[]>, id: number): number | undefined {
  return log.get(id)?.at(-1)?.key;
}
