import { DatabaseSync } from 'node:sqlite';
import type { LinkObject, ObjectCursor } from '../contract/index.ts';
import { Prepared } from '../io/prepared.ts';

/** The bytes of one object of a robot, however many cursors name them. */
export type Content = {
  readonly robot: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly partBytes: number;
  readonly root: string;
  readonly isHeld: boolean;
  /** One byte for each part: 1 where it is there. */
  readonly have: Uint8Array;
  /** Hashes of the parts, 32 bytes each; undefined: not known yet. */
  readonly leaves: Uint8Array | undefined;
};

/** An object as it is listed for people. */
export type ObjectView = ObjectCursor & {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly state: 'open' | 'held';
  /** Bytes of parts that are there. */
  readonly bytes_there: number;
};

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS content (
    robot TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, part_bytes INTEGER NOT NULL,
    root TEXT NOT NULL, held INTEGER NOT NULL, have BLOB NOT NULL, leaves BLOB, held_ns TEXT,
    PRIMARY KEY (robot, sha256)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS fragments (
    robot TEXT NOT NULL, sha256 TEXT NOT NULL, part INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (robot, sha256, part)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS object (
    id TEXT PRIMARY KEY, robot TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, seq INTEGER NOT NULL,
    sha256 TEXT NOT NULL, name TEXT NOT NULL, first_ns TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS object_of_robot ON object (robot, id);
`;

/**
 * What the coordinator knows of objects, in one SQLite file. Which parts are there may be lost in a power cut: they are
 * sent again. That an object is held is synced before it is said.
 */
export class ObjectRows {
  readonly #db: DatabaseSync;
  readonly #nowNs: () => bigint;
  readonly #prepared: Prepared;

  constructor(path: string, nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#prepared = new Prepared(this.#db);
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL');
    this.#db.exec(SCHEMA);
  }

  content(robot: string, sha256: string): Content | undefined {
    const row = this.#prepared.get('SELECT * FROM content WHERE robot = ? AND sha256 = ?').get(robot, sha256);
    if (!row) return undefined;
    return {
      robot,
      sha256,
      bytes: Number(row['bytes']),
      partBytes: Number(row['part_bytes']),
      root: String(row['root']),
      isHeld: row['held'] === 1,
      have: row['have'] as Uint8Array,
      leaves: (row['leaves'] as Uint8Array | null) ?? undefined,
    };
  }

  /** Parts of which only the start is there, and its bytes. */
  fragments({ robot, sha256 }: Pick<Content, 'robot' | 'sha256'>): { part: number; bytes: number }[] {
    const rows = this.#prepared
      .get('SELECT part, bytes FROM fragments WHERE robot = ? AND sha256 = ?')
      .all(robot, sha256);
    return rows as { part: number; bytes: number }[];
  }

  /** How many bytes of a part are there; 0: it is complete, or starts again. */
  setFragment({ robot, sha256 }: Content, part: number, bytes: number): void {
    if (bytes > 0)
      this.#prepared
        .get('INSERT OR REPLACE INTO fragments VALUES (?, ?, ?, ?)')
        .run(robot, sha256, part, bytes);
    else
      this.#prepared
        .get('DELETE FROM fragments WHERE robot = ? AND sha256 = ? AND part = ?')
        .run(robot, sha256, part);
  }

  /** A content that starts from nothing, in place of one that was not held. */
  open(offer: Pick<LinkObject, 'robot' | 'sha256' | 'bytes' | 'part_bytes' | 'root'>): Content {
    const { robot, sha256, bytes, part_bytes, root } = offer;
    const have = new Uint8Array(Math.ceil(bytes / part_bytes));
    this.#prepared.get('DELETE FROM fragments WHERE robot = ? AND sha256 = ?').run(robot, sha256);
    this.#prepared
      .get('INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, 0, ?, NULL, NULL)')
      .run(...[robot, sha256, bytes, part_bytes, root], have);
    return { robot, sha256, bytes, partBytes: part_bytes, root, isHeld: false, have, leaves: undefined };
  }

  /** That a cursor names this content. */
  name(id: string, { robot, epoch, lane, seq, sha256, name }: LinkObject): void {
    this.#prepared
      .get('INSERT OR IGNORE INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(...[id, robot, epoch, lane, seq, sha256, name], this.#nowNs().toString());
  }

  cursor(id: string): ObjectCursor | undefined {
    const row = this.#prepared.get('SELECT robot, epoch, lane, seq, sha256 FROM object WHERE id = ?').get(id);
    return row && ({ ...row } as unknown as ObjectCursor);
  }

  setLeaves({ robot, sha256, root }: Content, leaves: Uint8Array): void {
    this.#prepared
      .get('UPDATE content SET leaves = ? WHERE robot = ? AND sha256 = ? AND root = ?')
      .run(leaves, ...[robot, sha256, root]);
  }

  /** Nothing where the content was opened with other parts meanwhile. */
  setParts({ robot, sha256, bytes, partBytes }: Content, have: Uint8Array): void {
    this.#prepared
      .get('UPDATE content SET have = ? WHERE robot = ? AND sha256 = ? AND bytes = ? AND part_bytes = ?')
      .run(have, ...[robot, sha256, bytes, partBytes]);
  }

  /** Durable when it returns. The leaves are not needed any longer. Nothing where it was opened with another size. */
  hold({ robot, sha256, bytes, root }: Content): void {
    this.#db.exec('PRAGMA synchronous=FULL');
    try {
      this.#prepared
        .get(
          `UPDATE content SET held = 1, leaves = NULL, held_ns = ?
          WHERE robot = ? AND sha256 = ? AND bytes = ? AND root = ?`,
        )
        .run(this.#nowNs().toString(), robot, sha256, bytes, root);
    } finally {
      this.#db.exec('PRAGMA synchronous=NORMAL');
    }
  }

  /** Bytes of all contents, whole or announced. */
  bytes(): number {
    return Number(this.#prepared.get('SELECT coalesce(sum(bytes), 0) AS bytes FROM content').get()!['bytes']);
  }

  /** Objects of a robot behind the id `after`, in the order of their ids. */
  list(robot: string, after: string, limit: number): ObjectView[] {
    const rows = this.#prepared
      .get(
        `SELECT o.id, o.robot, o.epoch, o.lane, o.seq, o.sha256, o.name, c.bytes, c.part_bytes, c.held, c.have
         FROM object o JOIN content c ON c.robot = o.robot AND c.sha256 = o.sha256
        WHERE o.robot = ? AND o.id > ? ORDER BY o.id LIMIT ?`,
      )
      .all(robot, after, limit);
    return rows.map(({ part_bytes, held, have, ...row }) => ({
      ...(row as unknown as Omit<ObjectView, 'state' | 'bytes_there'>),
      state: held === 1 ? 'held' : 'open',
      bytes_there:
        held === 1
          ? Number(row['bytes'])
          : bytesOf(have as Uint8Array, Number(row['bytes']), Number(part_bytes)),
    }));
  }

  close(): void {
    this.#db.close();
  }
}

function bytesOf(have: Uint8Array, bytes: number, partBytes: number): number {
  let sum = 0;
  have.forEach((there, part) => {
    if (there === 1) sum += Math.min(partBytes, bytes - part * partBytes);
  });
  return sum;
}
