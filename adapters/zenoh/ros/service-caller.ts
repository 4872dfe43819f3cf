import { type CallOptions, EdgeError, type MessageValue, pause, type Reply } from '../../../contract/core.ts';
import { makeAttachment, readAttachment } from './attachment.ts';
import type { MessageCodec } from './message-codec.ts';
import { dataKey, type Entity, NO_TYPE_HASH, nodeName } from './names.ts';
import { ROS_DEFAULT_QOS } from './qos-text.ts';
import type { OwnEndpoint, RosZenohSession } from './session.ts';
import { settle } from './settle.ts';

/** Clients kept announced; beyond it the one unused for longest leaves the graph. */
const CLIENTS_MAX = 128;
/**
 * A server may announce itself a moment before its queryable is declared (zenoh-ros2-sdk does): an unanswered request
 * is sent again while its server is younger than this, milliseconds. Later it is not sent again: it may have been
 * received, and a service is called once.
 */
const SERVER_SETTLES_MS = 500;
const AGAIN_MS = 50;

type Client = { readonly endpoint: Promise<OwnEndpoint>; sequence: bigint };
type Server = { readonly entity: Entity; readonly sinceMs: number };

/** Calls services of other nodes (and our own) as rmw_zenoh does: a query of the complete queryables of a key. */
export class ServiceCaller {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  /** In order of last use. */
  readonly #clients = new Map<string, Client>();
  readonly #servers = new Map<string, Server[]>();
  readonly #waiting = new Set<() => void>();
  readonly #watch: { cancel(): void };

  constructor(session: RosZenohSession, codec: MessageCodec) {
    this.#session = session;
    this.#codec = codec;
    this.#watch = session.graph.listen((entity, alive) => this.#onEntity(entity, alive));
  }

  /** Errors as in `RosServices.call`. */
  async call(name: string, type: string, request: MessageValue, options: CallOptions): Promise<MessageValue> {
    const { clock, types } = this.#session;
    // A request that cannot be sent at all fails before anybody waits.
    const hash = types.hash(type);
    const payload = this.#codec.encode(`${type}_Request`, request);
    const untilMs = clock.monotonicMs() + options.timeoutMs;
    const server = await this.#serverOf(name, type, hash, options);
    const client = this.#client(name, type, server.entity.end!.hash);
    const leftMs = () => Math.max(1, untilMs - clock.monotonicMs());
    let isSettled = false;
    const isOver = () => isSettled || options.signal?.aborted === true;
    try {
      const ask = this.#ask(name, type, payload, client, server, leftMs, isOver);
      const answer = await settle(clock, { ...options, timeoutMs: leftMs() }, 'call a service', name, ask);
      return this.#codec.decode(`${type}_Response`, answer);
    } finally {
      isSettled = true;
    }
  }

  /** True while some server of that name and type is in the graph. */
  served(name: string, type: string): boolean {
    return this.#usable(name, type, this.#session.types.hash(type)) !== undefined;
  }

