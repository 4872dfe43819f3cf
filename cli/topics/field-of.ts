import { EdgeError } from '../../contract/core.ts';

/** A topic and a field of its messages, as `/joint_states.position[3]` names it. */
export type FieldName = { readonly topic: string; readonly keys: readonly (string | number)[] };

/** Throws where the text names no field. */
export function fieldNameOf(text: string): FieldName {
  const [, topic, path = ''] = /^(\/[\w/~]+)((?:\.\w+|\[\d+\])*)$/.exec(text) ?? [];
  if (topic === undefined || path === '')
    throw new EdgeError('schema.invalid', {
      operation: 'read a field',
      subject: text,
      message: `expected a topic and a field like /odom.twist.twist.linear.x, found ${text}`,
    });
  return { topic, keys: keysOf(path) };
}

/** Keys of a path like `pose.position.x` or `position[3]`. */
export function keysOf(path: string): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|(\w+)/g)].map(([, index, name]) =>
    index === undefined ? name! : Number(index),
  );
}

/** Undefined: the message has no such field. */
export function valueAt(message: unknown, keys: readonly (string | number)[]): unknown {
  let value = message;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
