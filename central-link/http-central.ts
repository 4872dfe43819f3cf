import {
  type Central,
  type Checker,
  type Clock,
  EdgeError,
  type ErrorCode,
  LIMITS,
  type LinkBatch,
  linkReceiptChecker,
  linkRefusalChecker,
  linkWatermarkChecker,
  type Receipt,
} from '../contract/index.ts';
import { ReceiptKeys } from './receipt-keys.ts';

export type HttpCentralOptions = {
  /** http or https address of the coordinator; may end with a path. */
  readonly url: string;
  readonly clock: Clock;
  /** Asked at every request, so that a token that was replaced is taken up. */
  readonly token?: () => string | undefined;
  /** PEM of the only key whose receipts count; without it the key that central publishes. */
  readonly publicKey?: string;
};

type Reply = { readonly status: number; readonly json: unknown };

/** The coordinator over HTTP, by LINK.md. Believes no answer that it cannot check. */
export class HttpCentral implements Central {
  readonly #base: URL;
  readonly #options: HttpCentralOptions;
  readonly #keys: ReceiptKeys;
  readonly #open = new Set<AbortController>();
  #closed = false;

  constructor(options: HttpCentralOptions) {
    this.#base = new URL(options.url.endsWith('/') ? options.url : `${options.url}/`);
    this.#options = options;
    this.#keys = new ReceiptKeys(options.publicKey, async () => {
      const { status, json } = await this.#request('GET', 'link/v1/key');
      if (status !== 200) throw this.#refusal(status, json);
      return json;
    });
  }

  async watermark(robot: string, epoch: string, lane: string): Promise<Receipt | undefined> {
    const query = new URLSearchParams({ robot, epoch, lane });
    const { status, json } = await this.#request('GET', `link/v1/watermark?${query}`);
    if (status !== 200) throw this.#refusal(status, json);
    const { watermark } = this.#read(linkWatermarkChecker, json);
    return watermark === null ? undefined : this.#proven(watermark);
  }

  async push(batch: LinkBatch): Promise<Receipt> {
    const { status, json } = await this.#request('POST', 'link/v1/push', JSON.stringify(batch));
    if (status !== 200) throw this.#refusal(status, json);
    return this.#proven(this.#read(linkReceiptChecker, json));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const abort of this.#open) abort.abort();
  }

  async #proven(receipt: Receipt): Promise<Receipt> {
    if (await this.#keys.verify(receipt)) return receipt;
    throw this.#error(
      'link.unreachable',
      'the signature of the receipt is wrong',
      'check who answers at this address',
    );
  }

  async #request(method: 'GET' | 'POST', path: string, body?: string): Promise<Reply> {
    if (this.#closed) throw this.#error('link.unreachable', 'the link is closed');
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
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        // A redirect would carry the token to a place nobody configured.
        redirect: 'error',
        signal: abort.signal,
      });
      return { status: response.status, json: parse(await readBounded(response)) };
    } catch (error) {
      if (late) throw this.#error('deadline.exceeded', `no answer within ${LIMITS.LINK_REQUEST_MS} ms`);
      throw this.#error('link.unreachable', reason(error), '', error);
    } finally {
      timer.cancel();
      this.#open.delete(abort);
    }
  }

  /** A refusal in the coordinator's words where they are words of LINK.md, else what the status says. */
  #refusal(status: number, json: unknown): EdgeError {
    const said = linkRefusalChecker.is(json) ? json : undefined;
    const message = said ? said.message : `answers with status ${status} and no reason`;
    if (status === 409 && (said?.code === 'link.gap' || said?.code === 'link.conflict')) {
      return this.#error(said.code, message, said.hint);
    }
    if (status === 401 || status === 403)
      return this.#error('api.unauthorised', message, 'check link.token_file');
    if (status === 413) return this.#error('api.too_large', message);
    if (status === 400 && said) return this.#error('link.refused', `${said.code}: ${message}`, said.hint);
    return this.#error('link.unreachable', message, status === 404 ? 'check link.central_url' : '');
  }

  #read<T>(check: Checker<T>, json: unknown): T {
    const fault = check.fault(json);
    if (fault === undefined) return json as T;
    throw this.#error(
      'link.unreachable',
      `something else than a coordinator answers: ${fault}`,
      'check link.central_url',
    );
  }

  #error(code: ErrorCode, message: string, hint = '', cause?: unknown): EdgeError {
    return new EdgeError(code, { operation: 'ask central', subject: this.#base.host, message, hint, cause });
  }
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > LIMITS.LINK_ANSWER_BYTES_MAX) throw new Error('the answer is above the limit');
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** fetch hides what went wrong in a chain of causes: the innermost says it. */
function reason(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  const { code, message } = (inner ?? {}) as { code?: string; message?: string };
  return `${message || code || String(inner)}`;
}
