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

export type CentralHttpOptions = {
  /** http or https address of the coordinator; may end with a path. */
  readonly url: string;
  readonly clock: Clock;
  /** Read for every request, so that a replaced token is used. */
  readonly token?: () => string | undefined;
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

  constructor(options: CentralHttpOptions) {
    this.#base = new URL(options.url.endsWith('/') ? options.url : `${options.url}/`);
    this.#options = options;
  }

  close(): void {
    this.#closed = true;
    for (const abort of this.#open) abort.abort();
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
      const response = await fetch(new URL(path, this.#base), {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: body as string }),
        // A redirect would send the token to an unconfigured server.
        redirect: 'error',
        signal: abort.signal,
      });
      return { status: response.status, json: parse(await readBounded(response, bytesMax)) };
    } catch (error) {
      if (late) throw this.error('deadline.exceeded', `no answer within ${LIMITS.LINK_REQUEST_MS} ms`);
      throw this.error('link.unreachable', reason(error), '', error);
    } finally {
      timer.cancel();
      this.#open.delete(abort);
    }
  }

  /** The coordinator's error if it is one of LINK.md, else one for the HTTP status. */
  refusal(status: number, json: unknown): EdgeError {
    const said = linkRefusalChecker.is(json) ? json : undefined;
    const message = said ? said.message : `answers with status ${status} and no reason`;
    if (status === 409 && (said?.code === 'link.gap' || said?.code === 'link.conflict')) {
      return this.error(said.code, message, said.hint);
    }
    if (status === 401 || status === 403)
      return this.error('api.unauthorised', message, 'check link.token_file');
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

async function readBounded(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error('the answer is above the limit');
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** `fetch` hides the fault in a chain of causes: the innermost has it. */
function reason(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  const { code, message } = (inner ?? {}) as { code?: string; message?: string };
  return `${message || code || String(inner)}`;
}
