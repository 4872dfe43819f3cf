import { LIMITS, parseJson } from '../../contract/core.ts';

export type ClientMessage = { readonly op: string; readonly id?: string } & Readonly<Record<string, unknown>>;

/** A message of a client, or what is wrong with it. Fields beside `op` and `id` are read where they are needed. */
export function readMessage(text: string): ClientMessage | string {
  let message: unknown;
  try {
    message = parseJson(text);
  } catch {
    return 'the message is not JSON';
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    return 'the message is not a JSON object';
  const { op, id, ...rest } = message as Record<string, unknown>;
  if (typeof op !== 'string' || op.length > 64) return 'op: expected text';
  if (id === undefined || id === null) return { ...rest, op };
  if ((typeof id !== 'string' && typeof id !== 'number') || String(id).length > 256)
    return 'id: expected text';
  return { ...rest, op, id: String(id) };
}

/** A name of ROS with its leading slash; undefined for any other value. */
export function nameOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > 250) return undefined;
  return value.startsWith('/') ? value : `/${value}`;
}

/** `geometry_msgs/Twist` and `geometry_msgs/msg/Twist` are the same type. */
export function typeOf(value: unknown, kind: 'msg' | 'srv' | 'action'): string | undefined {
  if (typeof value !== 'string' || value.length > 250) return undefined;
  return /^\w+\/\w+$/.test(value) ? value.replace('/', `/${kind}/`) : value;
}

/** Fields by name; rosbridge allows a list too, which needs the definition and is not taken. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** Milliseconds or a count; any other value counts as 0. */
export function countOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(Math.floor(value), 86_400_000) : 0;
}

/** Seconds of rosbridge as milliseconds, within what the API takes. */
export function timeoutOf(value: unknown): number {
  return typeof value === 'number' && value > 0
    ? Math.ceil(Math.min(value * 1_000, 60_000))
    : LIMITS.ATTACH_CALL_MS;
}
