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
/** Half-open connections are noticed after some 60 s on both sides; the lock of a host that vanished is free then. */
const KEEPALIVE = { idle: 30, interval: 10, count: 3 };

const [STORAGE, CATALOG] = ['lake_storage', 'lake_catalog'];
/** The attached catalogue that holds the lock of the owner. */
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
    // The connection with the lock is never closed while idle.
    'SET GLOBAL pg_pool_idle_timeout_millis = 0',
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

/** One row, one boolean: whether this engine owns the lake from now on, until its connection ends. */
export function lockQuery({ catalog }: RemotePlace): string {
  const key = `SELECT pg_try_advisory_lock(hashtextextended(${quote(`auraison-lake ${catalog.schema}`)}, 0))`;
  return `SELECT * FROM postgres_query('${OWNER}', ${quote(key)})`;
}

export function dropStatement({ catalog }: RemotePlace): string {
  return `CALL postgres_execute('${OWNER}', ${quote(`DROP SCHEMA IF EXISTS "${catalog.schema}" CASCADE`)})`;
}

export function attachStatement(place: RemotePlace, inlineRows: number): string {
  return (
    `ATTACH ${quote(`ducklake:postgres:${connectionText(place)}`)} AS ${LAKE} (META_SECRET '${CATALOG}', ` +
    `METADATA_SCHEMA ${quote(place.catalog.schema)}, DATA_PATH ${quote(place.storage.url)}, ` +
    `OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT ${inlineRows})`
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
