import { readFileSync } from 'node:fs';
import { ChannelCredentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type Clock,
  EdgeError,
  type Observation,
  type Tensor,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { type LineFaults, lineFaults } from '../../formats/policy-wire/line-faults.ts';
import type { RemoteLine } from '../../formats/policy-wire/remote-policy.ts';
import { Calls } from './calls.ts';
import { readActions, writeObservation, writeSetup } from './messages.ts';
import { actionsTensor, type Outgoing, outgoingObservation } from './outgoing.ts';
import { piecesOf } from './pieces.ts';
import { META, makeTransportClient, type TransportClient } from './transport.ts';

export type LineOptions = {
  /** host:port, or grpc://host:port; grpcs:// with TLS. */
  readonly url: string;
  readonly token: string | undefined;
  /** PEM files for grpcs://: who signed the server, and what this client shows. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** From dialling to an answer of the server, milliseconds. */
  readonly connectMs: number;
};

/**
 * First and longest wait before a server that is gone is dialled again, milliseconds: back within 5 s of its return.
 */
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 2_000;
/**
 * How long a server may load a policy, milliseconds: a large one takes minutes. Giving up early would make it start
 * again at the next try.
 */
const LOAD_MS = 600_000;
/** A reset waits this long for a server that is not ready, and for its answer, milliseconds: together below 5 s. */
const SOON_MS = 2_000;
/** Observations are taken at once or, behind a dead connection, never, milliseconds. */
const SILENT_MS = 1_000;
/** Answers to questions of others, or to abandoned ones, before the server counts as faulty. */
const STRANGERS_MAX = 4;
/** Largest answer: 1000 actions of a stock server, which sends each with all of them, are above the default of gRPC. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

type Connection = { readonly client: TransportClient; readonly calls: Calls };

/**
 * The way to a server of LeRobot's asynchronous inference. It dials, says what it wants served, and dials again
 * when the connection breaks. Each question must go, and is known again by its step and time: an answer to
 * another is not taken.
 */
export class LeRobotLine implements RemoteLine {
  readonly #options: LineOptions;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #faults: LineFaults;
  #outgoing: Outgoing | undefined;
  #connecting: Promise<Connection> | undefined;
  /** The one that is being made; it may be loading its policy for minutes. */
  #dialling: Connection | undefined;
  #connection: Connection | undefined;
  #retry: { readonly timer: Timer; readonly why: EdgeError } | undefined;
  #retryMs = RETRY_FIRST_MS;
  #step = 0;
  /** Since when the server took no observation that it was sent, milliseconds; undefined: it took the last one. */
  #silentSince: number | undefined;
  #closed = false;

  constructor(options: LineOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#subject = options.url;
    this.#faults = lineFaults(options.url);
  }

  /** What is to be served there, and how it is called. Before the first question. */
  describeAs(outgoing: Outgoing): void {
    this.#outgoing = outgoing;
  }

  /** The card that an Auraison server has of a policy; undefined from any other. Rejects with `model.unavailable`. */
  async card(policy: string): Promise<unknown> {
    const { calls, client } = this.#dial();
    try {
      await calls.reach(this.#options.connectMs);
      const headers = await calls.ready(policy, this.#options.connectMs);
      const [body] = headers.get(META.card);
      return body === undefined ? undefined : JSON.parse(body.toString());
    } catch (error) {
      throw this.#unavailable(error);
    } finally {
      calls.cancel();
      client.close();
    }
  }

  async ask(observation: Observation): Promise<{ readonly actions: Tensor; readonly hash?: string }> {
    const { calls } = await this.#connected();
    const outgoing = this.#outgoing!;
    const message = outgoingObservation(observation, outgoing, ++this.#step);
    try {
      this.#silentSince ??= this.#clock.monotonicMs();
      await calls.upload(piecesOf(writeObservation(message, outgoing.setup.module)));
      this.#silentSince = undefined;
      for (let strangers = 0; strangers < STRANGERS_MAX; strangers++) {
        const { data, headers } = await calls.actions();
        if (data.byteLength === 0)
          throw this.#faults.failed(
            'the server gave no actions; its own log says why (a stock server reports it nowhere else)',
          );
        const actions = readActions(data);
        const first = actions[0];
        if (first?.timestep !== message.timestep || first.timestamp !== message.timestamp) continue;
        const [hash] = headers.get(META.hash);
        const tensor = actionsTensor(actions, outgoing.policy);
        return { actions: tensor, ...(typeof hash === 'string' ? { hash } : {}) };
      }
      throw this.#faults.failed(
        `${STRANGERS_MAX} answers were to other questions: another client uses this server`,
      );
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** Rejects soon while the server is not ready yet: who resets holds a turn that others wait for. */
  async reset(): Promise<void> {
    const { calls } = await this.#soon();
    try {
      await calls.ready(undefined, Math.min(this.#options.connectMs, SOON_MS));
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** The question is abandoned. If a server takes nothing for long, its connection is dead and is replaced. */
  drop(): void {
    const connection = this.#connection;
    if (!connection) return;
    const silentMs = this.#clock.monotonicMs() - (this.#silentSince ?? Number.POSITIVE_INFINITY);
    if (silentMs > SILENT_MS)
      this.#lose(connection, this.#faults.unavailable(`it took nothing for ${Math.round(silentMs)} ms`));
    else connection.calls.cancel();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.timer.cancel();
    for (const connection of [this.#connection, this.#dialling]) {
      connection?.calls.cancel();
      connection?.client.close();
    }
    this.#connection = undefined;
    await this.#connecting?.catch(() => {});
  }

  #connected(): Promise<Connection> {
    if (this.#closed) return Promise.reject(this.#faults.unavailable('closed'));
    if (this.#connection) return Promise.resolve(this.#connection);
    if (this.#retry) return Promise.reject(this.#retry.why);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Connecting continues in the background: a server that times out while it loads starts again at the next try. */
  async #soon(): Promise<Connection> {
    const ready = this.#connected();
    return await withDeadline(this.#clock, SOON_MS, ready, 'reach policy', this.#subject).catch(
      (thrown: unknown) => {
        const isLate = thrown instanceof EdgeError && thrown.code === 'deadline.exceeded';
        throw isLate
          ? this.#faults.unavailable('it is not ready yet, and may be loading its policy', '', thrown)
          : thrown;
      },
    );
  }

  async #connect(): Promise<Connection> {
    const connection = this.#dial();
    const { calls, client } = connection;
    this.#dialling = connection;
    try {
      await calls.reach(this.#options.connectMs);
      await calls.ready(undefined, this.#options.connectMs);
      await calls.instruct(writeSetup(this.#outgoing!.setup), LOAD_MS);
      if (this.#closed) throw this.#faults.unavailable('closed');
    } catch (error) {
      this.#dialling = undefined;
      calls.cancel();
      client.close();
      const why = this.#unavailable(error);
      this.#later(why);
      throw why;
    }
    this.#dialling = undefined;
    this.#connection = connection;
    this.#retryMs = RETRY_FIRST_MS;
    calls.onLost(() => this.#lose(connection, this.#faults.unavailable('the connection was cut')));
    return connection;
  }

  #dial(): Connection {
    const { url, token, tls } = this.#options;
    const secure = url.startsWith('grpcs://');
    const pem = (path: string | undefined) => (path === undefined ? null : readFileSync(path));
    let credentials: ChannelCredentials;
    try {
      credentials = secure
        ? ChannelCredentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert))
        : ChannelCredentials.createInsecure();
    } catch (cause) {
      throw this.#faults.unavailable((cause as Error).message);
    }
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    const client = makeTransportClient(url.replace(/^grpcs?:\/\//, ''), credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
      'grpc.initial_reconnect_backoff_ms': RETRY_FIRST_MS,
      'grpc.max_reconnect_backoff_ms': RETRY_MAX_MS,
    });
    return { client, calls: new Calls(client, metadata, this.#clock, url) };
  }

  #lose(connection: Connection, why: EdgeError): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#silentSince = undefined;
    connection.calls.cancel();
    connection.client.close();
    this.#later(why);
  }

  /**
   * Dials again after a while, also without a question: a running control loop does not wait for its next step.
   */
  #later(why: EdgeError): void {
    if (this.#closed || this.#retry) return;
    const timer = this.#clock.after(this.#retryMs, () => {
      this.#retry = undefined;
      this.#connected().catch(() => {});
    });
    this.#retry = { timer, why };
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }

  /** An error of a call, in our words; one that says that the connection is gone gives it up. */
  #told(error: unknown): EdgeError {
    if (error instanceof EdgeError && error.code !== 'wire.refused') return error;
    if (error instanceof EdgeError) return this.#faults.failed(error.message, error);
    const { code, details = '', metadata } = error as ServiceError;
    const [ours] = metadata?.get(META.code) ?? [];
    if (code === status.UNAVAILABLE) {
      const why = this.#faults.unavailable(details, '', error);
      if (this.#connection) this.#lose(this.#connection, why);
      return why;
    }
    if (code === status.INVALID_ARGUMENT && ours === 'model.bad_observation')
      return new EdgeError('model.bad_observation', {
        operation: 'infer',
        subject: this.#subject,
        message: details,
      });
    if (code === status.FAILED_PRECONDITION || code === status.UNAUTHENTICATED)
      return this.#faults.unavailable(details, '', error);
    return this.#faults.failed(details || String(error), error);
  }

  #unavailable(error: unknown): EdgeError {
    if (error instanceof EdgeError && error.code === 'model.unavailable') return error;
    const { details } = error as Partial<ServiceError>;
    return this.#faults.unavailable(details ?? (error as Error).message, '', error);
  }
}
