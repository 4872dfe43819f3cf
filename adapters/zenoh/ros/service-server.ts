import {
  type Answer,
  type Declaration,
  EdgeError,
  type MessageValue,
  type Query,
  withDeadline,
} from '../../../contract/core.ts';
import { makeAttachment, readAttachment } from './attachment.ts';
import type { MessageCodec } from './message-codec.ts';
import { dataKey } from './names.ts';
import { ROS_DEFAULT_QOS } from './qos-text.ts';
import type { OwnEndpoint, RosZenohSession } from './session.ts';

/** How long a handler may take by default, milliseconds. */
const HANDLER_MS = 10_000;
const ANSWER_MARGIN_MS = 1_000;

export type ServeOptions = { readonly timeoutMs?: number };

/** A service of this daemon: a complete queryable, announced after it answers. */
export class ServiceServer {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  readonly #name: string;
  readonly #type: string;
  readonly #handle: (request: MessageValue) => Promise<MessageValue>;
  readonly #timeoutMs: number;
  #queryable: Declaration | undefined;
  #endpoint: OwnEndpoint | undefined;

  constructor(
    session: RosZenohSession,
    codec: MessageCodec,
    name: string,
    type: string,
    handle: (request: MessageValue) => Promise<MessageValue>,
    { timeoutMs = HANDLER_MS }: ServeOptions = {},
  ) {
    this.#session = session;
    this.#codec = codec;
    this.#name = name;
    this.#type = type;
    this.#handle = handle;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws `sample.unknown_type`, or what the key space throws. */
  async open(): Promise<void> {
    const hash = this.#session.types.hash(this.#type);
    const key = dataKey(this.#session.options.domain, this.#name, this.#type, hash);
    const space = await this.#session.space();
    this.#queryable = await space.queryable(key, (query) => this.#answer(query), {
      complete: true,
      // Later than the deadline here, so that one place decides.
      timeoutMs: this.#timeoutMs + ANSWER_MARGIN_MS,
    });
    try {
      this.#endpoint = await this.#session.announce('SS', this.#name, this.#type, hash, ROS_DEFAULT_QOS);
    } catch (error) {
      await this.#queryable.undeclare();
      throw error;
    }
  }

  /** Leaves the graph first, so that no client sends a request that is not answered. */
  async close(): Promise<void> {
    await this.#endpoint?.undeclare();
    await this.#queryable?.undeclare();
  }

  /** The client gets the reason of a failure; a node on rmw_zenoh logs it and waits on. */
  async #answer({ payload, attachment }: Query): Promise<Answer> {
    try {
      const asked = readAttachment(attachment);
      if (!asked || !payload) throw this.#failed('a request without payload or attachment');
      const request = this.#codec.decode(`${this.#type}_Request`, payload);
      const work = Promise.resolve().then(() => this.#handle(request));
      const { clock } = this.#session;
      const value = await withDeadline(clock, this.#timeoutMs, work, 'answer a service request', this.#name);
      return {
        payload: this.#codec.encode(`${this.#type}_Response`, value),
        encoding: 'application/cdr',
        attachment: makeAttachment(asked.sequence, clock.now(), asked.gid),
      };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#session.report('error', `${this.#name}: a request got no answer: ${why}`);
      throw this.#failed(why);
    }
  }

  #failed(message: string): EdgeError {
    return new EdgeError('ros.failed', {
      operation: 'answer a service request',
      subject: this.#name,
      message,
    });
  }
}
