import { toJson } from '../output.ts';
import type { Said } from './commands.ts';
import type { Shown, Status } from './shown.ts';

/** A line of a program (docs/chat.md, RPC): what it means, with its answer where that is known already. */
export type RpcAsked = {
  readonly id: string | undefined;
  readonly command: string;
} & ({ readonly said: Said } | { readonly asks: 'state' } | { readonly fault: string });

/** A line is at most this long, characters. */
const LINE_MAX = 262_144;
const ID_MAX = 128;

/**
 * Commands have the names and fields of Pi's RPC mode; `approve`, `answer` and `close` are of this robot. Never throws.
 */
export function rpcAsked(line: string): RpcAsked {
  const bad = (fault: string): RpcAsked => ({ id: undefined, command: 'parse', fault });
  if (line.length > LINE_MAX) return bad(`the line has more than ${LINE_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (thrown) {
    return bad(`the line is not JSON: ${(thrown as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad('expected a JSON object');
  const given = value as Readonly<Record<string, unknown>>;
  const id = typeof given['id'] === 'string' ? given['id'].slice(0, ID_MAX) : undefined;
  const command = typeof given['type'] === 'string' ? given['type'].slice(0, ID_MAX) : '';
  const of = { id, command };
  const text = (key: string) => (typeof given[key] === 'string' ? given[key].trim() : '');
  const needs = (key: string, said: (words: string) => Said): RpcAsked => {
    const words = text(key);
    return words === ''
      ? { ...of, fault: `${key}: expected a text that is not empty` }
      : { ...of, said: said(words) };
  };
  switch (command) {
    case 'prompt':
      return needs('message', (words) => ({
        kind: given['streamingBehavior'] === 'followUp' ? 'follow' : 'say',
        text: words,
      }));
    case 'steer':
      return needs('message', (words) => ({ kind: 'say', text: words }));
    case 'follow_up':
      return needs('message', (words) => ({ kind: 'follow', text: words }));
    case 'set_model':
      return needs('modelId', (words) => ({ kind: 'model', text: words }));
    case 'set_thinking_level':
      return needs('level', (words) => ({ kind: 'thinking', text: words }));
    case 'answer':
      return needs('message', (words) => ({ kind: 'answer', text: words }));
    case 'approve': {
      const { decision } = given;
      if (decision !== 'allow' && decision !== 'deny')
        return { ...of, fault: 'decision: expected "allow" or "deny"' };
      return needs('approval_id', (name) => ({ kind: 'approve', decision, name: name.toLowerCase() }));
    }
    case 'compact':
      return { ...of, said: { kind: 'compact', text: text('customInstructions') } };
    case 'abort':
      return { ...of, said: { kind: 'stop' } };
    case 'close':
      return { ...of, said: { kind: 'close' } };
    case 'get_state':
      return { ...of, asks: 'state' };
  }
  return {
    ...of,
    fault: `unknown command "${command}"; known are prompt, steer, follow_up, abort, approve, answer, set_model, set_thinking_level, compact, get_state, close`,
  };
}

/** The one answer to a command. `shown`: what it led to at once; an error there is its failure. */
export function rpcResponse(
  asked: RpcAsked,
  shown: readonly Shown[],
  state: Status & { readonly session_id?: string },
): string {
  const { id, command } = asked;
  const refused = shown.find((one) => one.kind === 'error' || (one.kind === 'note' && 'said' in asked));
  const error = 'fault' in asked ? asked.fault : refused && 'text' in refused ? refused.text : undefined;
  return toJson({
    ...(id === undefined ? {} : { id }),
    ...{ type: 'response', command, success: error === undefined },
    ...(error === undefined ? {} : { error }),
    ...('asks' in asked ? { data: state } : {}),
  });
}

/** What happens in the session, beside the answers. */
export const rpcEvent = (shown: Shown): string => toJson({ type: 'event', ...shown });

/** Whole lines of a stream: only a line feed ends one, since U+2028 may stand in JSON. Pure but for what it keeps. */
export class RpcLines {
  #rest = '';

  take(chunk: string): readonly string[] {
    const parts = (this.#rest + chunk).split('\n');
    const rest = parts.pop() ?? '';
    // A line without an end is given away once it is too long, and refused there.
    const isLong = rest.length > LINE_MAX;
    this.#rest = isLong ? '' : rest;
    return [...parts, ...(isLong ? [rest] : [])]
      .map((one) => one.replace(/\r$/, ''))
      .filter((one) => one.trim() !== '');
  }
}
