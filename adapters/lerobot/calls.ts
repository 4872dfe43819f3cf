import {
  type ClientUnaryCall,
  type ClientWritableStream,
  connectivityState,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type Clock, withDeadline } from '../../contract/core.ts';
import type { Piece } from './pieces.ts';
import { META, type TransportClient } from './transport.ts';

type AnyCall = ClientUnaryCall | ClientWritableStream<Piece>;
type Answer<T> = { readonly body: T; readonly headers: Metadata };

/**
 * The calls of one connection as promises; all of them can be cancelled at once. They reject with a `ServiceError`.
 */
export class Calls {
  readonly #client: TransportClient;
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #open = new Set<AnyCall>();

  constructor(client: TransportClient, metadata: Metadata, clock: Clock, subject: string) {
    this.#client = client;
    this.#metadata = metadata;
    this.#clock = clock;
    this.#subject = subject;
  }

  /** Waits for a connection, no matter how often it is refused in between. */
  reach(ms: number): Promise<void> {
    const ready = new Promise<void>((resolve, reject) =>
      this.#client.waitForReady(Number.POSITIVE_INFINITY, (error) => (error ? reject(error) : resolve())),
    );
    return withDeadline(this.#clock, ms, ready, 'connect', this.#subject);
  }

  /** `policy`: its card is asked for; only our servers have one. */
  async ready(policy: string | undefined, ms: number): Promise<Metadata> {
    const metadata = this.#metadata.clone();
    if (policy !== undefined) metadata.set(META.policy, policy);
    const { headers } = await this.#bounded(
      ms,
      this.#call((reply) => this.#client.Ready({}, metadata, reply)),
    );
    return headers;
  }

  async instruct(data: Uint8Array, ms: number): Promise<void> {
    await this.#bounded(
      ms,
      this.#call((reply) => this.#client.SendPolicyInstructions({ data }, this.#metadata, reply)),
    );
  }

  /** It has no deadline of its own: the caller gives it up. */
  async upload(pieces: Iterable<Piece>): Promise<void> {
    await this.#call((reply) => {
      const stream = this.#client.SendObservations(this.#metadata, reply);
      // gRPC buffers them; an observation is a few pieces and only one is on its way at a time.
      for (const piece of pieces) stream.write(piece);
      stream.end();
      return stream;
    });
  }

  async actions(): Promise<{ readonly data: Uint8Array; readonly headers: Metadata }> {
    const { body, headers } = await this.#call<{ data: Uint8Array }>((reply) =>
      this.#client.GetActions({}, this.#metadata, reply),
    );
    return { data: body.data, headers };
  }

  /** Cancels every open call. */
  cancel(): void {
    for (const call of this.#open) call.cancel();
  }

  /** Called once when the connection is gone. A server that comes back knows nothing of earlier calls. */
  onLost(tell: () => void): void {
    const channel = this.#client.getChannel();
    const look = () => {
      if (channel.getConnectivityState(false) !== connectivityState.READY) return tell();
      channel.watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, (error) => {
        if (!error) look();
      });
    };
    look();
  }

  #bounded<T>(ms: number, work: Promise<T>): Promise<T> {
    return withDeadline(this.#clock, ms, work, 'begin', this.#subject);
  }

  #call<T>(begin: (reply: (error: ServiceError | null, body?: T) => void) => AnyCall): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      let headers = new Metadata();
      const call = begin((error, body) => {
        this.#open.delete(call);
        if (error) reject(error);
        else resolve({ body: body as T, headers });
      });
      this.#open.add(call);
      call.on('metadata', (metadata: Metadata) => {
        headers = metadata;
      });
    });
  }
}
