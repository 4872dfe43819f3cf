import {
  type Answer,
  type AnswerPart,
  type Clock,
  EdgeError,
  type KeySpace,
  type Query,
  type Reply,
  withDeadline,
} from '../../contract/core.ts';
import { decodeError, encodeError, silent } from './error-reply.ts';
import { isKey } from './key-expr.ts';
import { EVENT, type NativeEvent } from './native-batch.ts';
import type { NativePump } from './native-pump.ts';
import type { NativeSession } from './native-types.ts';

export type QueryOptions = Parameters<KeySpace['query']>[1];

/** Replies to one query, and their bytes; further ones are counted and reported as one error reply. */
const REPLIES_MAX = 4096;
const REPLIES_BYTES_MAX = 128 * 1024 * 1024;
/** If there is no answer by then an error is sent: the caller has timed out long before. */
const ANSWER_MS_MAX = 60_000;
/** Zenoh's own timeout is later than the one here, so that one place decides: our clock. */
const TIMEOUT_MARGIN_MS = 1_000;
const TIMEOUT_MS_MAX = 3_600_000;
const TARGET = { best_matching: 'best', all: 'all', all_complete: 'all-complete' } as const;

/** `robot/a?x=1` is the key expression `robot/a` with the parameters `x=1`. */
export function splitSelector(selector: string): { keyExpr: string; parameters: string } {
  const mark = selector.indexOf('?');
  if (mark < 0) return { keyExpr: selector, parameters: '' };
  return { keyExpr: selector.slice(0, mark), parameters: selector.slice(mark + 1) };
}

/** Asks and collects. Settles when all who could answer have, or when the time is over. */
export function runQuery(
  session: NativeSession,
  pump: NativePump,
  clock: Clock,
  selector: string,
  options: QueryOptions,
): Promise<readonly Reply[]> {
  const { keyExpr, parameters } = splitSelector(selector);
  const timeoutMs = Math.min(Math.max(options.timeoutMs, 0), TIMEOUT_MS_MAX);
  const { onReply, signal } = options;
  return new Promise((resolve) => {
    const replies: Reply[] = [];
    const id = session.get(
      keyExpr,
      parameters,
      options.payload,
      options.attachment,
      options.encoding,
      TARGET[options.target ?? 'all'],
      Math.ceil(timeoutMs) + TIMEOUT_MARGIN_MS,
      REPLIES_MAX,
      REPLIES_BYTES_MAX,
    );
    const begun = pump.eager.begin();
    let ended = false;
    const finish = () => {
      // The callback of a reply may abort the query.
      if (ended) return;
      ended = true;
      pump.eager.over(begun);
      timer.cancel();
      signal?.removeEventListener('abort', abort);
      pump.remove(id);
      resolve(replies);
    };
    const add = (reply: Reply) => {
      replies.push(reply);
      onReply?.(reply);
    };
    const abort = () => {
      session.undeclare(id).catch(() => {});
      finish();
    };
    const timer = clock.after(timeoutMs, () => {
      session.undeclare(id).catch(() => {});
      const message = `no answer within ${options.timeoutMs} ms`;
      add({ ok: false, error: silent(selector, message).toBody() });
      finish();
    });
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    pump.add(id, (events) => {
      for (const event of events) {
        if (ended) return;
        if (event.type !== EVENT.getDone) {
          add(toReply(event, selector));
          continue;
        }
        if (event.aux > 0) add({ ok: false, error: tooMany(selector, event.aux) });
        finish();
      }
    });
  });
}

/** Answers one query: by the answer, or by the typed error that `answer` threw. */
export async function serveQuery(
  session: NativeSession,
  clock: Clock,
  keyExpr: string,
  event: NativeEvent,
  answer: (query: Query, part: AnswerPart) => Promise<Answer>,
  timeoutMs = ANSWER_MS_MAX,
): Promise<void> {
  const query: Query = {
    key: event.key,
    parameters: event.text,
    payload: event.payload,
    encoding: event.encoding,
    ...(event.attachment === undefined ? {} : { attachment: event.attachment }),
  };
  // An answer is for a key: the one of the queryable, or where that has wildcards the one that was asked for.
  const key = isKey(keyExpr) ? keyExpr : event.key;
  let over = false;
  const part: AnswerPart = ({ payload, encoding, attachment }) => {
    if (!over) session.replyPart(event.aux, key, payload, encoding, attachment);
  };
  try {
    const work = Promise.resolve().then(() => answer(query, part));
    const { payload, encoding, attachment } = await withDeadline(
      clock,
      timeoutMs,
      work,
      'answer query',
      keyExpr,
    );
    over = true;
    session.reply(event.aux, key, payload, encoding, attachment);
  } catch (thrown) {
    const error = EdgeError.from(thrown, 'zenoh.failed', 'answer query', keyExpr);
    if (error.code === 'zenoh.closed') throw error;
    const reply = encodeError(error.toBody(), event.encoding);
    session.replyError(event.aux, reply.payload, reply.encoding);
  } finally {
    over = true;
    session.finish(event.aux);
  }
}

function toReply(event: NativeEvent, selector: string): Reply {
  const payload = event.payload ?? new Uint8Array(0);
  if (event.type === EVENT.errorReply) {
    return { ok: false, error: decodeError(payload, event.encoding, selector) };
  }
  return {
    ok: true,
    value: {
      key: event.key,
      payload,
      encoding: event.encoding,
      kind: event.deleted ? 'delete' : 'put',
      ...(event.attachment === undefined ? {} : { attachment: event.attachment }),
    },
  };
}

function tooMany(selector: string, lost: number) {
  return new EdgeError('zenoh.failed', {
    operation: 'query',
    subject: selector,
    message: `${lost} replies above the limits were dropped`,
    hint: 'query a narrower key expression',
  }).toBody();
}
