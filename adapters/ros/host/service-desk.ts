import { pause } from '../../../contract/deadline.ts';
import type { Clock, MessageValue } from '../../../contract/index.ts';
import type { ApiNews } from '../api-wire.ts';
import { HostFault, messageOf } from './fault.ts';
import { serviceClass } from './interface-types.ts';
import { fromVendor, toVendor } from './values.ts';
import type { Client, Qos, Rclnodejs, Node as RosNode, ServiceClass, ServiceResponse } from './vendor.ts';

/** How often a server that is not there is looked for, milliseconds. */
const LOOK_MS = 20;
/** Clients kept for the next call; discovery takes longer than most calls. The oldest idle one goes. */
const CLIENTS_MAX = 64;
/** Requests of others that wait for our handlers; above it they get no answer, which is reported. */
const REQUESTS_OPEN_MAX = 1024;

/**
 * Requests of one client on their way at once. Services of ROS keep the last ten by default, at the server as
 * well: the eleventh would push out the first, whose caller then waits in vain.
 */
const IN_FLIGHT_MAX = 8;
/** What our own ends keep. */
const DEPTH = 256;

type Cached = {
  readonly client: Client;
  readonly cls: ServiceClass;
  open: number;
  inFlight: number;
  readonly queue: (() => void)[];
};
type Served = { readonly service: object; readonly cls: ServiceClass; readonly name: string };

/** Services of one node, called and served. */
export class ServiceDesk {
  readonly #rcl: Rclnodejs;
  readonly #node: RosNode;
  readonly #clock: Clock;
  readonly #tell: (news: ApiNews) => void;
  readonly #clients = new Map<string, Cached>();
  readonly #served = new Map<number, Served>();
  readonly #requests = new Map<number, { readonly server: number; readonly response: ServiceResponse }>();
  #nextRequest = 1;

  constructor(rcl: Rclnodejs, node: RosNode, clock: Clock, tell: (news: ApiNews) => void) {
    this.#rcl = rcl;
    this.#node = node;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Errors as `RosServices.call`. */
  async call(
    name: string,
    type: string,
    request: MessageValue,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<MessageValue> {
    const until = this.#clock.monotonicMs() + timeoutMs;
    const cls = serviceClass(this.#rcl, type);
    const plain = toVendor(this.#rcl, cls.Request, request);
    const cached = this.#client(name, type, cls);
    cached.open += 1;
    try {
      while (!cached.client.isServiceServerAvailable()) {
        signal.throwIfAborted();
        if (this.#clock.monotonicMs() >= until) throw this.#nobody(name, type);
        await pause(this.#clock, LOOK_MS, signal);
      }
      signal.throwIfAborted();
      await this.#turn(cached, until, signal);
      // The node stays usable for everybody else: a server that never answers costs one map entry until then.
      const timeout = Math.max(1, until - this.#clock.monotonicMs());
      const sent = cached.client.sendRequestAsync(plain, { timeout: Math.ceil(timeout), signal });
      const answer = await sent.finally(() => {
        cached.inFlight -= 1;
        cached.queue.shift()?.();
      });
      return fromVendor(this.#rcl, cls.Response, answer);
    } catch (error) {
      if (error instanceof HostFault) throw error;
      if (signal.aborted || this.#clock.monotonicMs() >= until - 1) {
        throw new HostFault('deadline.exceeded', 'call a service', name, `no answer within ${timeoutMs} ms`);
      }
      throw HostFault.from(error, 'call a service', name);
    } finally {
      cached.open -= 1;
    }
  }

  serve(server: number, name: string, type: string): void {
    const cls = serviceClass(this.#rcl, type);
    this.unserve(server);
    const service = this.#node.createService(type, name, { qos: this.#qos() }, (request, response) =>
      this.#onRequest(server, cls, name, request, response),
    );
    this.#served.set(server, { service, cls, name });
  }

  /** False when it is not a service of this daemon. */
  unserve(server: number): boolean {
    const served = this.#served.get(server);
    if (!served) return false;
    this.#served.delete(server);
    for (const [id, request] of this.#requests) if (request.server === server) this.#requests.delete(id);
    this.#node.destroyService(served.service);
    return true;
  }

  /** Throws `schema.invalid` when our handler answered something else than its type. */
  answer(server: number, request: number, value: MessageValue | undefined): void {
    const waiting = this.#requests.get(request);
    const served = this.#served.get(server);
    this.#requests.delete(request);
    if (!waiting || !served || value === undefined) return;
    waiting.response.send(toVendor(this.#rcl, served.cls.Response, value));
  }

  /** Takes a place among the requests in flight; rejects when the caller cancels before. */
  async #turn(cached: Cached, untilMs: number, signal: AbortSignal): Promise<void> {
    while (cached.inFlight >= IN_FLIGHT_MAX) {
      const { promise, resolve } = Promise.withResolvers<void>();
      cached.queue.push(resolve);
      await Promise.race([promise, pause(this.#clock, untilMs - this.#clock.monotonicMs(), signal)]);
      const at = cached.queue.indexOf(resolve);
      if (at >= 0) cached.queue.splice(at, 1);
      const late = this.#clock.monotonicMs() >= untilMs;
      if (signal.aborted || late) {
        // A place that was offered meanwhile goes to the next one.
        if (at < 0) cached.queue.shift()?.();
        throw new Error('cancelled while it waited in the queue');
      }
    }
    cached.inFlight += 1;
  }

  #onRequest(
    server: number,
    cls: ServiceClass,
    name: string,
    request: { [field: string]: unknown },
    response: ServiceResponse,
  ): void {
    if (this.#requests.size >= REQUESTS_OPEN_MAX)
      throw new Error(
        `${name}: more than ${REQUESTS_OPEN_MAX} requests are waiting; one was dropped without an answer`,
      );
    const id = this.#nextRequest++;
    this.#requests.set(id, { server, response });
    try {
      this.#tell({ op: 'request', server, request: id, value: fromVendor(this.#rcl, cls.Request, request) });
    } catch (error) {
      this.#requests.delete(id);
      throw new Error(`${name}: a request cannot be read: ${messageOf(error)}`);
    }
  }

  #client(name: string, type: string, cls: ServiceClass): Cached {
    const key = `${name} ${type}`;
    const known = this.#clients.get(key);
    if (known) {
      // The one used last goes last.
      this.#clients.delete(key);
      this.#clients.set(key, known);
      return known;
    }
    if (this.#clients.size >= CLIENTS_MAX) {
      const idle = [...this.#clients].find(([, { open }]) => open === 0);
      if (idle) {
        this.#clients.delete(idle[0]);
        this.#node.destroyClient(idle[1].client);
      }
    }
    let client: Client;
    try {
      client = this.#node.createClient(type, name, { qos: this.#qos() });
    } catch (error) {
      throw HostFault.from(error, 'call a service', name);
    }
    const cached: Cached = { client, cls, open: 0, inFlight: 0, queue: [] };
    this.#clients.set(key, cached);
    return cached;
  }

  /** Reliable and volatile, as services are. */
  #qos(): Qos {
    return new this.#rcl.QoS(1, DEPTH, 1, 2, 0);
  }

  #nobody(name: string, type: string): HostFault {
    const there = this.#node.getServiceNamesAndTypes().find((service) => service.name === name);
    const other = there && !there.types.includes(type) ? ` as ${type}, but as ${there.types.join(', ')}` : '';
    return new HostFault(
      'ros.not_found',
      'call a service',
      name,
      `no node offers the service ${name}${other}`,
      '`auraison ros services` lists the available services',
    );
  }
}
