import { EdgeError, type JsonValue, parseJson } from '../../../contract/index.ts';

/** What an attribute of a node is: read, or written under a key of the blackboard. */
export type Port = {
  readonly type: 'number' | 'text' | 'pose' | 'poses' | 'path' | 'any';
  readonly out?: true;
  readonly required?: true;
  readonly min?: number;
  readonly max?: number;
};
export type Ports = Readonly<Record<string, Port>>;

/** A key of the blackboard, written out over the borders of subtrees, or a value. */
export type Binding = { readonly key: string } | { readonly value: JsonValue };

export const NUMBER: Port = { type: 'number' };
export const POSE: Port = { type: 'pose', required: true };
export const OUT: Port = { type: 'any', out: true };

const KEY = /^\{(@?[A-Za-z_][A-Za-z0-9_.]{0,63})\}$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The key that `{key}` names; undefined: it is a value. */
export function keyIn(text: string): string | undefined {
  return KEY.exec(text.trim())?.[1];
}

/** A text of the file with its type: a number, true, false, a list or object in JSON, or the text. */
export function typed(text: string): JsonValue {
  const trimmed = text.trim();
  if (DECIMAL.test(trimmed)) return Number(trimmed);
  if (trimmed === 'true' || trimmed === 'false') return trimmed === 'true';
  if (!/^[[{]/.test(trimmed)) return text;
  try {
    return parseJson(trimmed) as JsonValue;
  } catch {
    return text;
  }
}

/** What is wrong with a value for a port; undefined: nothing. */
export function portFault(port: Port, value: JsonValue): string | undefined {
  try {
    asPort(port, value);
    return undefined;
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

/** A value as its port has it. Throws `schema.invalid` with what is expected. */
export function asPort(port: Port, value: JsonValue): JsonValue {
  const { type, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = port;
  if (type === 'text') return String(value);
  if (type === 'number') {
    const number = typeof value === 'string' && DECIMAL.test(value.trim()) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) throw expected('a number', value);
    if (number < min || number > max) throw expected(`${min} to ${max}`, value);
    return number;
  }
  if (type === 'pose') return poseOf(value);
  if (type === 'poses') {
    if (!Array.isArray(value) || value.length === 0) throw expected('a list of poses', value);
    return value.map(poseOf);
  }
  if (type === 'path' && !(typeof value === 'object' && value !== null && 'poses' in value))
    throw expected('a path, as ComputePathToPose writes it', value);
  return value;
}

/** `{x, y, yaw}`, `x;y` or `x;y;yaw`: metres and radians in the frame map. */
function poseOf(value: JsonValue): JsonValue {
  const words = 'a pose: {"x": …, "y": …, "yaw": …} or x;y;yaw, metres and radians in map';
  if (typeof value === 'string') {
    const numbers = value.split(';').map((part) => (DECIMAL.test(part.trim()) ? Number(part) : Number.NaN));
    if (numbers.some(Number.isNaN) || numbers.length < 2 || numbers.length > 3) throw expected(words, value);
    const [x, y, yaw] = numbers;
    return { x: x!, y: y!, ...(yaw === undefined ? {} : { yaw }) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected(words, value);
  const { x, y, yaw } = value as Readonly<Record<string, JsonValue>>;
  if (typeof x !== 'number' || typeof y !== 'number' || !['number', 'undefined'].includes(typeof yaw))
    throw expected(words, value);
  return { x, y, ...(yaw === undefined ? {} : { yaw }) };
}

function expected(what: string, found: JsonValue): EdgeError {
  const text = (JSON.stringify(found) ?? 'nothing').slice(0, 80);
  return new EdgeError('schema.invalid', {
    operation: 'port',
    subject: what,
    message: `expected ${what}, found ${text}`,
    retryable: false,
  });
}
