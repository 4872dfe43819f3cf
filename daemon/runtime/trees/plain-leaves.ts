import type { JsonValue } from '../../../contract/index.ts';
import type { Leaf, LeafCall } from './leaf.ts';
import { typed } from './ports.ts';

/** What moves the robot, takes long or starts something: it never runs beside an action. */
const ALONE =
  /^(robot\.(navigate|maneuver|stop)|arm\.(move|gripper)|controller\.|run\.|person\.|plan\.|flow\.|loop\.|agent\.)/;
const COMPARISON = /^\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$/;

/** Nodes of BehaviorTree.CPP without children. */
export const PLAIN_LEAVES: Readonly<Record<string, Leaf>> = {
  AlwaysSuccess: { ports: {}, fixed: 'success', beside: true, act: () => ({ ok: true, reason: 'always' }) },
  AlwaysFailure: { ports: {}, fixed: 'failure', beside: true, act: () => ({ ok: false, reason: 'always' }) },
  SetBlackboard: {
    ports: {
      value: { type: 'any', required: true },
      output_key: { type: 'any', out: true, required: true },
    },
    beside: true,
    act({ value }) {
      const given = value('value')!;
      return { ok: true, reason: JSON.stringify(given).slice(0, 80), out: { output_key: given } };
    },
  },
  ScriptCondition: {
    ports: { code: { type: 'text', required: true } },
    beside: true,
    act(call) {
      const code = call.value('code') as string;
      return { ok: compared(code, call), reason: code };
    },
  },
};

/** What is wrong with the code of a ScriptCondition; undefined: nothing. */
export function codeFault(code: string): string | undefined {
  return COMPARISON.test(code)
    ? undefined
    : 'code is one comparison: KEY ==, !=, <, <=, > or >= VALUE, such as "state.bumps > 5"';
}

/** The key that the code of a ScriptCondition reads. */
export function keyOfCode(code: string): string | undefined {
  return COMPARISON.exec(code)?.[1]?.split('.')[0];
}

/** A tool of this daemon as a node: its attributes are its arguments, `result="{key}"` keeps its answer. */
export function toolLeaf(tool: string): Leaf {
  return {
    ports: { result: { type: 'any', out: true } },
    ...{ tools: [tool], beside: !ALONE.test(tool) },
    async act({ tools, signal, value }) {
      const result = await tools.call(tool, value('*') as Readonly<Record<string, JsonValue>>, signal);
      const { outcome, status, answer, message, reason } = result;
      const end = outcome ?? status;
      const ok = end === undefined || ['reached', 'succeeded', 'finished'].includes(String(end));
      const why = message ?? reason;
      const words = [end ?? answer ?? tool, ...(ok || typeof why !== 'string' || why === '' ? [] : [why])];
      return { ok, reason: words.map(String).join(': ').slice(0, 300), out: { result: result as JsonValue } };
    },
  };
}

function compared(code: string, { lookup }: LeafCall): boolean {
  const [, name = '', sign = '', text = ''] = COMPARISON.exec(code) ?? [];
  const left = at(name, lookup);
  const right = constant(text);
  if (sign === '==' || sign === '!=')
    return (JSON.stringify(left) === JSON.stringify(right)) === (sign === '==');
  if (typeof left !== 'number' || typeof right !== 'number') return false;
  return sign === '<'
    ? left < right
    : sign === '<='
      ? left <= right
      : sign === '>'
        ? left > right
        : left >= right;
}

function constant(text: string): JsonValue {
  const quoted = /^'([^']*)'$|^"([^"]*)"$/.exec(text);
  if (quoted) return quoted[1] ?? quoted[2] ?? '';
  return typed(text);
}

/** `state.bumps`: a field of what is under a key. Own fields only. */
function at(name: string, lookup: LeafCall['lookup']): JsonValue | undefined {
  const [key, ...fields] = name.split('.');
  let here = lookup(key!);
  for (const field of fields) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, field)) return undefined;
    here = (here as Readonly<Record<string, JsonValue>>)[field];
  }
  return here;
}
