import { DatabaseSync } from 'node:sqlite';
import { canonicalJson, EdgeError, type LaneKey, type LinkPush, type Receipt } from '../contract/index.ts';
import { Prepared } from '../io/prepared.ts';

export type Held = Omit<Receipt, 'signature'>;

/** The position of a lane; part of refusals, so that the robot knows where to continue. */
export class LaneRefusal extends Error {
  readonly error: EdgeError;
  readonly held: Held | undefined;

  constructor(error: EdgeError, held: Held | undefined) {
    super(error.message);
    this.error = error;
    this.held = held;
  }
}

type LaneRow = { id: number; seq: number; sha256: string };

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS lane (
    id INTEGER PRIMARY KEY, robot TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL,
    seq INTEGER NOT NULL, sha256 TEXT NOT NULL, first_ns TEXT NOT NULL, last_ns TEXT NOT NULL,
    UNIQUE (robot, epoch, lane)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS event (
    lane_id INTEGER NOT NULL REFERENCES lane (id), seq INTEGER NOT NULL, event_id TEXT NOT NULL,
    run_id TEXT, kind TEXT NOT NULL, hash TEXT NOT NULL, body TEXT NOT NULL, received_ns TEXT NOT NULL,
    PRIMARY KEY (lane_id, seq)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Events and cursors of all robots in one SQLite file. Rows and cursor move in one transaction, synced before
 * it returns, so that a receipt never promises more than the disk holds.
 */
export class LaneStore {
  readonly #db: DatabaseSync;
  readonly #nowNs: () => bigint;
  readonly #prepared: Prepared;

  constructor(path: string, nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#prepared = new Prepared(this.#db);
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    this.#db.exec(SCHEMA);
  }

  /** The position of a lane; undefined where nothing is stored. */
  held(key: LaneKey): Held | undefined {
    const row = this.#lane(key);
    return row && { ...key, seq: row.seq, sha256: row.sha256 };
  }

  /**
   * Takes a checked batch. Events that are stored already are compared and not stored again. Throws
   * LaneRefusal with `link.gap` or `link.conflict`; nothing was stored then.
   */
  take(batch: LinkPush): Held {
    const key = { robot: batch.robot, epoch: batch.epoch, lane: batch.lane };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const row = this.#lane(key);
      const held = this.#append(key, batch.events, row);
      this.#db.exec('COMMIT');
      return held;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #append(key: LaneKey, events: LinkPush['events'], row: LaneRow | undefined): Held {
    const held: Held = { ...key, seq: row?.seq ?? 0, sha256: row?.sha256 ?? '' };
    const first = events[0]!;
    if (first.seq > held.seq + 1)
      throw refusal('link.gap', key, row && held, `event ${held.seq + 1} is missing`);
    for (const event of events.filter((one) => one.seq <= held.seq)) {
      const kept = this.#prepared
        .get('SELECT hash FROM event WHERE lane_id = ? AND seq = ?')
        .get(row!.id, event.seq);
      if (kept?.['hash'] !== event.hash) {
        throw refusal('link.conflict', key, held, `event ${event.seq} is held with another hash`);
      }
    }
    const fresh = events.filter((one) => one.seq > held.seq);
    const last = fresh.at(-1);
    if (!last) return held;
    if (row && fresh[0]!.prev_hash !== held.sha256) {
      throw refusal(
        'link.conflict',
        key,
        held,
        `event ${fresh[0]!.seq} does not follow the event held before it`,
      );
    }
    this.#insert(key, fresh, row);
    return { ...key, seq: last.seq, sha256: last.hash };
  }

  #insert(key: LaneKey, fresh: LinkPush['events'], row: LaneRow | undefined): void {
    const now = this.#nowNs().toString();
    const last = fresh.at(-1)!;
    const id =
      row?.id ??
      this.#prepared
        .get(
          'INSERT INTO lane (robot, epoch, lane, seq, sha256, first_ns, last_ns) VALUES (?, ?, ?, 0, ?, ?, ?)',
        )
        .run(key.robot, key.epoch, key.lane, '', now, now).lastInsertRowid;
    const insert = this.#prepared.get('INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    for (const event of fresh) {
      const body = canonicalJson(event);
      insert.run(id, event.seq, event.event_id, event.run_id ?? null, event.kind, event.hash, body, now);
    }
    this.#prepared
      .get('UPDATE lane SET seq = ?, sha256 = ?, last_ns = ? WHERE id = ?')
      .run(last.seq, last.hash, now, id);
  }

  /** Robots and their lanes, for people. */
  robots(): { robot: string; epoch: string; lane: string; seq: number; sha256: string; last_ns: string }[] {
    const rows = this.#prepared
      .get('SELECT robot, epoch, lane, seq, sha256, last_ns FROM lane ORDER BY robot, id LIMIT 10000')
      .all();
    return rows as ReturnType<LaneStore['robots']>;
  }

  /** Canonical JSON of events with seq > `after`, at most `limit` and, past the first, at most `bytesMax`. */
  events(key: LaneKey, after: number, limit: number, bytesMax: number): string[] {
    const row = this.#lane(key);
    if (!row) return [];
    const bodies: string[] = [];
    let bytes = 0;
    const select = this.#prepared.get(
      'SELECT body FROM event WHERE lane_id = ? AND seq > ? ORDER BY seq LIMIT ?',
    );
    for (const found of select.iterate(row.id, after, limit)) {
      const body = found['body'] as string;
      bytes += body.length;
      if (bodies.length > 0 && bytes > bytesMax) break;
      bodies.push(body);
    }
    return bodies;
  }

  close(): void {
    this.#db.close();
  }

  #lane(key: LaneKey): LaneRow | undefined {
    const row = this.#prepared
      .get('SELECT id, seq, sha256 FROM lane WHERE robot = ? AND epoch = ? AND lane = ?')
      .get(key.robot, key.epoch, key.lane);
    return row as LaneRow | undefined;
  }
}

function refusal(
  code: 'link.gap' | 'link.conflict',
  key: LaneKey,
  held: Held | undefined,
  message: string,
): LaneRefusal {
  const subject = `${key.robot}/${key.epoch}/${key.lane}`;
  return new LaneRefusal(new EdgeError(code, { operation: 'push', subject, message }), held);
}
