import { createHash } from 'node:crypto';
import type { Message, SendMessageRequest } from '@a2a-js/sdk';
import { RequestMalformedError } from '@a2a-js/sdk/errors';
import { A2A_LIMITS, parseJson, type RunDetails } from '../../../contract/core.ts';

/** What a message asks for. */
export type Wanted =
  | {
      readonly kind: 'intent';
      readonly request: {
        readonly type: string;
        readonly params?: unknown;
        readonly idempotency_key: string;
      };
    }
  /** A plan that was shown, and is to be carried out. */
  | { readonly kind: 'confirm'; readonly askId: string }
  | { readonly kind: 'words'; readonly words: string };

const CONTEXT = /^[A-Za-z0-9._:-]{1,64}$/;
const SKILL = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A skill is named by a data part `{"skill": …, "params": {…}}`, the same as JSON text, `metadata.skill` with the params
 * as data part, or a text that is the name alone. What else is said are words. The same message twice is one run: its
 * id is the idempotency key. Throws `RequestMalformedError`. Pure.
 */
export function wantedOf({ message, metadata }: SendMessageRequest): Wanted {
  if (message === undefined) throw new RequestMalformedError('params.message: a message expected');
  if (message.messageId === '') throw new RequestMalformedError('params.message.messageId: an id expected');
  if (message.contextId !== '' && !CONTEXT.test(message.contextId))
    throw new RequestMalformedError(
      'params.message.contextId: 1 to 64 letters, digits, ".", "_", ":", "-" expected',
    );
  if (message.parts.length > A2A_LIMITS.PARTS_MAX)
    throw new RequestMalformedError(`params.message.parts: at most ${A2A_LIMITS.PARTS_MAX} parts expected`);
  const words = textOf(message);
  const data = dataOf(message) ?? jsonOf(words);
  const named = message.metadata?.['skill'] ?? metadata?.['skill'];
  const intent = (type: string, params: unknown): Wanted => ({
    kind: 'intent',
    request: { type, ...(params === undefined ? {} : { params }), idempotency_key: keyOf(message) },
  });
  if (typeof named === 'string') return intent(named, data);
  if (typeof data?.['skill'] === 'string') {
    const { skill, params, ...rest } = data as { skill: string; params?: unknown };
    const [strange] = Object.keys(rest);
    if (strange !== undefined)
      throw new RequestMalformedError(`data.${strange}: unknown; "skill" and "params" expected`);
    return intent(skill, params);
  }
  if (typeof data?.['ask_id'] === 'string') return { kind: 'confirm', askId: data['ask_id'] };
  if (SKILL.test(words) && words.includes('/')) return intent(words, undefined);
  if (words === '')
    throw new RequestMalformedError('params.message.parts: text, or data with "skill", expected');
  if (words.length > A2A_LIMITS.WORDS_MAX)
    throw new RequestMalformedError(
      `params.message.parts: at most ${A2A_LIMITS.WORDS_MAX} characters expected`,
    );
  return { kind: 'words', words };
}

/** The texts of a message, joined. Pure. */
export function textOf({ parts }: Pick<Message, 'parts'>): string {
  return parts
    .flatMap(({ content }) => (content?.$case === 'text' ? [content.value] : []))
    .join('\n')
    .trim();
}

/** The first data part that is an object. Pure. */
export function dataOf({ parts }: Pick<Message, 'parts'>): Fields | undefined {
  for (const { content } of parts)
    if (content?.$case === 'data' && isObject(content.value)) return content.value;
  return undefined;
}

/** The context of a run: as its client named it, which is kept with the intent; else the run is a context of its own. */
export function contextOf({ run, intent }: Pick<RunDetails, 'run' | 'intent'>): string {
  const { origin } = intent.policy_ctx;
  const kept = origin === 'a2a' ? /^a2a\|([^|]+)\|/.exec(intent.idempotency_key ?? '')?.[1] : undefined;
  return kept ?? run.run_id;
}

function keyOf({ contextId, messageId }: Message): string {
  return `a2a|${contextId}|${createHash('sha256').update(messageId).digest('hex').slice(0, 40)}`;
}

function jsonOf(text: string): Fields | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const value: unknown = parseJson(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
