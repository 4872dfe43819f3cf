import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { closed, Json, Text, Uuid } from './common.ts';
import { WireTime } from './time.ts';

/** Messages between robot and coordinator through a broker; described in `central-link/LINK.md`, "A broker (MQTT)". */

const robot = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' });
const signed = {
  certificate: Text(65_536, 'PEM: of the key that signed, then those of its authorities'),
  signature: Text(2048, '<algorithm>:<key id>:<base64url of the signature>'),
};

export const MqttAsk = Type.Object(
  {
    robot,
    id: Uuid('chosen by the robot, never used twice'),
    kind: Type.Enum(['watermark', 'push', 'orders', 'reports']),
    body: Json,
    ...signed,
  },
  closed,
);
export type MqttAsk = Static<typeof MqttAsk>;
export const mqttAskChecker = checker(MqttAsk);

export const MqttAnswer = Type.Object(
  {
    robot,
    id: Uuid('that of the question'),
    status: Type.Integer({ minimum: 100, maximum: 599, description: 'as over HTTP' }),
    body: Json,
    signature: Text(1024, 'ed25519:<key id>:<base64url of the signature of mqttAnswerText>'),
  },
  closed,
);
export type MqttAnswer = Static<typeof MqttAnswer>;
export const mqttAnswerChecker = checker(MqttAnswer);

/** `session`: when the robot opened this connection; a later connection has a larger number. */
export const MqttPresence = Type.Object(
  { robot, state: Type.Enum(['online', 'offline']), session: WireTime, ...signed },
  closed,
);
export type MqttPresence = Static<typeof MqttPresence>;
export const mqttPresenceChecker = checker(MqttPresence);

/** `events` and `reports` are questions of the robot, `receipts` and `commands` the answers to them. */
export type MqttTopic = 'presence' | 'events' | 'receipts' | 'reports' | 'commands';

export function mqttTopic(name: string, what: MqttTopic): string {
  return `auraison/v2/${name}/${what}`;
}

/** The exact text that the robot signs of a question. */
export function mqttAskText(ask: Omit<MqttAsk, 'signature'>): string {
  return `auraison-link-mqtt/v1\n${unsigned(ask)}`;
}

/** The exact text that central signs of an answer. */
export function mqttAnswerText(answer: Omit<MqttAnswer, 'signature'>): string {
  return `auraison-link-mqtt-answer/v1\n${unsigned(answer)}`;
}

/** The exact text that the robot signs of its presence. */
export function mqttPresenceText(presence: Omit<MqttPresence, 'signature'>): string {
  return `auraison-link-presence/v1\n${unsigned(presence)}`;
}

function unsigned(value: object): string {
  return canonicalJson({ ...value, signature: undefined });
}
