import { Request } from 'zeromq';
import {
  type Clock,
  EdgeError,
  LIMITS,
  type Observation,
  type PolicyDescription,
  type Tensor,
  withDeadline,
} from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';
import { type LineFaults, lineFaults } from '../../formats/policy-wire/line-faults.ts';
import type { RemoteLine } from '../../formats/policy-wire/remote-policy.ts';
import { isMap, type WireKeys } from '../../formats/policy-wire/wire-keys.ts';
import { actionsFrom, namedArrays } from '../../formats/policy-wire/wire-observation.ts';
import { actionRequest, formOfConfig, type GrootForm, readActions } from './groot-messages.ts';

/** A server that is not there is not dialled more often than this, milliseconds. */
const REDIAL_MS = 250;
/** A connection without life is closed after this, milliseconds. */
const HEARTBEAT_MS = 2_000;

export type GrootAddress = {
  /** tcp://host:port */
  readonly url: string;
  readonly token: string | undefined;
  /** Until a server must be there to take a question, milliseconds. */
  readonly connectMs: number;
};

/** What went over the line for an answer that never came. */
class Lost extends Error {}

/**
 * Requests to one GR00T server. A REQ socket whose answer did not come can never be used again: it is replaced. The
 * generation of the server is found out by asking.
 */
