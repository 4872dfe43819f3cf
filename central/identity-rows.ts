import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { EdgeError } from '../contract/index.ts';
import { Prepared } from '../io/prepared.ts';

/** Of the data directory. */
export const IDENTITIES_FILE = 'identities.db';

/** `issued`: not shown yet; `replaced`: a newer one was shown. */
export type CertificateState = 'issued' | 'current' | 'replaced' | 'revoked';
export type CertificateRow = {
  readonly fingerprint: string;
  readonly robot: string;
  readonly public_key: string;
  readonly certificate: string;
  readonly not_after_ns: string;
  readonly state: CertificateState;
  readonly since_ns: string;
};

export type TokenState = 'valid' | 'unknown' | 'expired' | 'used' | 'foreign';
/** What a certificate is issued for: a one-time token, or the certificate that was shown (its fingerprint). */
export type IssuedBy = { readonly secret: string } | { readonly shown: string };

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS token (
    digest TEXT PRIMARY KEY, robot TEXT NOT NULL, expires_ns TEXT NOT NULL, made_ns TEXT NOT NULL,
    used_by TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS certificate (
    fingerprint TEXT PRIMARY KEY, robot TEXT NOT NULL, public_key TEXT NOT NULL, certificate TEXT NOT NULL,
    not_after_ns TEXT NOT NULL, state TEXT NOT NULL, since_ns TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS certificate_of_robot ON certificate (robot, state);
  CREATE TABLE IF NOT EXISTS revoked (robot TEXT PRIMARY KEY, since_ns TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/**
 * Which robots are enrolled: one-time tokens (digests only), certificates and revocations, in one SQLite file that is synced
 * with each change. The command line writes it while the coordinator runs.
 */
export class IdentityRows {
  readonly #db: DatabaseSync;
  readonly #prepared: Prepared;
  readonly #nowNs: () => bigint;

  /** Throws `host.missing` where the file cannot be used. */
  constructor(path: string, nowNs: () => bigint) {
    this.#nowNs = nowNs;
    this.#db = open(path);
    this.#prepared = new Prepared(this.#db);
  }

  /** A new token of a robot takes the place of older ones that were not used. */
  addToken(secret: string, robot: string, validMs: number): void {
    const now = this.#nowNs();
    this.#together(() => {
      this.#prepared.get('DELETE FROM token WHERE robot = ? AND used_by IS NULL').run(robot);
      this.#prepared
        .get('INSERT INTO token VALUES (?, ?, ?, ?, NULL)')
        .run(digest(secret), robot, `${now + BigInt(validMs) * 1_000_000n}`, `${now}`);
    });
  }

  /** `used`: with another key. With the same key it is valid again: the answer may have been lost. */
  tokenState(secret: string, robot: string, publicKey: string): TokenState {
    const row = this.#prepared
      .get('SELECT robot, expires_ns, used_by FROM token WHERE digest = ?')
      .get(digest(secret));
    if (!row) return 'unknown';
    if (row['robot'] !== robot) return 'foreign';
    if (row['used_by'] !== null && row['used_by'] !== publicKey) return 'used';
    return BigInt(String(row['expires_ns'])) < this.#nowNs() ? 'expired' : 'valid';
  }

  /**
   * The certificate counts from now on; with a token, that token is used up and the robot no longer revoked. All of it is judged
   * here, since token and robot may have changed while the certificate was made. `certificate`: an earlier one where this key has one.
   */
  add(
    row: Pick<CertificateRow, 'fingerprint' | 'robot' | 'public_key' | 'certificate' | 'not_after_ns'>,
    by: IssuedBy,
  ): { readonly state: TokenState | 'withdrawn'; readonly certificate: string } {
    const { fingerprint, robot, public_key, certificate, not_after_ns } = row;
    const now = `${this.#nowNs()}`;
    return this.#together(() => {
      const state =
        'secret' in by ? this.tokenState(by.secret, robot, public_key) : this.#renewable(robot, by.shown);
      if (state !== 'valid') return { state, certificate: '' };
      if ('secret' in by) {
        this.#prepared
          .get('UPDATE token SET used_by = ? WHERE digest = ?')
          .run(public_key, digest(by.secret));
        this.#prepared.get('DELETE FROM revoked WHERE robot = ?').run(robot);
        // Enrolled again: what was issued before for other keys is no longer the robot's.
        this.#prepared
          .get(
            "UPDATE certificate SET state = 'replaced', since_ns = ? WHERE robot = ? AND public_key <> ? AND state IN ('issued', 'current')",
          )
          .run(now, robot, public_key);
      }
      const known = this.forKey(robot, public_key);
      if (known) return { state, certificate: known.certificate };
      this.#prepared
        .get("INSERT INTO certificate VALUES (?, ?, ?, ?, ?, 'issued', ?)")
        .run(fingerprint, robot, public_key, certificate, not_after_ns, now);
      return { state, certificate };
    });
  }

  find(fingerprint: string): CertificateRow | undefined {
    const row = this.#prepared.get('SELECT * FROM certificate WHERE fingerprint = ?').get(fingerprint);
    return row as CertificateRow | undefined;
  }

  /** One that was issued for this key and still counts. */
  forKey(robot: string, publicKey: string): CertificateRow | undefined {
    const row = this.#prepared
      .get("SELECT * FROM certificate WHERE robot = ? AND public_key = ? AND state IN ('issued', 'current')")
      .get(robot, publicKey);
    return row as CertificateRow | undefined;
  }

  /** The robot showed it: the ones before it no longer count. */
  shown({ fingerprint, robot }: Pick<CertificateRow, 'fingerprint' | 'robot'>): void {
    const now = `${this.#nowNs()}`;
    this.#together(() => {
      this.#prepared
        .get(
          "UPDATE certificate SET state = 'replaced', since_ns = ? WHERE robot = ? AND state IN ('issued', 'current') AND fingerprint <> ?",
        )
        .run(now, robot, fingerprint);
      this.#prepared
        .get("UPDATE certificate SET state = 'current' WHERE fingerprint = ? AND state = 'issued'")
        .run(fingerprint);
    });
  }

  /** No certificate and no token of this robot counts until it is enrolled again. */
  revoke(robot: string): void {
    const now = `${this.#nowNs()}`;
    this.#together(() => {
      this.#prepared.get('DELETE FROM token WHERE robot = ?').run(robot);
      this.#prepared
        .get("UPDATE certificate SET state = 'revoked', since_ns = ? WHERE robot = ? AND state <> 'revoked'")
        .run(now, robot);
      this.#prepared.get('INSERT OR IGNORE INTO revoked VALUES (?, ?)').run(robot, now);
    });
  }

  isRevoked(robot: string): boolean {
    return this.#prepared.get('SELECT 1 FROM revoked WHERE robot = ?').get(robot) !== undefined;
  }

  /** It has, or had, a certificate, or was revoked: a token of all robots does not speak for it. */
  isBound(robot: string): boolean {
    const row = this.#prepared.get('SELECT 1 FROM certificate WHERE robot = ? LIMIT 1').get(robot);
    return row !== undefined || this.isRevoked(robot);
  }

  /** Robots with the certificate that counts, or what became of the last; for people. */
  list(): { robot: string; state: string; not_after_ns: string; since_ns: string }[] {
    const rows = this.#prepared
      .get(
        `SELECT robot, state, not_after_ns, since_ns FROM certificate c
          WHERE fingerprint = (SELECT fingerprint FROM certificate d WHERE d.robot = c.robot ORDER BY
            CASE state WHEN 'current' THEN 0 WHEN 'issued' THEN 1 ELSE 2 END, length(since_ns) DESC, since_ns DESC LIMIT 1)
         UNION ALL SELECT robot, 'invited', expires_ns, made_ns FROM token t
          WHERE used_by IS NULL AND NOT EXISTS (SELECT 1 FROM certificate d WHERE d.robot = t.robot)
         UNION ALL SELECT robot, 'revoked', '', since_ns FROM revoked r
          WHERE NOT EXISTS (SELECT 1 FROM certificate d WHERE d.robot = r.robot)
         ORDER BY robot`,
      )
      .all();
    return rows as ReturnType<IdentityRows['list']>;
  }

  close(): void {
    this.#db.close();
  }

  /** The certificate with which a robot asks for another one still counts, as far as it is known here. */
  #renewable(robot: string, shown: string): 'valid' | 'withdrawn' {
    const state = this.find(shown)?.state ?? 'current';
    return this.isRevoked(robot) || state === 'revoked' || state === 'replaced' ? 'withdrawn' : 'valid';
  }

  #together<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

function open(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 5_000 });
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (found !== 'ok') throw new Error(String(found));
    db.exec(SCHEMA);
    return db;
  } catch (cause) {
    db?.close();
    throw new EdgeError('host.missing', {
      ...{ operation: 'open coordinator', subject: IDENTITIES_FILE, cause },
      message: `${path} cannot be used: ${(cause as Error).message}`,
      hint: `restore ${IDENTITIES_FILE} from a backup and revoke again what was revoked since; without a backup move it and its -wal and -shm away, and enrol every robot again`,
    });
  }
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
