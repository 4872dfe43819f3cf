import { EdgeError, type ErrorBody, LIMITS } from '../../contract/core.ts';

export type ApiCallerParts = {
  /** Address of the API of this daemon; it changes when the daemon picks a free port again. */
  url(): string;
  /** The token of the client. Undefined: it showed none. */
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
};

/**
 * The API of this daemon in the name of one client: its token, its rights, its policies. A server of another protocol has
 * no rights of its own, so a client can do through it only what it may do at the API.
 */
export class ApiCaller {
  readonly #parts: ApiCallerParts;

  constructor(parts: ApiCallerParts) {
    this.#parts = parts;
  }

  get<T>(path: string, timeoutMs: number = LIMITS.ATTACH_CALL_MS): Promise<T> {
    return this.#call('GET', path, undefined, timeoutMs);
  }

  post<T>(path: string, body: unknown, timeoutMs: number = LIMITS.ATTACH_CALL_MS): Promise<T> {
    return this.#call('POST', path, JSON.stringify(body, wireValue), timeoutMs);
  }

  async #call<T>(method: string, path: string, body: string | undefined, timeoutMs: number): Promise<T> {
    const { token } = this.#parts;
    const operation = `${method} ${path.split('?', 1)[0]}`;
    const subject = 'the API of this daemon';
    try {
      const response = await this.#parts.fetch(new URL(path, this.#parts.url()), {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const answer = (await response.json()) as T & { readonly error?: ErrorBody };
      if (response.ok) return answer;
      throw EdgeError.fromBody(answer.error ?? (answer as unknown as ErrorBody));
    } catch (thrown) {
      const late = (thrown as Error).name === 'TimeoutError';
      if (late) throw new EdgeError('deadline.exceeded', { operation, subject, cause: thrown });
      throw EdgeError.from(thrown, 'cell.unavailable', operation, subject);
    }
  }
}

/** As the API reads values of ROS: 64-bit integers as text, bytes as a list. */
function wireValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString(10);
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value;
}
