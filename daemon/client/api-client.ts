import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, type ErrorBody } from '../../contract/core.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** `AURAISON_URL` leads to another daemon, and `AURAISON_TOKEN` opens it: a token of this host is not its business. */
export type ApiEnv = Readonly<Record<string, string | undefined>>;

export type Encoded = { readonly payload: Uint8Array; readonly encoding: string };

export type ApiClient = {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  post<T>(
    path: string,
    body?: unknown,
    timeoutMs?: number,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T>;
  /** Lines of JSON as they come. `timeoutMs` is for the whole of them. */
  postLines(path: string, body: unknown, timeoutMs: number): AsyncGenerator<unknown>;
  /** In an encoding other than JSON, as it comes and as it is answered. */
  postBytes(path: string, body: Encoded, timeoutMs: number): Promise<Encoded>;
  /** The raw response, for streams; the caller reads the body. */
  stream(path: string, headers?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Response>;
};

/** Where the running daemon told that its API listens. */
export function apiAddress(dataDir: string): { url: string; pid: number } | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'run', 'api.json'), 'utf8')) as { url: string; pid: number };
  } catch {
    return undefined;
  }
}

/** Refused, or an address of this host that it does not have now: its interface is down. */
const NOBODY: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EADDRNOTAVAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Nobody listens at an address of this host: no daemon refused, was late, or broke off in the middle. */
export function nobodyListens({ cause }: EdgeError): boolean {
  return NOBODY.has(((cause as Error | undefined)?.cause as { code?: string } | undefined)?.code);
}

/** How an answer that became an error came; its `cause`. */
class Answered {
  readonly status: number;
  readonly ofDaemon: boolean;

  constructor(status: number, ofDaemon: boolean) {
    this.status = status;
    this.ofDaemon = ofDaemon;
  }
}

/** Something answered, but no daemon that refuses: a proxy before it, or one that is not well. */
export function isAway({ cause }: EdgeError): boolean {
  return cause instanceof Answered && (!cause.ofDaemon || cause.status >= 500);
}

/** A client of the daemon that uses this data directory (or of AURAISON_URL with AURAISON_TOKEN). */
export function apiClient(settings: Settings, env: ApiEnv = process.env): ApiClient {
  // Asked at every call: the daemon may have been started since.
  const address = () => addressOf(settings, env);
  const call = async (
    method: string,
    path: string,
    options: {
      body?: string | Uint8Array<ArrayBuffer>;
      headers?: Readonly<Record<string, string>>;
      signal?: AbortSignal | undefined;
    },
  ): Promise<Response> => {
    const url = address();
    const token = tokenFor(settings, env);
    let response: Response;
    try {
      response = await fetch(new URL(path, url), {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        ...(options.body === undefined ? {} : { body: options.body }),
        ...(options.signal ? { signal: options.signal } : {}),
      });
    } catch (cause) {
      if ((cause as Error).name === 'AbortError') throw cause;
      const timeout = (cause as Error).name === 'TimeoutError';
      throw new EdgeError(timeout ? 'deadline.exceeded' : 'cell.unavailable', {
        operation: `${method} ${path}`,
        subject: url,
        message: timeout ? `the daemon at ${url} did not answer in time` : `no daemon answers at ${url}`,
        hint: timeout
          ? 'auraison status'
          : 'start it with: auraison up (or name its data directory with --data-dir)',
        cause,
      });
    }
    if (response.ok) return response;
    throw await errorOf(response, `${method} ${path}`);
  };
  return {
    get url() {
      return address();
    },
    get: async <T>(path: string) =>
      (await (await call('GET', path, { signal: AbortSignal.timeout(15_000) })).json()) as T,
    post: async <T>(path: string, body: unknown = {}, timeoutMs = 60_000, headers = {}) =>
      (await (
        await call('POST', path, {
          body: JSON.stringify(body),
          headers,
          signal: AbortSignal.timeout(timeoutMs),
        })
      ).json()) as T,
    postLines: async function* (path, body, timeoutMs) {
      const response = await call('POST', path, {
        body: JSON.stringify(body),
        headers: { accept: 'application/x-ndjson' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      let rest = '';
      for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line);
      }
    },
    postBytes: async (path, { payload, encoding }, timeoutMs) => {
      const headers = { 'content-type': encoding };
      const body = new Uint8Array(payload);
      const answer = await call('POST', path, { body, headers, signal: AbortSignal.timeout(timeoutMs) });
      return { payload: await answer.bytes(), encoding: answer.headers.get('content-type') ?? '' };
    },
    stream: (path, headers = {}, signal) => call('GET', path, { headers, signal }),
  };
}

/** Where a client of another protocol finds the daemon, and the token it shows. Asked anew at each connection. */
export function endpointOf(
  settings: Settings,
  path: string,
  env: ApiEnv = process.env,
): { url: URL; token: string | undefined } {
  return { url: new URL(path, addressOf(settings, env)), token: tokenFor(settings, env) };
}

function addressOf({ config, dataDir }: Settings, env: ApiEnv): string {
  return env['AURAISON_URL'] ?? apiAddress(dataDir)?.url ?? `http://${config.api.host}:${config.api.port}`;
}

function tokenFor({ config, dataDir }: Settings, env: ApiEnv): string | undefined {
  if (env['AURAISON_TOKEN']) return env['AURAISON_TOKEN'];
  if (env['AURAISON_URL'] !== undefined || config.api.auth === 'none') return undefined;
  if (config.api.token_file !== '') return readSecret(config.api.token_file, 'api.token_file', process.env);
  try {
    return readFileSync(join(dataDir, 'token'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A proxy says so where it does not reach the daemon. */
const AWAY: ReadonlySet<number> = new Set([502, 503, 504]);

async function errorOf(response: Response, operation: string): Promise<EdgeError> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as ErrorBody & { error?: ErrorBody };
    const error = body.error ?? body;
    if (typeof error.code === 'string')
      return EdgeError.fromBody(error, new Answered(response.status, typeof error.retryable === 'boolean'));
  } catch {
    // not ours: said below as it came
  }
  return new EdgeError(AWAY.has(response.status) ? 'cell.unavailable' : 'internal.fault', {
    operation,
    subject: response.url,
    message: `HTTP ${response.status}: ${text.slice(0, 200)}`,
    cause: new Answered(response.status, false),
  });
}
