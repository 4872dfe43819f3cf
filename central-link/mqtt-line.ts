import {
  type Broker,
  type Checker,
  type Clock,
  EdgeError,
  type ErrorCode,
  LIMITS,
  type LinkStatus,
  linkRefusalChecker,
  type MqttAnswer,
  type MqttAsk,
  mqttAnswerChecker,
  mqttAnswerText,
  mqttAskText,
  mqttPresenceText,
  mqttTopic,
  parseJson,
  type Timer,
  toWireTime,
} from '../contract/index.ts';
import { type DiskIdentity, signText } from './disk-identity.ts';
import type { ReceiptKeys } from './receipt-keys.ts';

export type MqttLineOptions = {
  readonly robot: string;
  readonly broker: Broker;
  readonly clock: Clock;
  /** Read for every question, so that a renewed certificate is used. Throws `config.invalid`. */
  readonly identity: () => DiskIdentity;
  /** Whose answers count. They are never fetched through the broker. */
  readonly keys: ReceiptKeys;
  readonly newId: () => string;
};

type Pending = { readonly timer: Timer; resolve(answer: MqttAnswer): void; reject(error: EdgeError): void };

/**
 * Questions to the coordinator through a broker, by LINK.md. The robot signs each question, central signs its answer with the id of the
 * question: what a broker or another client keeps and sends again answers nothing.
 */
export class MqttLine {
  readonly #options: MqttLineOptions;
  readonly #pending = new Map<string, Pending>();
  #closed = false;
  /** Messages on the topics of this robot that central did not sign, or that answer nothing. */
  refused = 0;

  constructor(options: MqttLineOptions) {
    this.#options = options;
    const { robot, broker } = options;
    broker.open({
      topics: [mqttTopic(robot, 'receipts'), mqttTopic(robot, 'commands')],
      onMessage: ({ payload }) => void this.#heard(payload),
      presence: () => {
        const session = toWireTime(options.clock.now());
        return { will: this.#presence('offline', session), hello: this.#presence('online', session) };
      },
    });
  }

  /** Rejects with `link.unreachable`, `deadline.exceeded`, `api.too_large`, `cell.overloaded`, `config.invalid`. */
  async ask(kind: MqttAsk['kind'], body: MqttAsk['body'], waitMs = 0): Promise<MqttAnswer> {
    const { robot, broker, clock, identity, newId } = this.#options;
    if (this.#closed) throw this.error('link.unreachable', 'the link is closed');
    const { connected, reason } = broker.status();
    if (!connected) throw this.error('link.unreachable', reason);
    const { certificate, key } = identity();
    const unsigned = { robot, id: newId(), kind, body, certificate };
    const ask = { ...unsigned, signature: signText(key, mqttAskText(unsigned)) };
    const payload = Buffer.from(JSON.stringify(ask));
    if (payload.length > LIMITS.LINK_MQTT_BYTES_MAX)
      throw this.error('api.too_large', `${payload.length} bytes are above the limit of a message`);
    const topic = mqttTopic(robot, kind === 'push' || kind === 'watermark' ? 'events' : 'reports');
    const answerMs = LIMITS.LINK_MQTT_MS + waitMs;
    return await new Promise<MqttAnswer>((resolve, reject) => {
      const end = (act: () => void) => {
        timer.cancel();
        this.#pending.delete(ask.id);
        act();
      };
      const fail = (error: EdgeError) => end(() => reject(error));
      const timer = clock.after(answerMs, () =>
        fail(this.error('deadline.exceeded', `no answer of central within ${answerMs} ms`)),
      );
      this.#pending.set(ask.id, { timer, resolve: (answer) => end(() => resolve(answer)), reject: fail });
      broker
        .publish({ topic, payload, expiryMs: answerMs })
        .catch((error: unknown) => fail(EdgeError.from(error, 'link.unreachable', 'ask central', 'broker')));
    });
  }

  status(): NonNullable<LinkStatus['broker']> {
    const { connected, reason } = this.#options.broker.status();
    return { state: connected ? 'connected' : 'disconnected', reason, refused: this.refused };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const one of [...this.#pending.values()])
      one.reject(this.error('link.unreachable', 'the link is closed'));
    await this.#options.broker.close();
  }

  /** The coordinator's error if it is one of LINK.md, else one for the status. */
  refusal({ status, body }: MqttAnswer): EdgeError {
    const said = linkRefusalChecker.is(body) ? body : undefined;
    const message = said ? said.message : `answers with status ${status} and no reason`;
    if (status === 409 && (said?.code === 'link.gap' || said?.code === 'link.conflict'))
      return this.error(said.code, message, said.hint);
    if (status === 401 || status === 403) return this.error('api.unauthorised', message, said?.hint);
    if (status === 413) return this.error('api.too_large', message);
    if (status === 400 && said) return this.error('link.refused', `${said.code}: ${message}`, said.hint);
    return this.error('link.unreachable', message);
  }

  read<T>(check: Checker<T>, json: unknown): T {
    const fault = check.fault(json);
    if (fault === undefined) return json as T;
    throw this.error('link.unreachable', `something else than a coordinator answers: ${fault}`);
  }

  error(code: ErrorCode, message: string, hint = ''): EdgeError {
    return new EdgeError(code, { operation: 'ask central', subject: 'link.mqtt', message, hint });
  }

  #presence(state: 'online' | 'offline', session: ReturnType<typeof toWireTime>) {
    const { robot, identity } = this.#options;
    const { certificate, key } = identity();
    const unsigned = { robot, state, session, certificate };
    const presence = { ...unsigned, signature: signText(key, mqttPresenceText(unsigned)) };
    return {
      topic: mqttTopic(robot, 'presence'),
      payload: Buffer.from(JSON.stringify(presence)),
      retain: true,
    };
  }

  async #heard(payload: Uint8Array): Promise<void> {
    const answer = answerIn(payload);
    const isMine = answer?.robot === this.#options.robot && this.#pending.has(answer.id);
    const isRight =
      answer && isMine && (await this.#options.keys.verifyText(mqttAnswerText(answer), answer.signature));
    const waiting = answer && this.#pending.get(answer.id);
    if (isRight && waiting) waiting.resolve(answer);
    else if (!isRight) this.refused += 1;
  }
}

function answerIn(payload: Uint8Array): MqttAnswer | undefined {
  if (payload.length > LIMITS.LINK_MQTT_BYTES_MAX) return undefined;
  try {
    const json = parseJson(Buffer.from(payload).toString());
    return mqttAnswerChecker.is(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
