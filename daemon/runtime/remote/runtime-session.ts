import {
  type Clock,
  EdgeError,
  RUNTIME_CLOSE,
  RUNTIME_LIMITS,
  type RunFromRuntime,
  type RuntimeHello,
  type RuntimeLink,
  type Timer,
} from '../../../contract/index.ts';

/** What a run hears of its session. */
export type RunSink = {
  take(message: RunFromRuntime): void;
  /** The connection is gone; the session is kept for a while. */
  lost(): void;
  /** The connection is back, and nothing is missing. */
  back(): void;
  /** The session is over: whatever the runtime had of this run, it has no more. */
  gone(): void;
};

export type SessionParts = {
  readonly id: string;
  readonly name: string;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly keepMs: number;
  /** Once: the session is over. */
  readonly over: (reason: string) => void;
};

type Sent = {
  readonly seq: number;
  readonly text: string;
  readonly bytes: number;
  readonly acked: (() => void) | undefined;
};

/** Heartbeats without a word after which a connection is lost. */
const SILENT_BEATS = 3;

/** Not of the contract; the connection is closed with `close`. */
export class Misbehaved extends EdgeError {
  readonly close: number;

  constructor(subject: string, message: string, close: number = RUNTIME_CLOSE.malformed) {
    super('runtime.refused', { operation: 'receive', subject, message, hint: 'see contract/RUNTIME.md' });
    this.close = close;
  }
}

/**
 * What daemon and runtime have said to each other, over one connection after another. Messages are numbered and kept
 * until they are acknowledged, so that a new connection continues where the last one broke.
 */
export class RuntimeSession {
  readonly #parts: SessionParts;
  #hello: RuntimeHello;
  #link: RuntimeLink | undefined;
  #peer = '';
  readonly #runs = new Map<string, RunSink>();
  #outbox: Sent[] = [];
  #outboxBytes = 0;
  /** How many of the outbox, from its start, were sent over this connection. */
  #flowing = 0;
  #flowingBytes = 0;
  #lastSeq = 0;
  #received = 0;
  #heardMs = 0;
  #saidMs = 0;
  #beat: Timer | undefined;
  #keep: Timer | undefined;
  #ended = false;
  #strikes = 0;

  constructor(parts: SessionParts, hello: RuntimeHello) {
    this.#parts = parts;
    this.#hello = hello;
  }

  get id(): string {
    return this.#parts.id;
  }

  get hello(): RuntimeHello {
    return this.#hello;
  }

