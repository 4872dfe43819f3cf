import { LIMITS } from '../../contract/core.ts';

/** A message as it is sent: the body may be shared by several clients, and is joined to its head only when it is sent. */
export type Outgoing = { readonly head: Uint8Array | string; readonly body?: Uint8Array };

export type SendQueueParts = {
  /** Bytes that may wait for this client. */
  readonly bytesMax: number;
  /** Hands one frame to the socket; `done` is called when it was sent, or failed. */
  send(frame: Uint8Array | string, done: () => void): void;
  /** Messages of this topic were dropped since they would not fit. */
  dropped(topic: string, count: number): void;
  /** Answers that must not be lost no longer fit: the client has to be disconnected. */
  overrun(): void;
};

/** A topic may hold this part of the queue, so that a camera does not push the small topics out. */
const TOPIC_PART = 4;

/**
 * What waits for one client. Answers go first and are never dropped. Samples wait by topic: topics take turns, so a
 * small topic waits for one image at most, and the topic that holds most loses its oldest sample. No I/O.
 */
export class SendQueue {
  readonly #parts: SendQueueParts;
  readonly #answers: Outgoing[] = [];
  readonly #topics = new Map<string, { messages: Outgoing[]; bytes: number }>();
  #bytes = 0;
  #inSocket = 0;
  #sent = 0;
  #closed = false;

  constructor(parts: SendQueueParts) {
    this.#parts = parts;
  }

  /** Bytes that wait, without those in the socket. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Frames that the socket has taken, in all. */
  get sent(): number {
    return this.#sent;
  }

  get isIdle(): boolean {
    return this.#bytes === 0 && this.#inSocket === 0;
  }

  /** Answers wait: the client does not take what it was sent. */
  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  answer(message: Outgoing): void {
    if (this.#closed) return;
    const size = sizeOf(message);
    while (this.#bytes + size > this.#parts.bytesMax && this.#topics.size > 0)
      this.#dropFrom(this.#largest());
    // An empty queue takes any answer: a list of topics may be longer than a small queue.
    if (this.#bytes > 0 && this.#bytes + size > this.#parts.bytesMax) {
      this.close();
      this.#parts.overrun();
      return;
    }
    this.#answers.push(message);
    this.#bytes += size;
    this.#pump();
  }

  /** `most`: messages of this topic that may wait; the oldest are dropped without a report, since the client asked for it. */
  sample(topic: string, message: Outgoing, most = Number.POSITIVE_INFINITY): void {
    if (this.#closed) return;
    const { bytesMax } = this.#parts;
    const size = sizeOf(message);
    if (size > bytesMax) {
      this.#parts.dropped(topic, 1);
      return;
    }
    const held = this.#topics.get(topic) ?? { messages: [], bytes: 0 };
    this.#topics.set(topic, held);
    held.messages.push(message);
    held.bytes += size;
    this.#bytes += size;
    while (held.messages.length > most) this.#dropFrom(topic, false);
    while (held.messages.length > 1 && held.bytes > bytesMax / TOPIC_PART) this.#dropFrom(topic);
    while (this.#bytes > bytesMax && this.#topics.size > 0) this.#dropFrom(this.#largest());
    this.#pump();
  }

  /** Samples of this topic that still wait are not sent. */
  forget(topic: string): void {
    this.#bytes -= this.#topics.get(topic)?.bytes ?? 0;
    this.#topics.delete(topic);
  }

  close(): void {
    this.#closed = true;
    this.#answers.length = 0;
    this.#topics.clear();
    this.#bytes = 0;
  }

  #largest(): string {
    let [name, most] = ['', -1];
    for (const [topic, { bytes }] of this.#topics) if (bytes > most) [name, most] = [topic, bytes];
    return name;
  }

  #dropFrom(topic: string, isReported = true): void {
    const held = this.#topics.get(topic);
    const message = held?.messages.shift();
    if (!held || !message) return;
    held.bytes -= sizeOf(message);
    this.#bytes -= sizeOf(message);
    if (held.messages.length === 0) this.#topics.delete(topic);
    if (isReported) this.#parts.dropped(topic, 1);
  }

  #pump(): void {
    while (!this.#closed && this.#inSocket < LIMITS.ATTACH_SOCKET_BYTES) {
      const message = this.#answers.shift() ?? this.#nextSample();
      if (!message) return;
      const size = sizeOf(message);
      this.#bytes -= size;
      this.#inSocket += size;
      this.#parts.send(frameOf(message), () => {
        this.#inSocket -= size;
        this.#sent += 1;
        this.#pump();
      });
    }
  }

  #nextSample(): Outgoing | undefined {
    for (const [topic, held] of this.#topics) {
      const message = held.messages.shift();
      // To the end of the line: the other topics are next.
      this.#topics.delete(topic);
      if (!message) continue;
      held.bytes -= sizeOf(message);
      if (held.messages.length > 0) this.#topics.set(topic, held);
      return message;
    }
    return undefined;
  }
}

function sizeOf({ head, body }: Outgoing): number {
  return head.length + (body?.length ?? 0);
}

function frameOf({ head, body }: Outgoing): Uint8Array | string {
  if (body === undefined || typeof head === 'string') return head;
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}
