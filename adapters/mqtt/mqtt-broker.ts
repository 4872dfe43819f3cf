import { type IClientOptions, type IClientPublishOptions, type MqttClient, connect as open } from 'mqtt';
import {
  type Broker,
  type BrokerMessage,
  type BrokerPlan,
  type Clock,
  EdgeError,
  LIMITS,
  type Timer,
} from '../../contract/core.ts';
import { Backoff } from '../../io/backoff.ts';
import { brokerFault } from './broker-fault.ts';

export type MqttBrokerOptions = {
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  readonly url: string;
  readonly clientId: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Read for each connection, so that replaced files are taken up. Throws what is wrong with them. */
  readonly access: () => MqttAccess;
};

/** What a broker is shown, and whose certificate of it counts: all in PEM. */
export type MqttAccess = {
  readonly username?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
};

/** How often a connection shows that it lives. */
const KEEP_ALIVE_S = 20;
/** Bytes of a message besides its payload. */
const AROUND_BYTES_MAX = 4_096;
/** MQTT 5, 3.14.2.1: the broker publishes the last will although the client says that it leaves. */
const LEAVES_WITH_WILL = 0x04;

/**
 * A broker of MQTT 5. Each connection is a new session with a client of its own: the broker keeps nothing for this one, since a
 * question without an answer is asked again.
 */
export class MqttBroker implements Broker {
  readonly #options: MqttBrokerOptions;
  #plan: BrokerPlan | undefined;
  #client: MqttClient | undefined;
  #retry: Timer | undefined;
  readonly #backoff: Backoff;
  #closed = false;
  #connected = false;
  #reason = 'not connected yet';
  #waitingBytes = 0;
  /** Ends what the broker has not taken yet. */
  readonly #waiting = new Set<(error: EdgeError) => void>();

