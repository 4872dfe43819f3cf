import {
  type Clock,
  EdgeError,
  LIMITS,
  type Observation,
  type PolicyDescription,
  type Tensor,
} from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';
import { type LineFaults, lineFaults } from '../../formats/policy-wire/line-faults.ts';
import type { RemoteLine } from '../../formats/policy-wire/remote-policy.ts';
import { isMap, type WireKeys } from '../../formats/policy-wire/wire-keys.ts';
import { actionsFrom, namedArrays } from '../../formats/policy-wire/wire-observation.ts';
import { WebSocket } from '../../io/web-socket.ts';

/** A server that does not answer is not dialled more often than this, milliseconds. */
const REDIAL_MS = 250;

export type OpenPiAddress = {
  /** ws:// or wss://; a path names the policy at Auraison servers. */
  readonly url: string;
  readonly token: string | undefined;
  /** From dialling to the metadata that the server starts with, milliseconds. */
  readonly connectMs: number;
};

type Message = { readonly text: string } | { readonly bytes: Uint8Array };
type Waiting = { resolve(message: Message): void; reject(error: Error): void };

/** One connection to an openpi policy server, dialled again when it is needed and gone. */
export class OpenPiLine implements RemoteLine {
  readonly #address: OpenPiAddress;
  readonly #clock: Clock;
  readonly #faults: LineFaults;
  #described: { readonly policy: PolicyDescription; readonly keys: WireKeys } | undefined;
  #metadata: Readonly<Record<string, unknown>> = {};
  #socket: WebSocket | undefined;
  #opening: Promise<WebSocket> | undefined;
  #waiting: Waiting | undefined;
  #dead: { readonly error: EdgeError; readonly atMs: number } | undefined;
  #closed = false;

  constructor(address: OpenPiAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#faults = lineFaults(address.url);
  }

  /** What it is asked about; before the first question. */
  describeAs(policy: PolicyDescription, keys: WireKeys): void {
    this.#described = { policy, keys };
  }

  /** What the server says of itself when it is dialled; a stock one: whatever its policy put there. */
  async metadata(): Promise<Readonly<Record<string, unknown>>> {
    await this.#connected();
    return this.#metadata;
  }

  async ask(observation: Observation): Promise<{ actions: Tensor; hash?: string }> {
    const { policy, keys } = this.#described!;
    const question: Record<string, unknown> = namedArrays(observation, keys, { vector: [], picture: [] });
    if (observation.task !== undefined) question[keys.task] = observation.task;
    const answer = await this.#exchange(encodeMsgpack(question, { numpy: 'openpi' }));
    const hash = answer['policy_hash'];
    const actions = actionsFrom(answer, policy, keys);
    return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) ? { actions, hash } : { actions };
  }

  /** openpi has no word for it: a new connection is a new episode, at stock servers and at Auraison servers. */
  async reset(): Promise<void> {
    this.drop();
  }

  drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#opening = undefined;
    this.#waiting?.reject(this.#faults.unavailable('the connection was abandoned'));
    this.#waiting = undefined;
    socket?.terminate();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.drop();
  }

  async #exchange(question: Uint8Array): Promise<Record<string, unknown>> {
    const socket = await this.#connected();
    const message = await new Promise<Message>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.send(question, (error) => {
        if (error) reject(this.#faults.unavailable(error.message));
      });
    });
    if ('text' in message) {
      // It closes after its words: the next question gets a connection of its own.
      this.drop();
      throw this.#refusal(message.text);
    }
    return this.#read(message.bytes);
  }

  #connected(): Promise<WebSocket> {
    if (this.#closed) return Promise.reject(this.#faults.unavailable('closed'));
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    const failed = this.#dead;
    if (failed && this.#clock.monotonicMs() - failed.atMs < REDIAL_MS) return Promise.reject(failed.error);
    this.#opening ??= this.#dial().then(
      (socket) => {
        this.#dead = undefined;
        return socket;
      },
      (thrown: unknown) => {
        const error = EdgeError.from(thrown, 'model.unavailable', 'connect', this.#address.url);
        this.#dead = { error, atMs: this.#clock.monotonicMs() };
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Connected, and the server has started with its metadata. */
  #dial(): Promise<WebSocket> {
    const { url, token, connectMs } = this.#address;
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: LIMITS.POLICY_PAYLOAD_BYTES_MAX,
      followRedirects: false,
      headers: token === undefined ? {} : { Authorization: `Api-Key ${token}` },
    });
    this.#socket = socket;
    return new Promise<WebSocket>((resolve, reject) => {
      const give = (message: string, hint = '') => {
        timer.cancel();
        reject(this.#faults.unavailable(message, hint));
        socket.terminate();
      };
      const timer = this.#clock.after(connectMs, () => give(`no metadata within ${connectMs} ms`));
      socket.on('error', (error) =>
        give(error.message, /\b401\b/.test(error.message) ? 'set token_file' : ''),
      );
      socket.on('close', (code, reason) => {
        give(`the server closed the connection (${code} ${reason.toString('utf8')})`.trim());
        this.#ended(socket, code);
      });
      let begun = false;
      socket.on('message', (data: Buffer, binary: boolean) => {
        const message = binary ? { bytes: data } : { text: data.toString('utf8') };
        if (begun) {
          this.#arrived(socket, message);
          return;
        }
        begun = true;
        timer.cancel();
        try {
          this.#metadata = 'bytes' in message ? this.#read(message.bytes) : {};
          resolve(socket);
        } catch (error) {
          give((error as Error).message);
        }
      });
    });
  }

  #arrived(socket: WebSocket, message: Message): void {
    if (socket !== this.#socket) return;
    const waiting = this.#waiting;
    // An answer without a question. With a server that answers twice all later answers would be late: reconnect.
    if (!waiting) {
      this.drop();
      return;
    }
    this.#waiting = undefined;
    waiting.resolve(message);
  }

  #ended(socket: WebSocket, code: number): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#opening = undefined;
    this.#waiting?.reject(this.#faults.unavailable(`the server closed the connection (${code})`));
    this.#waiting = undefined;
  }

  #read(bytes: Uint8Array): Record<string, unknown> {
    try {
      const value = decodeMsgpack(bytes, { numpy: 'openpi' });
      if (isMap(value)) return value;
    } catch (cause) {
      throw this.#faults.failed(
        `the server answered what cannot be read: ${(cause as Error).message}`,
        cause,
      );
    }
    throw this.#faults.failed('the server answered something that is no map');
  }

  /** The server's words: a traceback of Python, whose last line says what happened. */
  #refusal(text: string): EdgeError {
    const last = text.trim().split('\n').at(-1) ?? '';
    return this.#faults.failed(`the server failed: ${last.slice(0, 500)}`);
  }
}