export class GrootLine implements RemoteLine {
  readonly #address: GrootAddress;
  readonly #clock: Clock;
  readonly #faults: LineFaults;
  #described: { readonly policy: PolicyDescription; readonly keys: WireKeys } | undefined;
  #socket: Request | undefined;
  #lose: ((error: Lost) => void) | undefined;
  #form: GrootForm | undefined;
  /** When the server was last unreachable, on the monotonic clock. */
  #goneMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(address: GrootAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#faults = lineFaults(address.url);
  }

  describeAs(policy: PolicyDescription, keys: WireKeys): void {
    this.#described = { policy, keys };
  }

  /** Throws `model.unavailable` where no server answers. */
  async ping(): Promise<void> {
    const { connectMs, url } = this.#address;
    try {
      await withDeadline(this.#clock, connectMs, this.#call('ping'), 'ping', url);
    } catch (error) {
      this.drop();
      throw EdgeError.from(error, 'model.unavailable', 'connect', url);
    }
  }

  async ask(observation: Observation): Promise<{ actions: Tensor; hash?: string }> {
    const forms = this.#form ? [this.#form] : await this.#candidates();
    for (const [i, form] of forms.entries()) {
      try {
        const answer = await this.#askAs(form, observation);
        this.#form = form;
        return answer;
      } catch (error) {
        // The other generation refuses what it does not understand in words. A failure of the line is not such a
        // refusal.
        const refused = error instanceof EdgeError && error.code === 'model.failed';
        if (!refused || i === forms.length - 1) throw error;
      }
    }
    throw this.#faults.failed('no form of a question was understood');
  }

  async reset(): Promise<void> {
    await this.#call('reset', { options: null }).catch((error: unknown) => {
      // N1.5 has no such endpoint: its policies remember nothing.
      if (!(error instanceof EdgeError && /unknown endpoint/i.test(error.message))) throw error;
    });
  }

  drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    // Who answers there next may be of another generation.
    this.#form = undefined;
    this.#lose?.(new Lost('the connection was abandoned'));
    this.#lose = undefined;
    socket?.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.drop();
  }

  async #candidates(): Promise<readonly GrootForm[]> {
    const config = await this.#call('get_modality_config').catch((error: unknown) => {
      if (error instanceof EdgeError && error.code === 'model.failed') return undefined;
      throw error;
    });
    const told = formOfConfig(config);
    return told ? [told] : ['tuple', 'flat'];
  }

  async #askAs(form: GrootForm, observation: Observation): Promise<{ actions: Tensor; hash?: string }> {
    const { policy, keys } = this.#described!;
    const lead = form === 'tuple' ? { vector: [1, 1], picture: [1, 1] } : { vector: [1], picture: [1] };
    const task = observation.task === undefined ? undefined : { key: keys.task, text: observation.task };
    const reply = await this.#call(
      'get_action',
      actionRequest(form, namedArrays(observation, keys, lead), task),
    );
    const given = readActions(reply);
    if (!given) throw this.#faults.failed('the answer is neither a map of actions nor a pair with one');
    const actions = actionsFrom(given, policy, keys);
    const remarks = Array.isArray(reply) && isMap(reply[1]) ? reply[1] : {};
    const hash = remarks['policy_hash'];
    return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) ? { actions, hash } : { actions };
  }

  async #call(endpoint: string, data?: Record<string, unknown>): Promise<unknown> {
    const { token } = this.#address;
    const reply = await this.#exchange(
      encodeMsgpack(
        {
          endpoint,
          ...(data === undefined ? {} : { data }),
          ...(token === undefined ? {} : { api_token: token }),
        },
        { numpy: 'gr00t' },
      ),
    );
    // Oldest servers answer a failure with this word alone.
    if (reply.length === 5 && new TextDecoder().decode(reply) === 'ERROR') throw this.#faults.failed('ERROR');
    const value = this.#read(reply);
    if (!isMap(value) || value['error'] === undefined) return value;
    const text = String(value['error']).slice(0, 500);
    if (/unauthori[sz]ed/i.test(text))
      throw this.#faults.unavailable(`the server wants another token: ${text}`, 'set policies.token_file');
    throw this.#faults.failed(`the server failed: ${text}`);
  }

  #read(reply: Uint8Array): unknown {
    try {
      return decodeMsgpack(reply, { numpy: 'gr00t' });
    } catch (cause) {
      throw this.#faults.failed(`the answer cannot be read: ${(cause as Error).message}`);
    }
  }

  async #exchange(question: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw this.#faults.unavailable('closed');
    // libzmq would dial on and on for one question; this client dials on its own, and not too often.
    if (this.#clock.monotonicMs() - this.#goneMs < REDIAL_MS)
      throw this.#faults.unavailable('no server listens there');
    const socket = this.#ready();
    const lost = new Promise<never>((_, reject) => {
      this.#lose = reject;
    });
    lost.catch(() => {});
    try {
      await Promise.race([socket.send(question), lost]);
      const [reply] = await Promise.race([socket.receive(), lost]);
      return reply!;
    } catch (cause) {
      if (this.#socket === socket) this.drop();
      const words = cause instanceof Error ? cause.message : String(cause);
      throw this.#faults.unavailable(
        cause instanceof Lost ? words : `no server takes the question: ${words}`,
      );
    }
  }

  #ready(): Request {
    if (this.#socket) return this.#socket;
    const socket = new Request({
      linger: 0,
      // A question waits for a connection, not in a queue for one that may never come.
      immediate: true,
      sendTimeout: this.#address.connectMs,
      sendHighWaterMark: 1,
      maxMessageSize: LIMITS.POLICY_PAYLOAD_BYTES_MAX,
      reconnectInterval: REDIAL_MS,
      connectTimeout: this.#address.connectMs,
      heartbeatInterval: HEARTBEAT_MS,
      heartbeatTimeout: 3 * HEARTBEAT_MS,
    });
    socket.connect(this.#address.url);
    this.#socket = socket;
    void this.#watch(socket);
    return socket;
  }

  /** A server that went away, or is not there, will not answer: its question fails now, not at the deadline. */
  async #watch(socket: Request): Promise<void> {
    try {
      for await (const { type } of socket.events) {
        if ((type !== 'disconnect' && type !== 'connect:retry') || socket !== this.#socket) continue;
        this.#goneMs = this.#clock.monotonicMs();
        this.#lose?.(new Lost(type === 'disconnect' ? 'the server went away' : 'no server listens there'));
        this.drop();
        return;
      }
    } catch {
      // The observer ends with its socket.
    }
  }
}
