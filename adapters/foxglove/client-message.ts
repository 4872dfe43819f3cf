import { LIMITS, parseJson } from '../../contract/core.ts';
import type { SetParameter } from '../../io/attached/parameters.ts';

export type ClientChannel = {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
};
export type ClientMessage =
  | {
      readonly op: 'subscribe';
      readonly subscriptions: readonly { readonly id: number; readonly channelId: number }[];
    }
  | { readonly op: 'unsubscribe'; readonly subscriptionIds: readonly number[] }
  | { readonly op: 'advertise'; readonly channels: readonly ClientChannel[] }
  | { readonly op: 'unadvertise'; readonly channelIds: readonly number[] }
  | {
      readonly op: 'getParameters';
      readonly parameterNames: readonly string[];
      readonly id?: string;
    }
  | { readonly op: 'setParameters'; readonly parameters: readonly SetParameter[]; readonly id?: string }
  | {
      readonly op: 'subscribeParameterUpdates';
      readonly parameterNames: readonly string[];
    }
  | { readonly op: 'unsubscribeParameterUpdates'; readonly parameterNames: readonly string[] }
  | { readonly op: 'subscribeConnectionGraph' | 'unsubscribeConnectionGraph' }
  | { readonly op: 'fetchAsset'; readonly uri: string; readonly requestId: number };

type Fields = Readonly<Record<string, unknown>>;

class Misfit extends Error {}

/** A text message of a client, or what is wrong with it. Fields that this server does not know are left out. */
export function readText(text: string): ClientMessage | string {
  let message: unknown;
  try {
    message = parseJson(text);
  } catch {
    return 'the message is not JSON';
  }
  try {
    return read(fields(message, 'the message'));
  } catch (thrown) {
    if (thrown instanceof Misfit) return thrown.message;
    throw thrown;
  }
}

function read(message: Fields): ClientMessage {
  const { op } = message;
  switch (op) {
    case 'subscribe':
      return {
        op,
        subscriptions: list(message, 'subscriptions').map((row) => {
          const { id, channelId } = fields(row, 'subscriptions');
          return { id: number(id, 'subscriptions.id'), channelId: number(channelId, 'channelId') };
        }),
      };
    case 'unsubscribe':
      return { op, subscriptionIds: numbers(message, 'subscriptionIds') };
    case 'advertise':
      return { op, channels: list(message, 'channels').map(channel) };
    case 'unadvertise':
      return { op, channelIds: numbers(message, 'channelIds') };
    case 'getParameters':
      return { op, parameterNames: texts(message, 'parameterNames'), ...idOf(message) };
    case 'setParameters':
      return { op, parameters: list(message, 'parameters').map(parameter), ...idOf(message) };
    case 'subscribeParameterUpdates':
    case 'unsubscribeParameterUpdates':
      return { op, parameterNames: texts(message, 'parameterNames') };
    case 'subscribeConnectionGraph':
    case 'unsubscribeConnectionGraph':
      return { op };
    case 'fetchAsset':
      return { op, uri: text(message['uri'], 'uri'), requestId: number(message['requestId'], 'requestId') };
    default:
      throw new Misfit(`unknown op ${JSON.stringify(op)?.slice(0, 80)}`);
  }
}

function channel(row: unknown): ClientChannel {
  const { id, topic, encoding, schemaName } = fields(row, 'channels');
  return {
    id: number(id, 'channels.id'),
    topic: text(topic, 'channels.topic'),
    encoding: text(encoding, 'channels.encoding'),
    schemaName: text(schemaName, 'channels.schemaName'),
  };
}

function parameter(row: unknown): SetParameter {
  const { name, value, type } = fields(row, 'parameters');
  return {
    name: text(name, 'parameters.name'),
    ...(value === undefined ? {} : { value }),
    ...(type === undefined ? {} : { type: text(type, 'parameters.type') }),
  };
}

function idOf({ id }: Fields): { readonly id?: string } {
  return id === undefined || id === null ? {} : { id: text(id, 'id') };
}

function fields(value: unknown, where: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Misfit(`${where}: expected an object`);
}

function list(message: Fields, key: string): readonly unknown[] {
  const value = message[key];
  if (!Array.isArray(value)) throw new Misfit(`${key}: expected a list`);
  if (value.length > LIMITS.ATTACH_SUBSCRIPTIONS_MAX)
    throw new Misfit(
      `${key}: expected at most ${LIMITS.ATTACH_SUBSCRIPTIONS_MAX} entries, found ${value.length}`,
    );
  return value;
}

function numbers(message: Fields, key: string): number[] {
  return list(message, key).map((value) => number(value, key));
}

function texts(message: Fields, key: string): string[] {
  return list(message, key).map((value) => text(value, key));
}

/** Ids travel as 32 bits. */
function number(value: unknown, where: string): number {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff) return value as number;
  throw new Misfit(`${where}: expected a whole number of 32 bits`);
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' && value.length <= 1_024) return value;
  throw new Misfit(`${where}: expected text of at most 1024 characters`);
}
