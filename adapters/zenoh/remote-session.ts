import {
  type CongestionControl,
  type ConsolidationMode,
  Duration,
  Encoding,
  type LivelinessToken,
  type Priority,
  type Query,
  type Queryable,
  type QueryTarget,
  type Reply,
  ReplyError,
  type Sample,
  SampleKind,
  type Session,
  type Subscriber,
  type ZBytes,
} from '@eclipse-zenoh/zenoh-ts';
import { type Clock, EdgeError, pause } from '../../contract/core.ts';
import { encodeError } from './error-reply.ts';
import { RemoteInbox, weightOf } from './remote-inbox.ts';
import type {
  FromRemote,
  RemoteAnswer,
  RemoteDeclare,
  RemoteGet,
  RemotePut,
  RemoteValue,
  ToRemote,
} from './remote-messages.ts';
import { RemoteOutbox } from './remote-outbox.ts';
import { RemoteRoom } from './remote-room.ts';

type Post = (message: FromRemote) => void;
type Declared = { readonly entity: Subscriber | Queryable | LivelinessToken; readonly inbox?: RemoteInbox };
/** `room` is that of its queryable. */
type OpenQuery = {
  readonly query: Query;
  readonly room: RemoteRoom;
  readonly bytes: number;
  sent: Promise<void>;
};

/** Unanswered queries per queryable, and their bytes, as with the native driver. */
const QUERIES_OPEN_MAX = 256;
const QUERIES_OPEN_BYTES_MAX = 128 * 1024 * 1024;
/** Bytes of replies kept for one query, as with the native driver. */
const REPLIES_BYTES_MAX = 128 * 1024 * 1024;
/** The wire's numbers (`contract` has names; zenoh-ts has an enum of the same numbers). */
const CONSOLIDATION_NONE = 1 as ConsolidationMode;
const TARGET = { best_matching: 0, all: 1, all_complete: 2 } as const;

/** One session of zenoh-ts, controlled by messages. Lives in the process of zenoh-ts. */
export class RemoteSession {
  readonly session: Session;
  readonly #socket: WebSocket;
  readonly #post: Post;
  readonly #outbox: RemoteOutbox;
  readonly #declared = new Map<number, Declared>();
  /** Queries that wait for their answer. */
  readonly #queries = new Map<number, OpenQuery>();
  readonly #gets = new Set<number>();
  #nextQuery = 1;
  /** Counts messages of the bridge. */
  heard = 0;

