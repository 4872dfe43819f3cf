import { A2A_LIMITS, type Clock } from '../../../contract/core.ts';

export type GuardParts = {
  readonly clock: Clock;
  /** The only origin that is asked, and that sees the token. */
  readonly origin: string;
  readonly token: (() => string) | undefined;
  readonly fetch: typeof fetch;
  /** Ends every request. */
  readonly signal: AbortSignal;
};

/**
 * `fetch` for an agent that is not trusted: its card cannot lead a request or the token to another origin, redirects
 * fail, its answer starts in time, and no answer and no event has more bytes than allowed.
 */
export function guardedFetch({ clock, origin, token, fetch: plain, signal }: GuardParts): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== origin)
      throw new Error(`the agent names ${url.origin}, and only ${origin} is configured`);
    const headers = new Headers(init?.headers);
    const shown = token?.();
    if (shown !== undefined && shown !== '') headers.set('authorization', `Bearer ${shown}`);
    const late = new AbortController();
    const timer = clock.after(A2A_LIMITS.ANSWER_MS, () =>
      late.abort(new Error(`no answer within ${A2A_LIMITS.ANSWER_MS} ms`)),
    );
    const either = AbortSignal.any([signal, late.signal, ...(init?.signal ? [init.signal] : [])]);
    try {
      const response = await plain(url, { ...init, headers, redirect: 'error', signal: either });
      if (!response.body) return response;
      const { status, statusText } = response;
      const events = (response.headers.get('content-type') ?? '').includes('text/event-stream');
      const body = response.body.pipeThrough(counter(events));
      return new Response(body, { status, statusText, headers: response.headers });
    } finally {
      timer.cancel();
    }
  };
}

/** Ends of an event: an empty line, with either end of lines. */
const EVENT_ENDS = ['\n\n', '\n\r\n'] as const;

/** Counts all bytes, of a stream of events those since the last empty line. */
function counter(events: boolean): TransformStream<Uint8Array, Uint8Array> {
  const most = A2A_LIMITS.ANSWER_BYTES_MAX;
  let bytes = 0;
  // An empty line may come in two chunks.
  let rest: Uint8Array = new Uint8Array();
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (events) {
        const seen = Buffer.concat([rest, chunk]);
        for (const end of EVENT_ENDS) {
          const at = seen.lastIndexOf(end);
          if (at >= 0) bytes = Math.min(bytes, seen.length - at - end.length);
        }
        rest = seen.subarray(-2);
      }
      if (bytes > most) controller.error(new Error(`an answer has more than ${most} bytes`));
      else controller.enqueue(chunk);
    },
  });
}
