import { LAKE, quote } from './schema-sql.ts';

/** A lakehouse on servers: its catalogue in PostgreSQL, its files in S3-compatible storage. */
export type RemotePlace = {
  readonly catalog: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    /** Schema of this one lake; two robots have two. */
    readonly schema: string;
    /** `verify`: the certificate and its name are checked. */
    readonly tls: 'verify' | 'require' | 'off';
    /** Authorities (PEM) of the server; empty: those of the host. */
    readonly caFile: string;
  };
  readonly storage: {
    /** `s3://bucket/prefix/`, of this one lake. */
    readonly url: string;
    /** `host:port`; empty: that of AWS. */
    readonly endpoint: string;
    readonly tls: boolean;
    readonly region: string;
    /** Where the bucket is named: in the path or in the name of the host. */
    readonly style: 'path' | 'virtual';
    readonly caFile: string;
    readonly keyId: string;
    readonly secret: string;
  };
};

/** A server that does not answer a new connection, seconds. */
const CONNECT_S = 5;
/** One request of S3, seconds; it is repeated twice. */
const REQUEST_S = 10;
const RETRIES = 2;
/** Half-open connections are noticed after some 60 s on both sides. */
const KEEPALIVE = { idle: 30, interval: 10, count: 3 };

const [STORAGE, CATALOG] = ['lake_storage', 'lake_catalog'];
/** The database of the catalogue, attached beside the lake. */
export const OWNER = 'lake_owner';

/** Where it lies, for people; without anything secret. */
export function placeText({ catalog, storage }: RemotePlace): { path: string; catalog: string } {
  const { host, port, database, user, schema } = catalog;
  return { path: storage.url, catalog: `postgres://${user}@${host}:${port}/${database} (schema ${schema})` };
}

/** Settings of the engine, before it is locked down; global, since DuckLake reads over connections of its own. */
export function settingStatements({ storage }: RemotePlace): string[] {
  return [
    `SET GLOBAL http_timeout = ${REQUEST_S}`,
    `SET GLOBAL http_retries = ${RETRIES}`,
    // Both implementations of HTTP that the extension has: one of them checks no certificate by default.
    'SET GLOBAL enable_server_cert_verification = true',
    'SET GLOBAL enable_curl_server_cert_verification = true',
    // Each upload holds its parts in memory.
    "SET GLOBAL s3_uploader_thread_limit = '4'",
    ...(storage.caFile === '' ? [] : [`SET GLOBAL ca_cert_file = ${quote(storage.caFile)}`]),
  ];
}

/** Credentials as secrets of the engine, in memory: no statement, log or message shows them again. */
export function secretStatements({ catalog, storage }: RemotePlace): string[] {
  const { host, port, database, user, password } = catalog;
  const { endpoint, tls, region, style, keyId, secret, url } = storage;
  return [
    `CREATE SECRET ${CATALOG} (TYPE postgres, HOST ${quote(host)}, PORT ${port}, ` +
      `DATABASE ${quote(database)}, USER ${quote(user)}, PASSWORD ${quote(password)})`,
    `CREATE SECRET ${STORAGE} (TYPE s3, KEY_ID ${quote(keyId)}, SECRET ${quote(secret)}, ` +
      `${endpoint === '' ? '' : `ENDPOINT ${quote(endpoint)}, `}REGION ${quote(region)}, ` +
      `URL_STYLE ${quote(style === 'path' ? 'path' : 'vhost')}, USE_SSL ${tls}, SCOPE ${quote(url)})`,
  ];
}

export function ownerStatement(place: RemotePlace): string {
  return `ATTACH ${quote(connectionText(place))} AS ${OWNER} (TYPE postgres, SECRET ${CATALOG})`;
}

/** Claims a schema that is not claimed; after it `ownerQuery` says whose it is. */
export function claimStatements({ catalog }: RemotePlace, owner: string): string[] {
  const table = `"${catalog.schema}".auraison_owner`;
  return [
    `CREATE SCHEMA IF NOT EXISTS "${catalog.schema}"`,
    `CREATE TABLE IF NOT EXISTS ${table} (only_one INT PRIMARY KEY CHECK (only_one = 1), owner TEXT NOT NULL)`,
    `INSERT INTO ${table} VALUES (1, ${quote(owner)}) ON CONFLICT DO NOTHING`,
  ].map(execute);
}

export function ownerQuery({ catalog }: RemotePlace): string {
  const owner = `SELECT owner FROM "${catalog.schema}".auraison_owner`;
  return `SELECT owner FROM postgres_query('${OWNER}', ${quote(owner)})`;
}

export function dropStatement({ catalog }: RemotePlace): string {
  return execute(`DROP SCHEMA IF EXISTS "${catalog.schema}" CASCADE`);
}

function execute(statement: string): string {
  return `CALL postgres_execute('${OWNER}', ${quote(statement)})`;
}

/**
 * No rows stand in the catalogue: DuckLake of 1.5.5 reads a nanosecond time within a struct (the header of a message) from
 * PostgreSQL with an internal error, after which the whole engine refuses everything.
 */
export function attachStatement(place: RemotePlace): string {
  return (
    `ATTACH ${quote(`ducklake:postgres:${connectionText(place)}`)} AS ${LAKE} (META_SECRET '${CATALOG}', ` +
    `METADATA_SCHEMA ${quote(place.catalog.schema)}, DATA_PATH ${quote(place.storage.url)}, ` +
    `OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT 0)`
  );
}

/** Parameters of libpq; what is secret is in the secret. */
function connectionText({ catalog }: RemotePlace): string {
  const { idle, interval, count } = KEEPALIVE;
  const mode = { verify: 'verify-full', require: 'require', off: 'disable' }[catalog.tls];
  const own = `-c tcp_keepalives_idle=${idle} -c tcp_keepalives_interval=${interval} -c tcp_keepalives_count=${count}`;
  const root = catalog.caFile === '' ? 'system' : catalog.caFile;
  return [
    `connect_timeout=${CONNECT_S} application_name=auraison-edge sslmode=${mode}`,
    ...(catalog.tls === 'verify' ? [`sslrootcert=${value(root)}`] : []),
    `keepalives_idle=${idle} keepalives_interval=${interval} keepalives_count=${count}`,
    `tcp_user_timeout=${(idle + interval * count) * 1_000} options=${value(own)}`,
  ].join(' ');
}

function value(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
