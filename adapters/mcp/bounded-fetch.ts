import type { FetchLike } from '@modelcontextprotocol/client';

/**
 * `fetch` whose answers end: a body longer than `bytesMax` fails, and so does one message of an event stream. Redirects
 * stay with the SDK, which follows them within the same origin only.
 */
export function boundedFetch(bytesMax: number): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!response.body) return response;
    const stream = (response.headers.get('content-type') ?? '').includes('text/event-stream');
    const bounded = response.body.pipeThrough(counter(bytesMax, stream));
    const { status, statusText, headers } = response;
    const answer = new Response(bounded, { status, statusText, headers });
    // The SDK compares it with its request.
    Object.defineProperty(answer, 'url', { value: response.url });
    Object.defineProperty(answer, 'redirected', { value: response.redirected });
    return answer;
  };
}

/** Counts bytes since the last empty line of a stream, or all bytes. */
function counter(bytesMax: number, stream: boolean): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  let ended = false;
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of stream ? chunk : []) {
        if (byte === 13) continue;
        if (byte === 10 && ended) bytes = 0;
        ended = byte === 10;
        bytes++;
      }
      if (!stream) bytes += chunk.byteLength;
      if (bytes > bytesMax) controller.error(new Error(`a message has more than ${bytesMax} bytes`));
      else controller.enqueue(chunk);
    },
  });
}
