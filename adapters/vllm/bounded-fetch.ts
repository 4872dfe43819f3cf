import { EdgeError } from '../../contract/core.ts';

export type FetchLimits = {
  /** Bytes of one answer, after decompression. */
  readonly bytesMax: number;
  /** Media type that an answer below 300 has to have. */
  readonly contentType: string;
  readonly subject: string;
};

/** Errors of a connection that ended under a request without an answer. */
const CUT: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * `fetch` with limits: an answer of another kind is refused before it is read, one that
 * is too large is cut while it comes, and no redirect is followed, since the key would go along.
 */
export function boundedFetch(limits: FetchLimits): typeof fetch {
  const { bytesMax, contentType, subject } = limits;
  return async (input, init) => {
    const response = await fetchAgain(input, { ...init, redirect: 'manual' });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw broken(
        subject,
        `the server redirects (HTTP ${response.status}); redirects are not followed`,
        false,
      );
    }
    const given = response.headers.get('content-type') ?? '';
    if (response.ok && !given.toLowerCase().startsWith(contentType)) {
      await response.body?.cancel();
      throw broken(
        subject,
        `the server answers ${given === '' ? 'without a content type' : given.slice(0, 100)} where ${contentType} was asked`,
        false,
      );
    }
    if (response.body === null) return response;
    const bounded = response.body.pipeThrough(counter(bytesMax, subject));
    return new Response(bounded, { status: response.status, headers: response.headers });
  };
}

/**
 * A connection that was kept may be closed by its server just as the next request goes out (uvicorn, and vLLM with
 * it, after 5 s): this is no fault of the server, and a new connection works. Retried once, before any answer started.
 */
async function fetchAgain(input: string | URL | Request, init: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (thrown) {
    const { code = '' } = ((thrown as Error).cause ?? {}) as { readonly code?: string };
    if (!CUT.has(code) || init.signal?.aborted) throw thrown;
    return await fetch(input, init);
  }
}

function counter(bytesMax: number, subject: string): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax)
        controller.error(broken(subject, `the answer is larger than ${bytesMax} bytes`, true));
      else controller.enqueue(chunk);
    },
  });
}

function broken(subject: string, message: string, retryable: boolean): EdgeError {
  return new EdgeError('model.failed', { operation: 'complete', subject, message, retryable });
}
