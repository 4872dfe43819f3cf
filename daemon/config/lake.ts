import { DEFAULT_TOPIC_TABLES } from '../../contract/core.ts';
import { LAKE_TOPICS } from './lake-topics.ts';
import { choice, flag, type KeySpec, text } from './spec.ts';

/** `[lake]`: the lakehouse, and where it lives. `secretFile`: a key for a file of mode 0600. */
export function lakeKeys(secretFile: (about: string) => KeySpec<string>) {
  return {
    engine: choice(['auto', 'duckdb'], 'auto', 'auto takes DuckLake where its extension is available'),
    default_topics: flag(
      true,
      `tables of recorded messages without configuration: ${DEFAULT_TOPIC_TABLES.map(({ table }) => table).join(', ')}`,
    ),
    topics: LAKE_TOPICS,
    catalog: text(
      '',
      'PostgreSQL with the catalogue, for example postgres://lake@db.example:5432/fleet; empty: embedded, beside the data',
      {
        match: /^(|postgres(ql)?:\/\/[^@/:?#]+@[^@?#]+\/[^/?#]+)$/,
        expected: 'postgres://user@host:port/database without a password (lake.catalog_password_file), or ""',
      },
    ),
    catalog_schema: text('auraison', 'schema of this one lake there: each robot has its own', {
      match: /^[a-z_][a-z0-9_]{0,62}$/,
      expected: 'a name of lower-case letters, digits and _, at most 63',
    }),
    catalog_password_file: secretFile('password of that user'),
    catalog_tls: choice(
      ['verify', 'require', 'off'],
      'verify',
      'verify: its certificate and name are checked; require: encrypted, not checked',
    ),
    catalog_ca_file: text('', 'authorities (PEM) of PostgreSQL; empty: those of the host'),
    storage: text('', 's3://bucket/prefix of this one lake, beside lake.catalog; empty: embedded', {
      match: /^(|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9._-]+)+\/?)$/,
      expected: 's3://bucket/prefix, where no other files are, or ""',
    }),
    storage_endpoint: text('', 'https://host:port of the S3-compatible server; empty: AWS', {
      match: /^(|https?:\/\/[^/@?#]+)\/?$/,
      expected: 'https://host or https://host:port, or ""',
    }),
    storage_region: text('us-east-1', 'region that requests are signed for; R2: auto', {
      match: /^[a-z0-9-]+$/,
      expected: 'a region, for example eu-central-1',
    }),
    storage_style: choice(
      ['path', 'virtual'],
      'path',
      'where the bucket is named: in the path, or in the host',
    ),
    storage_ca_file: text('', 'authorities (PEM) of the S3-compatible server; empty: those of the host'),
    storage_key_file: secretFile('access key ID'),
    storage_secret_file: secretFile('secret access key'),
  };
}
