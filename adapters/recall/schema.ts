/** Another number is another layout: the file is then made again, since all of it can be. */
export const VERSION = 1;

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS texts (
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  tenant TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  source TEXT NOT NULL,
  text TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  cell TEXT,
  seq INTEGER,
  vector INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS texts_at ON texts (at_us);
CREATE INDEX IF NOT EXISTS texts_vector ON texts (vector);
CREATE INDEX IF NOT EXISTS texts_sha256 ON texts (sha256);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
  text, content = 'texts', content_rowid = 'row', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE IF NOT EXISTS vectors (
  number INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  vector BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS held (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** The texts that a caller may see and asked for; parameters by name. */
export const FITS = `(:tenant IS NULL OR t.tenant = :tenant)
  AND t.kind IN (SELECT value FROM json_each(:kinds)) AND t.at_us >= :since AND t.at_us <= :until`;
