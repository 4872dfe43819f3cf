import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { canonicalJson, type LogCut } from '../../contract/core.ts';
import { fsyncPath } from './log-schema.ts';

/** A trigger that refuses what it names. */
export const refused = (trigger: string) =>
  `CREATE TRIGGER ${trigger} BEGIN SELECT RAISE(ABORT, 'append only'); END;`;

/**
 * Before events are removed, a checkpoint of theirs is in the log: the hash of the last one, which stands for all
 * before it, under the signature of this robot. The first event stays: its id names the log. Deleting is allowed only
 * behind a checkpoint; checkpoints themselves stay.
 */
export const CHECKPOINT_SCHEMA = `
CREATE TABLE checkpoints (
  through INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  event_ts TEXT NOT NULL,
  made_ts TEXT NOT NULL,
  public_key TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT;
DROP TRIGGER events_keep_rows;
${refused(
  `events_keep_rows BEFORE DELETE ON events
   WHEN OLD.seq = 1 OR OLD.seq > (SELECT coalesce(max(through), 0) FROM checkpoints)`,
)}
${refused('checkpoints_keep_rows BEFORE DELETE ON checkpoints')}
${refused('checkpoints_keep_values BEFORE UPDATE ON checkpoints')}
`;

export type CheckpointRow = {
  readonly through: number;
  readonly hash: string;
  readonly event_ts: string;
  readonly made_ts: string;
  readonly public_key: string;
  readonly signature: string;
};

type Signed = { readonly cell: string; readonly epoch: string } & Pick<
  CheckpointRow,
  'through' | 'hash' | 'event_ts' | 'made_ts'
>;

/** Where the key of this robot lies that signs its checkpoints; readable by its user only. */
export function checkpointKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'log-checkpoints.pem');
}

/** The key of this robot, made at first. Throws what the file system does. */
export function checkpointKey(dataDir: string): KeyObject {
  const path = checkpointKeyPath(dataDir);
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(`${path}.new`, pem, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    fsyncPath(dirname(path));
  }
  return createPrivateKey(readFileSync(path));
}

/** What was signed, by whom: SPKI in base64, and the Ed25519 signature of its canonical JSON. */
export type Signature = { readonly public_key: string; readonly signature: string };

export function signed(key: KeyObject, value: object): Signature {
  const public_key = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  return { public_key, signature: sign(null, Buffer.from(canonicalJson(value)), key).toString('base64') };
}

export function isSigned(value: object, { public_key, signature }: Signature): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(public_key, 'base64'), type: 'spki', format: 'der' });
    const text = Buffer.from(canonicalJson(value));
    return key.asymmetricKeyType === 'ed25519' && verify(null, text, key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

/** Start of the SHA-256 of a public key: what people compare. */
export function keyIdOf({ public_key }: Pick<Signature, 'public_key'>): string {
  return createHash('sha256').update(public_key).digest('hex').slice(0, 16);
}

export function signCheckpoint(key: KeyObject, checkpoint: Signed): CheckpointRow {
  const { through, hash, event_ts, made_ts } = checkpoint;
  return { through, hash, event_ts, made_ts, ...signed(key, checkpoint) };
}

export function isCheckpointSigned(row: CheckpointRow, cell: string, epoch: string): boolean {
  const { through, hash, event_ts, made_ts } = row;
  return isSigned({ cell, epoch, through, hash, event_ts, made_ts } satisfies Signed, row);
}

/** Those of a log, the oldest first; empty where nothing was ever removed. */
export function checkpointsOf(database: DatabaseSync): readonly CheckpointRow[] {
  const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").get();
  if (!there) return [];
  return database.prepare('SELECT * FROM checkpoints ORDER BY through').all() as CheckpointRow[];
}

/** What a person compares with the key that the robot was given, or that central noted. */
export function cutOf(row: CheckpointRow): LogCut {
  const { through, hash, event_ts, made_ts } = row;
  return { through, hash, event_ts, made_ts, key_id: keyIdOf(row) };
}
