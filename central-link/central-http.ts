import { Agent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { zstdCompressSync } from 'node:zlib';
import {
  type Checker,
  type Clock,
  EdgeError,
  type ErrorCode,
  LIMITS,
  linkRefusalChecker,
  parseJson,
} from '../contract/index.ts';
import { tlsFault } from './tls-fault.ts';

export type CentralHttpOptions = {
  /** http or https address of the coordinator; may end with a path. */
  readonly url: string;
  readonly clock: Clock;
  /** Read for every request, so that a replaced token is used. */
  readonly token?: () => string | undefined;
  /** Asked for every request, so that a renewed certificate is used; the same object while nothing changed. */
  readonly tls?: () => TlsFacts | undefined;
  /** Where the certificate of this robot is, for errors. */
  readonly credentials?: string;
};

/** PEM texts. */
export type TlsFacts = {
  /** Whose certificates of the coordinator count; absent: the authorities that the host trusts. */
  readonly ca?: string;
  /** Certificate and private key of this robot. */
  readonly cert?: string;
  readonly key?: string;
};

const JSON_BODY = { 'content-type': 'application/json' };
/** Shorter texts are not compressed, bytes. */
const COMPRESSED_FROM = 512;

export type Reply = { readonly status: number; readonly json: unknown };

/** Requests to the coordinator, with a deadline, bounds, and the refusals of LINK.md as errors. */
export class CentralHttp {
  readonly #base: URL;
  readonly #options: CentralHttpOptions;
  readonly #open = new Set<AbortController>();
  #closed = false;
  /** Keeps the connection between requests; replaced where the certificates changed. */
  #line: { readonly agent: Agent; readonly tls: TlsFacts | undefined } | undefined;

  constructor(options: CentralHttpOptions) {
    this.#base = new URL(options.url.endsWith('/') ? options.url : `${options.url}/`);
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
    for (const abort of this.#open) abort.abort();
    this.#line?.agent.destroy();
  }

  request(method: 'GET' | 'POST', path: string, body?: string, bytesMax?: number): Promise<Reply> {
    return this.#ask(method, path, body, { ...(body === undefined ? {} : JSON_BODY) }, bytesMax);
  }

  /** JSON, compressed where the coordinator takes that and it is worth it. */
  async post(path: string, body: string, compress: boolean): Promise<Reply> {
    const small = compress && body.length >= COMPRESSED_FROM ? zstdCompressSync(body) : undefined;
    if (!small || small.length >= body.length) return await this.request('POST', path, body);
    return await this.#ask('POST', path, small, { ...JSON_BODY, 'content-encoding': 'zstd' });
  }

  /** Bytes, as they are or compressed. */
  send(path: string, body: Uint8Array, encoding?: 'zstd'): Promise<Reply> {
    return this.#ask('PUT', path, body, {
      'content-type': 'application/octet-stream',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    });
  }

  async #ask(
    method: string,
    path: string,
    body: string | Uint8Array | undefined,
    headers: Readonly<Record<string, string>>,
    bytesMax: number = LIMITS.LINK_ANSWER_BYTES_MAX,
  ): Promise<Reply> {
    if (this.#closed) throw this.error('link.unreachable', 'the link is closed');
    const abort = new AbortController();
    this.#open.add(abort);
    let late = false;
    const timer = this.#options.clock.after(LIMITS.LINK_REQUEST_MS, () => {
      late = true;
      abort.abort();
    });
    try {
      const token = this.#options.token?.();
      const response = await this.#exchange(method, path, body, abort.signal, {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      });
      return { status: response.statusCode ?? 0, json: parse(await readBounded(response, bytesMax)) };
    } catch (error) {
      if (late) throw this.error('deadline.exceeded', `no answer within ${LIMITS.LINK_REQUEST_MS} ms`);
      if (error instanceof EdgeError) throw error;
      const { message, hint } = tlsFault(error, this.#base.host, this.#options.clock) ?? {
        message: reason(error),
        hint: '',
      };
      throw this.error('link.unreachable', message, hint, error);
    } finally {
      timer.cancel();
      this.#open.delete(abort);
    }
  }

  /** No redirect is followed: it would send the token to an unconfigured server. Few headers: lines are slow. */
  #exchange(
    method: string,
    path: string,
    body: string | Uint8Array | undefined,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    const url = new URL(path, this.#base);
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
    const agent = this.#agent(url.protocol === 'https:');
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const request = send(url, { method, agent, signal, headers: { ...headers, ...length } }, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }

  #agent(isTls: boolean): Agent {
    const tls = isTls ? this.#options.tls?.() : undefined;
    if (this.#line && this.#line.tls === tls) return this.#line.agent;
    this.#line?.agent.destroy();
    const options = { keepAlive: true, maxSockets: 2, ...tls };
    const agent = isTls ? new TlsAgent(options) : new Agent(options);
    this.#line = { agent, tls };
    return agent;
  }

  /** The coordinator's error if it is one of LINK.md, else one for the HTTP status. */
  refusal(status: number, json: unknown): EdgeError {
    const said = linkRefusalChecker.is(json) ? json : undefined;
    const message = said ? said.message : `answers with status ${status} and no reason`;
    if (status === 409 && (said?.code === 'link.gap' || said?.code === 'link.conflict')) {
      return this.error(said.code, message, said.hint);
    }
    const { credentials, tls } = this.#options;
    if ((status === 401 || status === 403) && credentials !== undefined && tls?.()?.cert !== undefined)
      return this.error('api.unauthorised', `${message} (${credentials})`, said?.hint);
    if (status === 401 || status === 403)
      return this.error('api.unauthorised', message, said?.hint || 'check link.token_file');
    if (status === 507) return this.error('quota.exceeded', message, said?.hint);
    if (status === 413) return this.error('api.too_large', message);
    if (status === 400 && said) return this.error('link.refused', `${said.code}: ${message}`, said.hint);
    return this.error('link.unreachable', message, status === 404 ? 'check link.central_url' : '');
  }

  read<T>(check: Checker<T>, json: unknown): T {
    const fault = check.fault(json);
    if (fault === undefined) return json as T;
    throw this.error(
      'link.unreachable',
      `something else than a coordinator answers: ${fault}`,
      'check link.central_url',
    );
  }

  error(code: ErrorCode, message: string, hint = '', cause?: unknown): EdgeError {
    return new EdgeError(code, { operation: 'ask central', subject: this.#base.host, message, hint, cause });
  }
}

async function readBounded(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error('the answer is above the limit');
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('the connection ended in the middle of the answer');
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function reason(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return `${message || code || String(error)}`;
}
