import {
  type Answer,
  type AnswerPart,
  type Clock,
  EdgeError,
  type Query,
  type Reply,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { decodeError, encodeError, silent } from './error-reply.ts';
import { isKey } from './key-expr.ts';
import type { QueryOptions } from './native-queries.ts';
import type { RemoteLink } from './remote-link.ts';
import type { FromRemote } from './remote-messages.ts';

/** Replies to one query, as with the native driver. */
const REPLIES_MAX = 4096;
/** Zenoh's own timeout is later than the one here, so that one place decides: our clock. */
const TIMEOUT_MARGIN_MS = 1_000;
const TIMEOUT_MS_MAX = 3_600_000;

/** What answers at a key expression, and how long it may take. */
export type RemoteService = {
  readonly keyExpr: string;
  readonly timeoutMs: number;
  readonly answer: (query: Query, part: AnswerPart) => Promise<Answer>;
};

type Asked = {
  readonly selector: string;
  readonly replies: Reply[];
  readonly onReply: ((reply: Reply) => void) | undefined;
  /** The signal is no longer listened to. */
  readonly unhear: () => void;
  readonly timer: Timer;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: EdgeError) => void;
};

/** Questions that wait for their answers. */
export class RemoteQueries {
  readonly #link: RemoteLink;
  readonly #clock: Clock;
  readonly #asked = new Map<number, Asked>();

  constructor(link: RemoteLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /** Always settles by its deadline; rejects with `zenoh.failed` without a bridge. */
  ask(id: number, selector: string, options: QueryOptions): Promise<readonly Reply[]> {
    if (!this.#link.up) {
      const message = 'the bridge is not connected; the driver reconnects automatically';
      const subject = selector;
      return Promise.reject(
        new EdgeError('zenoh.failed', { operation: 'query', subject, message, retryable: true }),
      );
    }
    const timeoutMs = Math.min(Math.max(options.timeoutMs, 0), TIMEOUT_MS_MAX);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#link.send({ op: 'forget', id });
        this.#end(id, silent(selector, `no answer within ${options.timeoutMs} ms`));
      });
      const { onReply, signal } = options;
      const abort = () => {
        this.#link.send({ op: 'forget', id });
        this.#end(id, undefined);
      };
      const unhear = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort, { once: true });
      this.#asked.set(id, { selector, replies: [], onReply, unhear, timer, resolve, reject });
      if (signal?.aborted) return this.#end(id, undefined);
      this.#link.send({
        op: 'get',
        id,
        selector,
        payload: options.payload,
        encoding: options.encoding,
        attachment: options.attachment,
        target: options.target ?? 'all',
        timeoutMs: Math.ceil(timeoutMs) + TIMEOUT_MARGIN_MS,
        repliesMax: REPLIES_MAX,
      });
    });
  }

  onMessage(message: Extract<FromRemote, { op: 'reply' | 'final' }>): void {
    const asked = this.#asked.get(message.id);
    if (!asked) return;
    if (message.op === 'reply') {
      const reply = toReply(message, asked.selector);
      asked.replies.push(reply);
      asked.onReply?.(reply);
    } else this.#end(message.id, message.lost > 0 ? tooMany(asked.selector, message.lost) : undefined);
  }

  /** The session is gone: replies so far are returned with the error; without replies, or if closed, only the error. */
  endAll(error: EdgeError): void {
    for (const [id, { replies, timer, unhear, reject }] of [...this.#asked]) {
      if (replies.length > 0 && error.code !== 'zenoh.closed') {
        this.#end(id, error);
        continue;
      }
      this.#asked.delete(id);
      timer.cancel();
      unhear();
      reject(error);
    }
  }

  #end(id: number, error: EdgeError | undefined): void {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    asked.timer.cancel();
    asked.unhear();
    if (error) {
      const reply: Reply = { ok: false, error: error.toBody() };
      asked.replies.push(reply);
      asked.onReply?.(reply);
    }
    asked.resolve(asked.replies);
  }
}

/** Answers one query: by the answer, or by the typed error that `answer` threw. */
export async function serveRemoteQuery(
  link: RemoteLink,
  clock: Clock,
  { keyExpr, timeoutMs, answer }: RemoteService,
  message: Extract<FromRemote, { op: 'query' }>,
): Promise<void> {
  const { generation } = link;
  const { query: number, key, parameters, payload, encoding, attachment } = message;
  const query: Query = {
    key,
    parameters,
    payload,
    encoding,
    ...(attachment === undefined ? {} : { attachment }),
  };
  // The next session would take the number for one of its own queries.
  let over = false;
  const send = (ok: boolean, given: Answer, last = true) => {
    if (link.generation !== generation || over) return;
    over = last;
    const to = isKey(keyExpr) ? keyExpr : key;
    link.send({ op: 'answer', query: number, ok, last, key: to, attachment: undefined, ...given });
  };
  try {
    const work = Promise.resolve().then(() => answer(query, (part) => send(true, part, false)));
    send(true, await withDeadline(clock, timeoutMs, work, 'answer query', keyExpr));
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'zenoh.failed', 'answer query', keyExpr);
    send(false, encodeError(error.toBody(), encoding));
  }
}

function toReply(message: Extract<FromRemote, { op: 'reply' }>, selector: string): Reply {
  const { key, payload, encoding, deleted, attachment } = message.value;
  if (!message.ok) return { ok: false, error: decodeError(payload, encoding, selector) };
  const kind = deleted ? 'delete' : 'put';
  return {
    ok: true,
    value: { key, payload, encoding, kind, ...(attachment === undefined ? {} : { attachment }) },
  };
}

function tooMany(selector: string, lost: number): EdgeError {
  return new EdgeError('zenoh.failed', {
    operation: 'query',
    subject: selector,
    message: `${lost} replies above the limits were dropped`,
    hint: 'query a narrower key expression',
  });
}
