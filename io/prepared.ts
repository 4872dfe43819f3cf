import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Statements of one database, each prepared once. For texts of the program only: one that holds data would never be used again. */
export class Prepared {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Throws where SQLite cannot prepare it. */
  get(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}
