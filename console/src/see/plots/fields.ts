/** Numbers in messages by their address: `/odom.twist.twist.linear.x`, `/joint_states.position[3]`. Pure. */
import type { Definitions } from '../link/sample.ts';

export type Signal = {
  readonly text: string;
  readonly topic: string;
  readonly keys: readonly (string | number)[];
};

const SIGNAL = /^(\/[\w/~]+)((?:\.\w+|\[\d{1,6}\])+)$/;
const NUMBERS: ReadonlySet<string> = new Set([
  ...['bool', 'byte', 'char', 'float32', 'float64'],
  ...[8, 16, 32, 64].flatMap((bits) => [`int${bits}`, `uint${bits}`]),
]);
const DEPTH_MAX = 12;

/** Undefined where the text is no address of a field. */
export function signalOf(text: string): Signal | undefined {
  const [, topic, path] = SIGNAL.exec(text.trim()) ?? [];
  if (topic === undefined || path === undefined) return undefined;
  const keys = [...path.matchAll(/\.(\w+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
  return { text: text.trim(), topic, keys };
}

/** The number in a message; undefined where it has no such number. A time is seconds, true is 1. */
export function numberAt(message: unknown, keys: readonly (string | number)[]): number | undefined {
  let at: unknown = message;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  if (typeof at === 'number') return at;
  if (typeof at === 'bigint' || typeof at === 'boolean') return Number(at);
  const { sec, nsec, nanosec } = (at ?? {}) as { sec?: unknown; nsec?: unknown; nanosec?: unknown };
  const part = nanosec ?? nsec;
  return typeof sec === 'number' && typeof part === 'number' ? sec + part / 1e9 : undefined;
}

/** Addresses of all numbers of a type, of arrays the first element; at most `most`. */
export function fieldsOf(topic: string, definitions: Definitions, most = 500): string[] {
  const found: string[] = [];
  const byName = new Map(definitions.map((one) => [one.name, one]));
  const root = definitions.find(({ name }) => name === undefined) ?? definitions[0];
  const walk = (fields: Definitions[number]['definitions'], path: string, depth: number) => {
    for (const field of fields) {
      if (found.length >= most || field.isConstant) continue;
      const here = `${path}.${field.name}${field.isArray ? '[0]' : ''}`;
      if (NUMBERS.has(field.type) || field.type === 'time' || field.type === 'duration') found.push(here);
      else if (field.isComplex && depth < DEPTH_MAX)
        walk(byName.get(field.type)?.definitions ?? [], here, depth + 1);
    }
  };
  if (root) walk(root.definitions, topic, 0);
  return found;
}
