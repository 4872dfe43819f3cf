/** The API of a robot, typed. The types are in auraison-api.d.ts, which is generated; openapi-fetch makes the requests. */
import createClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './auraison-api.d.ts';

export type ErrorBody = components['schemas']['ErrorBody'];
/** A fact that a cell wrote down; `kind` says which payload it has. */
export type AgentEvent = components['schemas']['AgentEvent'];
export type EventKind = AgentEvent['kind'];
export type EventOf<Kind extends EventKind> = Extract<AgentEvent, { kind: Kind }>;

export type EventFilter<Kind extends EventKind = EventKind> = {
  readonly kinds?: readonly Kind[];
  /** Events of this run; the stream ends with the run. */
  readonly run?: string;
  /** Where to continue: `cursor` of the last entry that was read. */
  readonly after?: string;
  readonly signal?: AbortSignal;
};
/** `cursor`: for `after`, also of another process. */
export type Entry<Kind extends EventKind> = { readonly event: EventOf<Kind>; readonly cursor: string };

export type Robot = {
  /** Every call of the API: `api.POST('/v1/intents', { body: { type: 'maze/find_exit' } })`. */
  readonly api: Client<paths>;
  /**
   * Events, each exactly once and in order, from the first one that is kept. A lost connection is made again and continues
   * where it was. Throws `ApiError` where the robot refuses the request, and where the stream cannot continue.
   */
  events<Kind extends EventKind = EventKind>(filter?: EventFilter<Kind>): AsyncGenerator<Entry<Kind>, void>;
  /** Live topics: what a WebSocket wants for the protocol of Foxglove (`new FoxgloveClient({ ws: new WebSocket(url, protocols) })`). */
  live(): { readonly url: string; readonly protocols: string[] };
};

/** What the robot answered instead of a result. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.hint === '' ? body.message : `${body.message}; ${body.hint}`);
    this.status = status;
    this.body = body;
  }
}

/** An address without a scheme fails at each request, and an event stream would wait for the robot for ever. */
function baseOf(url: string): string {
  const { protocol } = URL.canParse(url) ? new URL(url) : { protocol: '' };
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new TypeError(`expected an address like http://127.0.0.1:7601, found "${url}"`);
  return url.replace(/\/+$/, '');
}

/** `url`: http://127.0.0.1:7601; throws TypeError where it is not an address of http or https. `token`: of the file `token` in the data directory, or of a principal. */
export function connectRobot(url: string, token: string): Robot {
  const base = baseOf(url);
  const headers = { authorization: `Bearer ${token}` };
  return {
    api: createClient<paths>({ baseUrl: base, headers }),
    events: (filter = {}) => follow(base, headers, filter),
    live: () => ({
      url: `${base.replace(/^http/, 'ws')}/v1/live`,
      protocols: ['foxglove.sdk.v1', `bearer.${base64url(token)}`],
    }),
  };
}

/** The result of a call of `api`, or its error thrown as `ApiError`. */
export function resultOf<Data>(answer: { data?: Data; error?: unknown; response: Response }): Data {
  if (answer.error !== undefined) throw new ApiError(answer.response.status, answer.error as ErrorBody);
  return answer.data as Data;
}

/** Milliseconds before a lost connection is made again. */
const PAUSE_MS = 1_000;

async function* follow<Kind extends EventKind>(
  base: string,
  headers: Readonly<Record<string, string>>,
  { kinds = [], run, after, signal }: EventFilter<Kind>,
): AsyncGenerator<Entry<Kind>, void> {
  const query = new URLSearchParams(kinds.map((kind) => ['kind', kind]));
  const path = run === undefined ? '/v1/events' : `/v1/runs/${encodeURIComponent(run)}/events`;
  const isAborted = () => signal?.aborted === true;
  let cursor = after;
  while (!isAborted()) {
    try {
      const response = await fetch(`${base}${path}?${query}`, {
        headers: {
          ...headers,
          accept: 'text/event-stream',
          ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
        },
        ...(signal && { signal }),
      });
      // The run is over, and there is nothing after the cursor.
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw await errorOf(response);
      for await (const { event, id, data } of messages(response.body)) {
        if (event === 'end') return;
        if (event === 'error') throw new ApiError(response.status, JSON.parse(data) as ErrorBody);
        if (id === undefined) continue;
        cursor = id;
        if (data !== '') yield { event: JSON.parse(data) as EventOf<Kind>, cursor };
      }
    } catch (thrown) {
      if (isAborted()) return;
      const isFinal = thrown instanceof ApiError ? !thrown.body.retryable : !(thrown instanceof TypeError);
      if (isFinal) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Also of a proxy, whose body is a page: 5xx of it may pass. */
async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => undefined)) as ErrorBody | undefined;
  if (body?.code !== undefined) return new ApiError(response.status, body);
  const message = `${response.url} answered ${response.status}, which is not of the robot`;
  const retryable = response.status >= 500;
  return new ApiError(response.status, { code: 'cell.unavailable', message, retryable } as ErrorBody);
}

type Message = { event: string | undefined; id: string | undefined; data: string };

/** Server-sent events as they come. Comments, with which the robot shows that it is there, are left out. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder();
  let text = '';
  let message: Message = { event: undefined, id: undefined, data: '' };
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        yield message;
        message = { event: undefined, id: undefined, data: '' };
      } else if (line.startsWith('event: ')) message.event = line.slice(7);
      else if (line.startsWith('id: ')) message.id = line.slice(4);
      else if (line.startsWith('data: ')) message.data += line.slice(6);
    }
  }
}

function base64url(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
