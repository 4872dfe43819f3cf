import {
  type Broker,
  type BrokerMessage,
  LIMITS,
  type MqttAsk,
  mqttAnswerText,
  mqttAskChecker,
  mqttAskText,
  mqttPresenceChecker,
  mqttPresenceText,
  mqttTopic,
  parseJson,
} from '../contract/index.ts';
import type { Coordinator } from './coordinator.ts';
import type { OrderQueue } from './order-queue.ts';
import type { PresenceRows } from './presence-rows.ts';
import type { ReceiptSigner } from './receipt-signer.ts';
import { refusalOf } from './refusals.ts';
import type { RobotSignature } from './robot-signature.ts';

export type MqttDeskParts = {
  readonly broker: Broker;
  readonly coordinator: Coordinator;
  readonly orders: OrderQueue;
  readonly presence: PresenceRows;
  readonly signer: ReceiptSigner;
  readonly signature: RobotSignature;
  readonly report: (message: string, error: unknown) => void;
};

const TOPIC = /^auraison\/v2\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\/(presence|events|reports)$/;

/**
 * Robots through a broker: the same questions and answers as over HTTP, and who is there. The broker is not trusted: what a robot did not
 * sign for its own topic is dropped and counted, without an answer.
 */
export class MqttDesk {
  readonly #parts: MqttDeskParts;
  readonly #busy = new Map<string, number>();
  #asks = 0;
  /** Messages that no robot signed, or that are not of LINK.md. */
  refused = 0;
  /** Questions beyond what is answered at a time. */
  dropped = 0;

  constructor(parts: MqttDeskParts) {
    this.#parts = parts;
    parts.broker.open({
      topics: ['presence', 'events', 'reports'].map((what) => `auraison/v2/+/${what}`),
      onMessage: (message) => this.#heard(message),
    });
  }

  async close(): Promise<void> {
    await this.#parts.broker.close();
  }

  #heard({ topic, payload }: BrokerMessage): void {
    const [, robot, what] = TOPIC.exec(topic) ?? [];
    // A retained message that somebody cleared.
    if (payload.length === 0 && what === 'presence') return;
    try {
      if (robot === undefined || payload.length > LIMITS.LINK_MQTT_BYTES_MAX)
        throw new Error('not of LINK.md');
      const json = parseJson(Buffer.from(payload).toString());
      if (what === 'presence') this.#presence(robot, json);
      else this.#ask(robot, what, json);
    } catch (error) {
      this.refused += 1;
      if (this.refused === 1) this.#parts.report(`message on ${topic.slice(0, 128)} refused`, error);
    }
  }

  #presence(robot: string, json: unknown): void {
    const presence = mqttPresenceChecker.parse(json, 'presence');
    requireTopic(robot, presence.robot);
    this.#parts.signature.require(presence, mqttPresenceText(presence), 'presence', false);
    if (!this.#parts.presence.take(presence)) throw new Error('an older presence than what is known');
  }

  #ask(robot: string, what: string | undefined, json: unknown): void {
    const busy = this.#busy.get(robot) ?? 0;
    if (this.#asks >= LIMITS.CENTRAL_MQTT_ASKS_MAX || busy >= LIMITS.CENTRAL_MQTT_ROBOT_ASKS_MAX) {
      this.dropped += 1;
      return;
    }
    const ask = mqttAskChecker.parse(json, 'question');
    requireTopic(robot, ask.robot);
    const isEvents = ask.kind === 'push' || ask.kind === 'watermark';
    if (isEvents !== (what === 'events')) throw new Error(`${ask.kind} is not asked on ${what}`);
    this.#parts.signature.require(ask, mqttAskText(ask), 'message', false);
    this.#asks += 1;
    this.#busy.set(robot, busy + 1);
    void this.#answer(ask).finally(() => {
      this.#asks -= 1;
      const rest = (this.#busy.get(robot) ?? 1) - 1;
      if (rest > 0) this.#busy.set(robot, rest);
      else this.#busy.delete(robot);
    });
  }

  async #answer(ask: MqttAsk): Promise<void> {
    const { broker, coordinator, signer, report } = this.#parts;
    let status = 200;
    let body: unknown;
    try {
      body = await this.#done(ask);
    } catch (thrown) {
      const refusal = refusalOf(thrown, coordinator, report);
      status = refusal.status;
      body = JSON.parse(String(refusal.body));
    }
    const { robot, id } = ask;
    const unsigned = { robot, id, status, body: body as MqttAsk['body'] };
    const answer = { ...unsigned, signature: signer.signText(mqttAnswerText(unsigned)) };
    const topic = mqttTopic(robot, ask.kind === 'push' || ask.kind === 'watermark' ? 'receipts' : 'commands');
    // Not taken by the broker: the robot asks again.
    await broker
      .publish({ topic, payload: Buffer.from(JSON.stringify(answer)), expiryMs: LIMITS.LINK_MQTT_MS })
      .catch(() => {});
  }

  async #done({ robot, kind, body }: MqttAsk): Promise<unknown> {
    const { coordinator, orders } = this.#parts;
    const by = { name: robot, mayActFor: (name: string) => name === robot };
    const query = () =>
      new URLSearchParams(Object.entries(body).map(([key, value]): [string, string] => [key, String(value)]));
    if (kind === 'push') return coordinator.push(body, by);
    if (kind === 'watermark') return coordinator.watermark(query(), by);
    return kind === 'orders' ? await orders.orders(query(), by) : orders.report(body, by);
  }
}

function requireTopic(topic: string, robot: string): void {
  if (topic !== robot) throw new Error(`a message of ${robot} on the topic of ${topic}`);
}
