import { deserialize, serialize } from 'node:v8';
import {
  ERROR_CODES,
  type ErrorBody,
  type GoalResult,
  type GraphSnapshot,
  type MessageValue,
} from '../../contract/core.ts';
import { brokenFrame } from './wire.ts';

/**
 * What the adapter and its host say to each other about services, actions and the graph: values with bigint
 * and typed arrays, so they travel in V8's own serialization and not as JSON. Both ends are this program.
 * `server` numbers are given by the adapter and stay the same over restarts; a goal is named by its UUID.
 */

/** Adapter to host; each is answered by one `reply` or `error` with the same id. */
export type ApiCall =
  | {
      readonly op: 'call';
      readonly name: string;
      readonly type: string;
      readonly request: MessageValue;
      readonly timeoutMs: number;
    }
  | { readonly op: 'serve'; readonly server: number; readonly name: string; readonly type: string }
  | { readonly op: 'serveAction'; readonly server: number; readonly name: string; readonly type: string }
  | { readonly op: 'unserve'; readonly server: number }
  | {
      readonly op: 'sendGoal';
      readonly goalId: string;
      readonly name: string;
      readonly type: string;
      readonly goal: MessageValue;
      readonly timeoutMs: number;
    }
  | { readonly op: 'graph' };

/** Adapter to host, unanswered. */
export type ApiWord =
  /** The caller cancelled: any answer is dropped. */
  | { readonly op: 'abort'; readonly id: number }
  /** Without a value the caller of our service gets no answer. */
  | {
      readonly op: 'answer';
      readonly server: number;
      readonly request: number;
      readonly value?: MessageValue;
    }
  | { readonly op: 'accept'; readonly server: number; readonly goalId: string; readonly accepted: boolean }
  | {
      readonly op: 'feedback';
      readonly server: number;
      readonly goalId: string;
      readonly value: MessageValue;
    }
  | { readonly op: 'finish'; readonly server: number; readonly goalId: string; readonly result: GoalResult }
  | { readonly op: 'watch'; readonly on: boolean };

/** Host to adapter. */
export type ApiNews =
  | { readonly op: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly op: 'error'; readonly id: number; readonly error: ErrorBody }
  | {
      readonly op: 'request';
      readonly server: number;
      readonly request: number;
      readonly value: MessageValue;
    }
  /** A goal that waits for `accept`. */
  | { readonly op: 'goal'; readonly server: number; readonly goalId: string; readonly value: MessageValue }
  /** The client knows that its goal is accepted: execute it. */
  | { readonly op: 'execute'; readonly server: number; readonly goalId: string }
  | { readonly op: 'cancelled'; readonly server: number; readonly goalId: string }
  | { readonly op: 'goalFeedback'; readonly goalId: string; readonly value: MessageValue }
  | { readonly op: 'goalResult'; readonly goalId: string; readonly result: GoalResult }
  | { readonly op: 'goalLost'; readonly goalId: string; readonly error: ErrorBody }
  | { readonly op: 'graph'; readonly graph: GraphSnapshot };

export type ApiRequest = { readonly id: number; readonly call: ApiCall };

export function encodeApi(value: ApiRequest | ApiWord | ApiNews): Buffer {
  return serialize(value);
}

/** Throws `ros.failed`, as the other two, for bytes that are not what they are read as. */
export function decodeApiRequest(body: Uint8Array): ApiRequest {
  const value = read(body);
  if (!isRecord(value) || typeof value['id'] !== 'number') throw brokenFrame('a call has no number');
  required(value['call'], CALLS, 'a call');
  return value as ApiRequest;
}

export function decodeApiWord(body: Uint8Array): ApiWord {
  return required(read(body), WORDS, 'a word') as ApiWord;
}

export function decodeApiNews(body: Uint8Array): ApiNews {
  return required(read(body), NEWS, 'news') as ApiNews;
}

type Check = 'number' | 'string' | 'boolean' | ((value: unknown) => boolean);
type Shapes<Op extends string = string> = Readonly<Record<Op, Readonly<Record<string, Check>>>>;

/**
 * The fields of a frame that are checked here. Values of messages are checked by their definitions, where they are
 * used.
 */
const SERVED = { server: 'number', name: 'string', type: 'string' } as const;
const GOAL = { server: 'number', goalId: 'string' } as const;
const CALLS: Shapes<ApiCall['op']> = {
  call: { name: 'string', type: 'string', timeoutMs: 'number' },
  serve: SERVED,
  serveAction: SERVED,
  unserve: { server: 'number' },
  sendGoal: { goalId: 'string', name: 'string', type: 'string', timeoutMs: 'number' },
  graph: {},
};
const WORDS: Shapes<ApiWord['op']> = {
  abort: { id: 'number' },
  answer: { server: 'number', request: 'number' },
  accept: { ...GOAL, accepted: 'boolean' },
  feedback: GOAL,
  finish: GOAL,
  watch: { on: 'boolean' },
};
const NEWS: Shapes<ApiNews['op']> = {
  reply: { id: 'number' },
  error: { id: 'number', error: isError },
  request: { server: 'number', request: 'number' },
  goal: GOAL,
  execute: GOAL,
  cancelled: GOAL,
  goalFeedback: { goalId: 'string' },
  goalResult: { goalId: 'string', result: isRecord },
  goalLost: { goalId: 'string', error: isError },
  graph: { graph: isGraph },
};

function read(body: Uint8Array): unknown {
  try {
    return deserialize(body);
  } catch (cause) {
    throw brokenFrame('a value cannot be read', cause);
  }
}

function required(value: unknown, shapes: Shapes, what: string): unknown {
  const op = isRecord(value) ? value['op'] : undefined;
  if (!isRecord(value) || typeof op !== 'string' || !Object.hasOwn(shapes, op))
    throw brokenFrame(`${what} of an unknown kind`);
  for (const [field, check] of Object.entries(shapes[op]!)) {
    const fits = typeof check === 'string' ? typeof value[field] === check : check(value[field]);
    if (!fits) throw brokenFrame(`${what}, ${op}: the field ${field} is invalid`);
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isError(value: unknown): boolean {
  if (!isRecord(value) || !ERROR_CODES.includes(value['code'] as ErrorBody['code'])) return false;
  return ['operation', 'subject', 'message'].every((field) => typeof value[field] === 'string');
}

function isGraph(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { nodes, topics, services, actions } = value;
  return [nodes, services, actions].every((list) => each(list, isNamed)) && each(topics, isTopic);
}

function isNamed(value: unknown): boolean {
  return isRecord(value) && typeof value['name'] === 'string';
}

function isTopic(value: unknown): boolean {
  if (!isRecord(value) || typeof value['topic'] !== 'string') return false;
  return each(value['publishers'], isEndpoint) && each(value['subscribers'], isEndpoint);
}

function isEndpoint(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return typeof value['node'] === 'string' && typeof value['type'] === 'string' && isRecord(value['qos']);
}

/** Not `every`: that passes over holes, and a few bytes may say an array with four billion of them. */
function each(list: unknown, fits: (one: unknown) => boolean): boolean {
  if (!Array.isArray(list)) return false;
  for (const one of list) if (!fits(one)) return false;
  return true;
}
