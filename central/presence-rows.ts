import { DatabaseSync } from 'node:sqlite';
import type { MqttPresence } from '../contract/index.ts';
import { Prepared } from '../io/prepared.ts';

export type Presence = { readonly robot: string; readonly state: string; readonly since_ns: string };

/** Which robots a broker says are there, by what they signed themselves. Kept, so that an older state is known as such. */
export class PresenceRows {
  readonly #db: DatabaseSync;
  readonly #prepared: Prepared;
  readonly #nowNs: () => bigint;

  constructor(path: string, nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#prepared = new Prepared(this.#db);
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL');
    this.#db.exec(
      `CREATE TABLE IF NOT EXISTS presence (robot TEXT PRIMARY KEY, state TEXT NOT NULL, session TEXT NOT NULL,
        since_ns TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
  }

  /** False: it is older than what is known. A connection that ended does not come back. */
  take({ robot, state, session }: Pick<MqttPresence, 'robot' | 'state' | 'session'>): boolean {
    const row = this.#prepared.get('SELECT state, session FROM presence WHERE robot = ?').get(robot);
    if (row) {
      const known = BigInt(String(row['session']));
      if (BigInt(session) < known) return false;
      if (BigInt(session) === known && row['state'] === state) return true;
      if (BigInt(session) === known && row['state'] === 'offline') return false;
    }
    this.#prepared
      .get('INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?)')
      .run(robot, state, session, `${this.#nowNs()}`);
    return true;
  }

  list(): Presence[] {
    const rows = this.#prepared.get('SELECT robot, state, since_ns FROM presence ORDER BY robot LIMIT 10000');
    return rows.all() as Presence[];
  }

  close(): void {
    this.#db.close();
  }
}