  get peer(): string {
    return this.#peer;
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  get received(): number {
    return this.#received;
  }

  /** Not acknowledged: messages and bytes. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.#outbox.length, bytes: this.#outboxBytes };
  }

  get strikes(): number {
    return this.#strikes;
  }

  can(capability: string): boolean {
    return this.#hello.capabilities?.includes(capability) === true;
  }

  has(agent: string): boolean {
    return this.#hello.agents.some((one) => one === '*' || one === agent);
  }

  /** True where a runtime that has taken all up to `received` can continue this session. */
  fits(received: number): boolean {
    const first = this.#outbox[0]?.seq ?? this.#lastSeq + 1;
    return !this.#ended && received >= first - 1 && received <= this.#lastSeq;
  }

  /** Takes a connection whose `welcome` was sent; sends again what the runtime has not taken. */
  use(link: RuntimeLink, hello: RuntimeHello, received: number): void {
    const { clock, heartbeatMs } = this.#parts;
    const again = this.#link !== undefined || this.#keep !== undefined;
    this.#link?.close(RUNTIME_CLOSE.replaced, 'another connection of this runtime took over');
    this.#keep?.cancel();
    this.#keep = undefined;
    this.#link = link;
    this.#peer = link.peer;
    this.#hello = hello;
    this.#heardMs = clock.monotonicMs();
    this.#saidMs = this.#heardMs;
    this.#flowing = 0;
    this.#flowingBytes = 0;
    this.#acked(received);
    this.#beat?.cancel();
    this.#beat = clock.every(heartbeatMs, () => this.#onBeat());
    link.onClose(() => this.#closed(link));
    if (again) for (const sink of [...this.#runs.values()]) sink.back();
    this.#pump();
  }

  attach(runId: string, sink: RunSink): void {
    this.#runs.set(runId, sink);
  }

  detach(runId: string, sink: RunSink): void {
    if (this.#runs.get(runId) === sink) this.#runs.delete(runId);
  }

  /** Sends a numbered message, now or when the window allows it. `acked`: the runtime has taken it. */
  post(message: Readonly<Record<string, unknown>>, acked?: () => void): void {
    if (this.#ended) return;
    const seq = this.#lastSeq + 1;
    const text = JSON.stringify({ ...message, seq });
    const bytes = Buffer.byteLength(text);
    const { OUTBOX_MESSAGES_MAX, OUTBOX_BYTES_MAX } = RUNTIME_LIMITS;
    if (this.#outbox.length >= OUTBOX_MESSAGES_MAX || this.#outboxBytes + bytes > OUTBOX_BYTES_MAX) {
      this.end(RUNTIME_CLOSE.flood, 'it acknowledges nothing: too much waits for it');
      return;
    }
    this.#lastSeq = seq;
    this.#outbox.push({ seq, text, bytes, acked });
    this.#outboxBytes += bytes;
    this.#pump();
  }

  /** A message over the connection of this session. Throws `Misbehaved`. */
  take(message: { readonly type: string; readonly seq?: number }, bytes: number): void {
    this.#heardMs = this.#parts.clock.monotonicMs();
    const given = message as RunFromRuntime | { type: 'ack'; received: number } | { type: 'ping' | 'pong' };
    if (given.type === 'ping') this.#say({ type: 'pong' });
    if (given.type === 'ack') this.#onAck(given.received);
    if ('run' in given) this.#number(given, bytes);
  }

  #number(given: RunFromRuntime, bytes: number): void {
    const { seq, run } = given;
    if (seq > this.#received + 1)
      throw new Misbehaved(this.#parts.name, `number ${this.#received + 1} is missing before ${seq}`);
    if (seq > this.#received) {
      this.#received = seq;
      const sink = this.#runs.get(run);
      if (sink) sink.take(given);
      else this.#unknown(given, bytes);
    }
    this.#say({ type: 'ack', received: this.#received });
  }

  /** Ends it for good, and its connection. May be called twice. */
  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#beat?.cancel();
    this.#keep?.cancel();
    const link = this.#link;
    this.#link = undefined;
    link?.close(code, reason.slice(0, 100));
    const left = this.#outbox;
    this.#outbox = [];
    this.#outboxBytes = 0;
    this.#parts.over(reason);
    for (const sink of [...this.#runs.values()]) sink.gone();
    this.#runs.clear();
    for (const { acked } of left) acked?.();
  }

  /** Breaks the connection off; the session is kept, and the runtime may continue it. */
  drop(code: number, reason: string): void {
    this.#link?.close(code, reason.slice(0, 100));
    if (this.#link) this.#closed(this.#link);
  }

  #unknown(message: RunFromRuntime, bytes: number): void {
    this.#strikes += bytes > RUNTIME_LIMITS.FRAME_BYTES_MAX / 4 ? 4 : 1;
    if (this.#strikes > RUNTIME_LIMITS.STRIKES_MAX)
      throw new Misbehaved(this.#parts.name, 'too many messages about runs that it does not have');
    if (message.type !== 'call') return;
    const error = new EdgeError('run.not_found', {
      operation: 'call',
      subject: message.run,
      message: 'this runtime does not execute this run, or it is over',
    });
    const { run, call } = message;
    this.post({ type: 'result', run, call, ok: false, error: error.toBody() });
  }

  #closed(link: RuntimeLink): void {
    if (this.#link !== link) return;
    const { clock, keepMs } = this.#parts;
    this.#link = undefined;
    this.#beat?.cancel();
    this.#keep = clock.after(keepMs, () =>
      this.end(RUNTIME_CLOSE.silent, `it did not come back within ${keepMs} ms`),
    );
    for (const sink of [...this.#runs.values()]) sink.lost();
  }

  #onBeat(): void {
    const { clock, heartbeatMs } = this.#parts;
    const now = clock.monotonicMs();
    if (now - this.#heardMs >= heartbeatMs * SILENT_BEATS)
      this.drop(RUNTIME_CLOSE.silent, `nothing was heard for ${heartbeatMs * SILENT_BEATS} ms`);
    else if (now - this.#saidMs >= heartbeatMs) this.#say({ type: 'ping' });
  }

  #onAck(received: number): void {
    const first = this.#outbox[0]?.seq ?? this.#lastSeq + 1;
    if (received > first - 1 + this.#flowing)
      throw new Misbehaved(this.#parts.name, `number ${received} was acknowledged and never sent`);
    this.#acked(received);
    this.#pump();
  }

  #acked(received: number): void {
    while (this.#outbox[0] && this.#outbox[0].seq <= received) {
      const { bytes, acked } = this.#outbox.shift()!;
      this.#outboxBytes -= bytes;
      if (this.#flowing > 0) {
        this.#flowing--;
        this.#flowingBytes -= bytes;
      }
      acked?.();
    }
  }

  #pump(): void {
    for (let next = this.#outbox[this.#flowing]; next && this.#link; next = this.#outbox[this.#flowing]) {
      const full =
        this.#flowing >= RUNTIME_LIMITS.WINDOW_MESSAGES ||
        (this.#flowing > 0 && this.#flowingBytes + next.bytes > RUNTIME_LIMITS.WINDOW_BYTES);
      if (full) return;
      this.#flowing++;
      this.#flowingBytes += next.bytes;
      this.#saidMs = this.#parts.clock.monotonicMs();
      this.#link.send(next.text);
    }
  }

  #say(message: object): void {
    this.#saidMs = this.#parts.clock.monotonicMs();
    this.#link?.send(JSON.stringify(message));
  }
}