  /** Called at each change of what is served. */
  onServers(listener: () => void): { cancel(): void } {
    this.#waiting.add(listener);
    return { cancel: () => void this.#waiting.delete(listener) };
  }

  async close(): Promise<void> {
    this.#watch.cancel();
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(
      clients.map(async ({ endpoint }) => (await endpoint.catch(() => undefined))?.undeclare()),
    );
  }

  async #ask(
    name: string,
    type: string,
    payload: Uint8Array,
    client: Client,
    server: Server,
    leftMs: () => number,
    isOver: () => boolean,
  ): Promise<Uint8Array> {
    const { clock, options } = this.#session;
    const key = dataKey(options.domain, name, type, server.entity.end!.hash);
    const [space, endpoint] = await Promise.all([this.#session.space(), client.endpoint]);
    // The caller cancelled: a request sent after that would have an effect that it does not expect.
    while (!isOver()) {
      // Other requests of this client continue meanwhile.
      client.sequence += 1n;
      const { sequence } = client;
      const attachment = makeAttachment(sequence, clock.now(), endpoint.gid);
      const replies = await space.query(key, {
        payload,
        attachment,
        target: 'all_complete',
        timeoutMs: leftMs(),
      });
      const answer = answerOf(replies, sequence);
      if (answer) return answer;
      if (replies.length > 0) throw refusal(replies, name);
      if (clock.monotonicMs() - server.sinceMs > SERVER_SETTLES_MS) throw unanswered(name);
      await pause(clock, AGAIN_MS);
    }
    throw unanswered(name);
  }

  async #serverOf(name: string, type: string, hash: string, options: CallOptions): Promise<Server> {
    const present = this.#usable(name, type, hash);
    if (present) return present;
    const came = Promise.withResolvers<Server>();
    const watch = this.onServers(() => {
      const server = this.#usable(name, type, hash);
      if (server) came.resolve(server);
    });
    try {
      return await settle(this.#session.clock, options, 'call a service', name, came.promise);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw this.#notFound(name, type, hash, options.timeoutMs);
    } finally {
      watch.cancel();
    }
  }

  #notFound(name: string, type: string, hash: string, timeoutMs: number): EdgeError {
    const details = { operation: 'call a service', subject: name };
    const other = this.#servers.get(name)?.[0]?.entity;
    if (!other) {
      const message = `no server answered within ${timeoutMs} ms`;
      return new EdgeError('ros.not_found', { ...details, message });
    }
    const theirs = other.end!;
    const what =
      theirs.type === type
        ? `another definition of ${type} (${theirs.hash}, here it is ${hash})`
        : theirs.type;
    return new EdgeError('ros.not_found', {
      ...details,
      message: `${nodeName(other)} serves ${what}, and not what was asked`,
      hint: 'put the definition that the robot uses into a folder of ros.definitions',
    });
  }

  #usable(name: string, type: string, hash: string): Server | undefined {
    return this.#servers
      .get(name)
      ?.find(
        ({ entity: { end } }) => end!.type === type && (end!.hash === hash || end!.hash === NO_TYPE_HASH),
      );
  }

  #onEntity(entity: Entity, alive: boolean): void {
    if (entity.kind !== 'SS' || !entity.end) return;
    const { name } = entity.end;
    const servers = this.#servers.get(name) ?? [];
    if (alive) servers.push({ entity, sinceMs: this.#session.clock.monotonicMs() });
    const left = alive ? servers : servers.filter((server) => server.entity !== entity);
    if (left.length > 0) this.#servers.set(name, left);
    else this.#servers.delete(name);
    for (const listener of [...this.#waiting]) listener();
  }

  #client(name: string, type: string, hash: string): Client {
    const id = `${name} ${type} ${hash}`;
    const known = this.#clients.get(id);
    if (known) {
      this.#clients.delete(id);
      this.#clients.set(id, known);
      return known;
    }
    const endpoint = this.#session.announce('SC', name, type, hash, ROS_DEFAULT_QOS);
    const client: Client = { endpoint, sequence: 0n };
    this.#clients.set(id, client);
    endpoint.catch(() => this.#clients.delete(id));
    if (this.#clients.size > CLIENTS_MAX) {
      const [oldest, unused] = this.#clients.entries().next().value!;
      this.#clients.delete(oldest);
      unused.endpoint.then((one) => one.undeclare()).catch(() => {});
    }
    return client;
  }
}

/** The first answer to this very request: servers echo its number. */
function answerOf(replies: readonly Reply[], sequence: bigint): Uint8Array | undefined {
  for (const reply of replies) {
    if (!reply.ok) continue;
    const echoed = readAttachment(reply.value.attachment);
    if (echoed === undefined || echoed.sequence === sequence) return reply.value.payload;
  }
  return undefined;
}

function refusal(replies: readonly Reply[], name: string): EdgeError {
  const error = replies.find((reply) => !reply.ok)?.error;
  const details = { operation: 'call a service', subject: name };
  if (error?.code === 'deadline.exceeded') {
    return new EdgeError('deadline.exceeded', { ...details, message: 'the server did not answer in time' });
  }
  return new EdgeError('ros.failed', {
    ...details,
    message: error?.message ?? 'the server answered another request',
  });
}

function unanswered(name: string): EdgeError {
  return new EdgeError('ros.failed', {
    operation: 'call a service',
    subject: name,
    message: 'the server ended the request without an answer',
  });
}