  constructor(options: MqttBrokerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  open(plan: BrokerPlan): void {
    this.#plan = plan;
    this.#connect(plan);
  }

  status(): { readonly connected: boolean; readonly reason: string } {
    return { connected: this.#connected, reason: this.#connected ? '' : this.#reason };
  }

  async publish(message: BrokerMessage): Promise<void> {
    const client = this.#client;
    const { length } = message.payload;
    if (!client || !this.#connected) throw this.#error('link.unreachable', this.#reason);
    if (length > LIMITS.LINK_MQTT_BYTES_MAX)
      throw this.#error('api.too_large', `${length} bytes are above the limit of a message`);
    if (this.#waitingBytes + length > LIMITS.LINK_MQTT_QUEUE_BYTES_MAX)
      throw this.#error('cell.overloaded', `${this.#waitingBytes} bytes wait for the broker`);
    this.#waitingBytes += length;
    try {
      await this.#sent(client, message);
    } finally {
      this.#waitingBytes -= length;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connected = false;
    this.#reason = 'closed';
    this.#retry?.cancel();
    this.#fail();
    const client = this.#client;
    if (client) await ended(client, this.#options.clock);
  }

  #connect(plan: BrokerPlan): void {
    const { url } = this.#options;
    let presence: ReturnType<NonNullable<BrokerPlan['presence']>> | undefined;
    let client: MqttClient;
    try {
      presence = plan.presence?.();
      client = open(url, this.#settings(presence?.will));
    } catch (error) {
      // A file of the configuration that cannot be read, now.
      this.#lost(undefined, (error as Error).message);
      return;
    }
    this.#client = client;
    client.on('connect', () => {
      const late = this.#options.clock.after(2 * LIMITS.LINK_MQTT_MS, () =>
        this.#lost(client, 'the broker does not answer a subscription'),
      );
      void this.#ready(client, plan, presence?.hello)
        .catch((error: unknown) => this.#lost(client, brokerFault(error, url)))
        .finally(() => late.cancel());
    });
    client.on('message', (topic, payload) => {
      if (client === this.#client && !this.#closed) plan.onMessage({ topic, payload });
    });
    client.on('error', (error) => this.#lost(client, brokerFault(error, url)));
    client.on('close', () => this.#lost(client, 'the broker closed the connection'));
    boundReading(client, () => this.#lost(client, 'the broker sends more than a message may have'));
  }

  #settings(will: BrokerMessage | undefined): IClientOptions {
    const { url, clientId, access } = this.#options;
    const { username, password, ca, cert, key } = access();
    // With a certificate the library speaks TLS whatever the address says.
    const isTls = url.startsWith('mqtts:');
    return {
      ...{ protocolVersion: 5, clientId, clean: true, reconnectPeriod: 0, resubscribe: false },
      ...{ connectTimeout: LIMITS.LINK_MQTT_MS, keepalive: KEEP_ALIVE_S, timerVariant: 'native' },
      ...{ queueQoSZero: false, rejectUnauthorized: true },
      properties: { maximumPacketSize: LIMITS.LINK_MQTT_BYTES_MAX + AROUND_BYTES_MAX },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(isTls && ca !== undefined ? { ca } : {}),
      ...(isTls && cert !== undefined && key !== undefined ? { cert, key } : {}),
      ...(will ? { will: { topic: will.topic, payload: Buffer.from(will.payload), ...howOf(will) } } : {}),
    };
  }

  async #ready(client: MqttClient, plan: BrokerPlan, hello: BrokerMessage | undefined): Promise<void> {
    const topics = [...plan.topics];
    const granted = topics.length === 0 ? [] : await client.subscribeAsync(topics, { qos: 1 });
    const refused = granted.find(({ qos }) => qos >= 0x80);
    if (refused) throw new Error(`the broker refuses a subscription to ${refused.topic}`);
    if (hello) await this.#sent(client, hello);
    if (client !== this.#client || this.#closed) return;
    this.#backoff.succeeded();
    this.#connected = true;
  }

  /** Resolves when the broker has taken it, within a bound of time. */
  #sent(client: MqttClient, message: BrokerMessage): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        timer.cancel();
        this.#waiting.delete(fail);
        act();
      };
      const fail = (error: EdgeError) => end(() => reject(error));
      const timer = clock.after(LIMITS.LINK_MQTT_MS, () =>
        fail(this.#error('deadline.exceeded', `the broker took nothing within ${LIMITS.LINK_MQTT_MS} ms`)),
      );
      this.#waiting.add(fail);
      const payload = Buffer.from(message.payload);
      client.publish(message.topic, payload, howOf(message), (error) => {
        if (error) fail(this.#error('link.unreachable', brokerFault(error, this.#options.url)));
        else end(resolve);
      });
    });
  }

  /** Once for each client: the next one comes after a pause. */
  #lost(client: MqttClient | undefined, reason: string): void {
    if (client !== this.#client || this.#closed) return;
    this.#client = undefined;
    this.#connected = false;
    this.#reason = reason;
    if (client) {
      // Whatever it says from now on is said of the past.
      client.on('error', () => {});
      client.end(true);
    }
    this.#fail();
    const { clock } = this.#options;
    const now = clock.monotonicMs();
    this.#backoff.failed(now);
    this.#retry = clock.after(this.#backoff.restMs(now), () => {
      if (!this.#closed) this.#connect(this.#plan!);
    });
  }

  #fail(): void {
    for (const fail of [...this.#waiting]) fail(this.#error('link.unreachable', this.#reason));
  }

  #error(
    code: 'link.unreachable' | 'deadline.exceeded' | 'api.too_large' | 'cell.overloaded',
    message: string,
  ) {
    return new EdgeError(code, { operation: 'publish', subject: this.#options.url, message });
  }
}

function howOf({ retain = false, expiryMs }: BrokerMessage): Pick<IClientPublishOptions, 'qos' | 'retain'> & {
  properties?: { messageExpiryInterval: number };
} {
  const isShort = expiryMs !== undefined;
  return {
    ...{ qos: 1, retain },
    ...(isShort ? { properties: { messageExpiryInterval: Math.max(1, Math.ceil(expiryMs / 1_000)) } } : {}),
  };
}

/** A broker knows how large a message may be. One that sends more would fill the memory. */
function boundReading(client: MqttClient, act: () => void): void {
  const most = 2 * (LIMITS.LINK_MQTT_BYTES_MAX + AROUND_BYTES_MAX);
  let bytes = 0;
  client.on('packetreceive', () => {
    bytes = 0;
  });
  client.stream.on('data', (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes > most) act();
  });
}

/** Says that it leaves, and waits for that at most as long as for any answer of the broker. */
function ended(client: MqttClient, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(1_000, () => {
      client.end(true);
      resolve();
    });
    client.end(false, { reasonCode: LEAVES_WITH_WILL }, () => {
      timer.cancel();
      resolve();
    });
  });
}
