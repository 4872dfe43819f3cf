import { createHash } from 'node:crypto';
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
    there INTEGER NOT NULL DEFAULT 0, touched_ns TEXT NOT NULL DEFAULT '0', head TEXT,
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
  CREATE TABLE IF NOT EXISTS head (robot TEXT PRIMARY KEY, head TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** Columns that databases of the first version of the files lack. */
const ADDED = {
  there: 'INTEGER NOT NULL DEFAULT 0',
  touched_ns: "TEXT NOT NULL DEFAULT '0'",
  head: 'TEXT',
};

/**
 * What the coordinator knows of objects, in one SQLite file. Which parts are there may be lost in a power cut: they are
 * sent again. That an object is held is synced before it is said.
 */
export class ObjectRows {
  readonly #db: DatabaseSync;
  readonly #nowNs: () => bigint;
  readonly #prepared: Prepared;
  /** Bytes of all parts that are there, and for which state of the file that was counted. */
  #bytes = 0;
  #version = -1;

  constructor(path: string, nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#prepared = new Prepared(this.#db);
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL');
    this.#db.exec(SCHEMA);
    this.#together(() => {
      this.#upgrade();
      this.#giveHeads();
    });
    this.#db.exec('CREATE INDEX IF NOT EXISTS content_head ON content (robot, head)');
    this.#recount();
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

  /**
   * A content that starts from nothing, in place of one that is not held. `isLost`: also in place of one that was held and whose
   * file is gone. Another process may have made it held meanwhile: then nothing changes.
   */
  open(offer: Pick<LinkObject, 'robot' | 'sha256' | 'bytes' | 'part_bytes' | 'root'>, isLost = false): void {
    const { robot, sha256, bytes, part_bytes, root } = offer;
    const have = new Uint8Array(Math.ceil(bytes / part_bytes));
    this.#recount();
    this.#together(() => {
      const before = this.#there(robot, sha256);
      const { changes } = this.#prepared
        .get(
          `INSERT INTO content (robot, sha256, bytes, part_bytes, root, held, have, there, touched_ns)
           VALUES (?, ?, ?, ?, ?, 0, ?, 0, ?)
           ON CONFLICT (robot, sha256) DO UPDATE SET bytes = excluded.bytes, part_bytes = excluded.part_bytes,
             root = excluded.root, held = 0, have = excluded.have, there = 0, touched_ns = excluded.touched_ns,
             leaves = NULL, held_ns = NULL, head = NULL
           WHERE held = 0 OR ?`,
        )
        .run(...[robot, sha256, bytes, part_bytes, root], have, `${this.#nowNs()}`, isLost ? 1 : 0);
      if (Number(changes) === 0) return;
      this.#prepared.get('DELETE FROM fragments WHERE robot = ? AND sha256 = ?').run(robot, sha256);
      this.#bytes -= before;
    });
  }

  /** Also where another process made it so. */
  isHeld(robot: string, sha256: string): boolean {
    const row = this.#prepared
      .get('SELECT held FROM content WHERE robot = ? AND sha256 = ?')
      .get(robot, sha256);
    return row?.['held'] === 1;
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

  /** Nothing where the content was opened with other parts, or became held, meanwhile. */
  setParts({ robot, sha256, bytes, partBytes }: Content, have: Uint8Array): void {
    this.#recount();
    const before = this.#there(robot, sha256);
    const there = bytesOf(have, bytes, partBytes);
    const { changes } = this.#prepared
      .get(
        'UPDATE content SET have = ?, there = ?, touched_ns = ? WHERE robot = ? AND sha256 = ? AND bytes = ? AND part_bytes = ? AND held = 0',
      )
      .run(have, there, `${this.#nowNs()}`, ...[robot, sha256, bytes, partBytes]);
    if (Number(changes) > 0) this.#bytes += there - before;
  }

  /**
   * Durable when it returns. The leaves are not needed any longer. False: it was opened with another size, or forgotten. Each hold
   * moves the head of its robot, by which the robot finds out that a later state of this file was lost.
   */
  hold({ robot, sha256, bytes, root }: Content): boolean {
    this.#recount();
    this.#db.exec('PRAGMA synchronous=FULL');
    try {
      return this.#together(() => {
        const before = this.#there(robot, sha256);
        const last = this.#prepared.get('SELECT head FROM head WHERE robot = ?').get(robot)?.['head'] ?? '';
        const head = createHash('sha256').update(`${last}\n${sha256}\n${this.#nowNs()}`).digest('hex');
        const { changes } = this.#prepared
          .get(
            `UPDATE content SET held = 1, leaves = NULL, held_ns = ?, there = bytes, head = ?
          WHERE robot = ? AND sha256 = ? AND bytes = ? AND root = ? AND held = 0`,
          )
          .run(this.#nowNs().toString(), head, robot, sha256, bytes, root);
        if (Number(changes) === 0) return this.isHeld(robot, sha256);
        this.#prepared.get('INSERT OR REPLACE INTO head VALUES (?, ?)').run(robot, head);
        this.#bytes += bytes - before;
        return true;
      });
    } finally {
      this.#db.exec('PRAGMA synchronous=NORMAL');
    }
  }

  /** `known`: a content was held when the head of its robot was this, and still is. */
  custody(robot: string, head: string): { head: string | null; known: boolean } {
    const last = this.#prepared.get('SELECT head FROM head WHERE robot = ?').get(robot)?.['head'] ?? null;
    const known = this.#prepared
      .get('SELECT 1 FROM content WHERE robot = ? AND head = ? AND held = 1')
      .get(robot, head);
    return { head: last as string | null, known: known !== undefined };
  }

  /** Bytes of all contents that are there. What was only announced takes no room. */
  bytes(): number {
    this.#recount();
    const starts = this.#prepared.get('SELECT coalesce(sum(bytes), 0) AS bytes FROM fragments').get();
    return this.#bytes + Number(starts!['bytes']);
  }

  /** Counts again where another process, the import of a disk, changed the file. */
  #recount(): void {
    const version = Number(this.#prepared.get('PRAGMA data_version').get()!['data_version']);
    if (version === this.#version) return;
    const sum = this.#prepared.get('SELECT coalesce(sum(there), 0) AS bytes FROM content').get();
    this.#bytes = Number(sum!['bytes']);
    this.#version = version;
  }

  /** Bytes of one content that are there, in whole parts. */
  #there(robot: string, sha256: string): number {
    const row = this.#prepared
      .get('SELECT there FROM content WHERE robot = ? AND sha256 = ?')
      .get(robot, sha256);
    return Number(row?.['there'] ?? 0);
  }

  /** Contents that are not held and of which nothing came since then: their bytes may go. */
  stale(beforeNs: bigint): Pick<Content, 'robot' | 'sha256'>[] {
    const rows = this.#prepared
      .get('SELECT robot, sha256 FROM content WHERE held = 0 AND CAST(touched_ns AS INTEGER) < ? LIMIT 1000')
      .all(beforeNs);
    return rows as Pick<Content, 'robot' | 'sha256'>[];
  }

  /** What is not held: its rows and, by `remove`, its bytes, before another process can open it again. */
  forget({ robot, sha256 }: Pick<Content, 'robot' | 'sha256'>, remove: () => void): void {
    this.#recount();
    this.#together(() => {
      const before = this.#there(robot, sha256);
      const { changes } = this.#prepared
        .get('DELETE FROM content WHERE robot = ? AND sha256 = ? AND held = 0')
        .run(robot, sha256);
      if (Number(changes) === 0) return;
      this.#bytes -= before;
      for (const table of ['fragments', 'object'])
        this.#prepared.get(`DELETE FROM ${table} WHERE robot = ? AND sha256 = ?`).run(robot, sha256);
      remove();
    });
  }

  /** Announced by a robot and not held. */
  countOpen(robot: string): number {
    const row = this.#prepared
      .get('SELECT count(*) AS n FROM content WHERE robot = ? AND held = 0')
      .get(robot);
    return Number(row!['n']);
  }

  /** The announced content of a robot of which nothing is there and that was announced first. */
  oldestEmpty(robot: string): Pick<Content, 'robot' | 'sha256'> | undefined {
    const row = this.#prepared
      .get(
        'SELECT robot, sha256 FROM content WHERE robot = ? AND held = 0 AND there = 0 ORDER BY CAST(touched_ns AS INTEGER) LIMIT 1',
      )
      .get(robot);
    return row as Pick<Content, 'robot' | 'sha256'> | undefined;
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

  /** Also where an upgrade by a version before broke off between the columns and their values. */
  #upgrade(): void {
    const names = new Set(
      this.#db
        .prepare("PRAGMA table_info('content')")
        .all()
        .map((row) => row['name']),
    );
    const missing = Object.entries(ADDED).filter(([name]) => !names.has(name));
    for (const [name, type] of missing) this.#db.exec(`ALTER TABLE content ADD COLUMN ${name} ${type}`);
    const set = this.#db.prepare(
      'UPDATE content SET there = ?, touched_ns = ? WHERE robot = ? AND sha256 = ?',
    );
    for (const { robot, sha256, bytes, part_bytes, held, have } of this.#db
      .prepare("SELECT * FROM content WHERE touched_ns = '0'")
      .all()) {
      const there =
        held === 1 ? Number(bytes) : bytesOf(have as Uint8Array, Number(bytes), Number(part_bytes));
      set.run(there, `${this.#nowNs()}`, String(robot), String(sha256));
    }
  }

  /**
   * Robots whose files came before there were heads, so that they do not take central for one that lost them. Made of what was
   * held last: the same each time, and another one where a later file was lost.
   */
  #giveHeads(): void {
    const last = this.#db.prepare(
      `SELECT sha256, held_ns FROM content WHERE robot = ? AND held = 1
       ORDER BY CAST(coalesce(held_ns, '0') AS INTEGER) DESC, sha256 LIMIT 1`,
    );
    for (const { robot } of this.#db
      .prepare('SELECT DISTINCT robot FROM content WHERE held = 1 AND robot NOT IN (SELECT robot FROM head)')
      .all()) {
      const { sha256, held_ns } = last.get(String(robot))!;
      const head = createHash('sha256').update(`\n${sha256}\n${held_ns}`).digest('hex');
      this.#db
        .prepare('UPDATE content SET head = ? WHERE robot = ? AND sha256 = ?')
        .run(head, robot!, sha256!);
      this.#db.prepare('INSERT INTO head VALUES (?, ?)').run(robot!, head);
    }
  }

  /** All of it, or nothing. */
  #together<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const done = work();
      this.#db.exec('COMMIT');
      return done;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

function bytesOf(have: Uint8Array, bytes: number, partBytes: number): number {
  let sum = 0;
  have.forEach((there, part) => {
    if (there === 1) sum += Math.min(partBytes, bytes - part * partBytes);
  });
  return sum;
}