  constructor(session: Session, socket: WebSocket, clock: Clock, post: Post) {
    this.session = session;
    this.#socket = socket;
    this.#post = post;
    socket.addEventListener('message', () => {
      this.heard += 1;
    });
    this.#outbox = new RemoteOutbox({
      bufferedBytes: () => (this.#open() ? socket.bufferedAmount : 0),
      send: (put) => this.#send(put),
      later: () => pause(clock, 1),
      done: (ticket, error) => this.#done(ticket, error),
    });
  }

  handle(message: Exclude<ToRemote, { op: 'close' }>): void {
    switch (message.op) {
      case 'put':
        this.#outbox.push(message);
        return;
      case 'taken':
        this.#declared.get(message.id)?.inbox?.taken();
        return;
      case 'get':
        return void this.#get(message);
      case 'forget':
        return void this.#gets.delete(message.id);
      case 'answer':
        return void this.#answer(message);
      case 'undeclare':
        return void this.#undeclare(message.ticket, message.id);
      default:
        return void this.#declare(message.ticket, message);
    }
  }

  /** What came in before the link ended is not lost with it. */
  drain(): void {
    for (const { inbox } of this.#declared.values()) inbox?.drain();
  }

  #open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async #send(put: RemotePut): Promise<void> {
    // A closed socket would drop it silently.
    if (!this.#open()) throw new Error('the connection to the bridge is closed');
    const options = {
      priority: put.priority as Priority,
      congestionControl: (put.block ? 1 : 0) as CongestionControl,
      express: put.express,
      ...(put.attachment === undefined ? {} : { attachment: put.attachment }),
    };
    if (put.payload === undefined) return this.session.delete(put.key, options);
    const encoding = put.encoding === undefined ? {} : { encoding: put.encoding };
    await this.session.put(put.key, put.payload, { ...options, ...encoding });
  }

  async #declare(ticket: number, order: RemoteDeclare): Promise<void> {
    try {
      if (!this.#open()) throw new Error('the connection to the bridge is closed');
      this.#declared.set(order.id, await this.#make(order));
      this.#done(ticket);
    } catch (thrown) {
      this.#done(ticket, textOf(thrown));
    }
  }

  async #make(order: RemoteDeclare): Promise<Declared> {
    const { id, keyExpr } = order;
    switch (order.op) {
      case 'subscribe': {
        const inbox = new RemoteInbox(order, (values, dropped) => {
          this.#post({ op: 'values', id, values, dropped });
        });
        // Values may come before the answer to the declaration.
        const handler = (sample: Sample) => inbox.push(toValue(sample));
        return { entity: await this.session.declareSubscriber(keyExpr, { handler }), inbox };
      }
      case 'queryable': {
        const room = new RemoteRoom({ count: QUERIES_OPEN_MAX, bytes: QUERIES_OPEN_BYTES_MAX });
        const handler = (query: Query) => this.#ask(id, room, query);
        return {
          entity: await this.session.declareQueryable(keyExpr, { complete: order.complete, handler }),
        };
      }
      case 'token':
        return { entity: await this.session.liveliness().declareToken(keyExpr) };
      case 'watch': {
        const handler = (sample: Sample) => {
          const alive = sample.kind() === SampleKind.PUT;
          this.#post({ op: 'change', id, key: sample.keyexpr().toString(), alive });
        };
        const options = { history: true, handler };
        return { entity: await this.session.liveliness().declareSubscriber(keyExpr, options) };
      }
    }
  }

  async #undeclare(ticket: number, id: number): Promise<void> {
    const declared = this.#declared.get(id);
    this.#declared.delete(id);
    try {
      if (this.#open()) await declared?.entity.undeclare();
      this.#done(ticket, undefined, declared?.inbox?.dropped);
    } catch (thrown) {
      this.#done(ticket, textOf(thrown), declared?.inbox?.dropped);
    }
  }

  async #get(order: RemoteGet): Promise<void> {
    const { id } = order;
    // Never given back: the daemon holds all replies until the end.
    const room = new RemoteRoom({ count: order.repliesMax, bytes: REPLIES_BYTES_MAX });
    let lost = 0;
    const onReply = (reply: Reply) => {
      if (!this.#gets.has(id)) return;
      const result = reply.result();
      const ok = !(result instanceof ReplyError);
      const value = ok ? toValue(result) : toErrorValue(result);
      if (room.take(weightOf(value))) this.#post({ op: 'reply', id, ok, value });
      else lost += 1;
    };
    const onFinal = () => {
      if (this.#gets.delete(id)) this.#post({ op: 'final', id, lost });
    };
    this.#gets.add(id);
    try {
      if (!this.#open()) throw new Error('the connection to the bridge is closed');
      await this.session.get(order.selector, {
        handler: [onReply, onFinal],
        timeout: Duration.milliseconds.of(order.timeoutMs),
        target: TARGET[order.target] as QueryTarget,
        consolidation: CONSOLIDATION_NONE,
        ...(order.payload === undefined ? {} : { payload: order.payload }),
        ...(order.encoding === undefined ? {} : { encoding: order.encoding }),
        ...(order.attachment === undefined ? {} : { attachment: order.attachment }),
      });
    } catch (thrown) {
      const payload = new TextEncoder().encode(textOf(thrown));
      const value = { key: '', payload, encoding: 'text/plain', deleted: false };
      if (this.#gets.has(id)) this.#post({ op: 'reply', id, ok: false, value });
      onFinal();
    }
  }

  #ask(id: number, room: RemoteRoom, query: Query): void {
    const key = query.keyExpr().toString();
    const parameters = query.parameters().toString();
    const payload = bytesOf(query.payload());
    const attachment = bytesOf(query.attachment());
    const encoding = query.encoding()?.toString() ?? '';
    const texts = key.length + parameters.length;
    const bytes = texts + (payload?.byteLength ?? 0) + (attachment?.byteLength ?? 0);
    if (!room.take(bytes)) {
      const reply = encodeError(refusal(key, room.couldEverTake(bytes)).toBody(), encoding);
      void query
        .replyErr(reply.payload, { encoding: Encoding.fromString(reply.encoding) })
        .finally(() => query.finalize());
      return;
    }
    const number = this.#nextQuery++;
    this.#queries.set(number, { query, room, bytes, sent: Promise.resolve() });
    this.#post({ op: 'query', id, query: number, key, parameters, payload, encoding, attachment });
  }

  /** One after the other: answers to one query stay in order. */
  #answer(answer: RemoteAnswer): Promise<void> {
    const asked = this.#queries.get(answer.query);
    if (!asked) return Promise.resolve();
    if (answer.last) {
      this.#queries.delete(answer.query);
      asked.room.giveBack(asked.bytes);
    }
    asked.sent = asked.sent.then(() => this.#reply(asked.query, answer)).catch(() => {});
    return asked.sent;
  }

  async #reply(query: Query, answer: RemoteAnswer): Promise<void> {
    if (!this.#open()) return;
    const { encoding, attachment } = answer;
    if (answer.ok) {
      const options = { encoding, ...(attachment === undefined ? {} : { attachment }) };
      await query.reply(answer.key, answer.payload, options);
    } else {
      await query.replyErr(answer.payload, { encoding: Encoding.fromString(encoding) });
    }
    if (answer.last) await query.finalize();
  }

  #done(ticket: number, error?: string, dropped?: number): void {
    this.#post({
      op: 'done',
      ticket,
      ...(error === undefined ? {} : { error }),
      ...(dropped === undefined ? {} : { dropped }),
    });
  }
}

/** Why a query is refused, in the words of the native driver. */
function refusal(key: string, fits: boolean): EdgeError {
  return new EdgeError(fits ? 'cell.overloaded' : 'sample.too_large', {
    operation: 'answer query',
    subject: key,
    message: fits
      ? 'the queries that wait for an answer are too many or too large'
      : 'the query is larger than the budget for waiting queries',
  });
}

function toValue(sample: Sample): RemoteValue {
  return {
    key: sample.keyexpr().toString(),
    payload: sample.payload().toBytes(),
    encoding: sample.encoding().toString(),
    deleted: sample.kind() === SampleKind.DELETE,
    attachment: bytesOf(sample.attachment()),
  };
}

function toErrorValue(error: ReplyError): RemoteValue {
  const payload = error.payload().toBytes();
  return { key: '', payload, encoding: error.encoding().toString(), deleted: false };
}

function bytesOf(bytes: ZBytes | undefined): Uint8Array | undefined {
  return bytes?.toBytes();
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
