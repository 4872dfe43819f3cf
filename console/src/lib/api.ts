/** How the pages reach the server they came from. */
import { makeWay, whenFree } from './connections.ts';
import { askToken, tokenNow } from './token.ts';

/** A daemon that hangs must not look like one that has nothing new to say. Its own stops are answered far sooner. */
const ANSWER_MS = 10_000;

type Headers_ = Readonly<Record<string, string>>;
export type CallOptions = {
  readonly method?: string;
  readonly body?: string;
  readonly priority?: RequestPriority;
  readonly keepalive?: boolean;
  /** What only reads waits for its turn, which may be hours: a function is called when it is asked. */
  readonly headers?: Headers_ | (() => Headers_);
  /** How long the answer may take, with its body, milliseconds. */
  readonly answerMs?: number;
  /** The caller is no longer interested. */
  readonly signal?: AbortSignal;
};

/** Why a request was refused, in words for a person; `code` and `status` as the API answers them. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(message: string, status: number, code = '') {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What only reads waits for its turn (`connections.ts`). */
export function call(path: string, options: CallOptions = {}): Promise<Response> {
  return options.method === undefined ? whenFree((signal) => ask(path, options, signal)) : ask(path, options);
}

/**
 * A stop of any kind, or its end: nothing else of this browser keeps a connection from it. It does not wait for a token:
 * where the token is not valid it throws a `Refusal` at once, and the person is asked for another one.
 */
export function callFirst(path: string, options: CallOptions = {}): Promise<Response> {
  return makeWay(() => ask(path, { method: 'POST', priority: 'high', ...options }, undefined, true));
}

/** What a GET answers; throws an Error that says for a person why not. */
export function read<T>(path: string, answerMs = ANSWER_MS, signal?: AbortSignal): Promise<T> {
  return whenFree(async (free) => {
    const response = await ask(path, { answerMs, ...(signal ? { signal } : {}) }, free);
    if (response.ok)
      return (await response.json().catch((error: unknown) => {
        throw timeSaid(error, answerMs);
      })) as T;
    throw await refusalIn(response, path);
  });
}

/** What a POST answers; throws a `Refusal`. */
export async function send<T>(path: string, body: object, options: CallOptions = {}): Promise<T> {
  const { headers, ...rest } = options;
  const own = typeof headers === 'function' ? headers() : headers;
  const response = await call(path, {
    method: 'POST',
    ...rest,
    headers: { 'content-type': 'application/json', ...own },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await refusalIn(response, path);
  return (await response.json()) as T;
}

async function refusalIn(response: Response, path: string): Promise<Refusal> {
  const body = (await response.json().catch(() => undefined)) as
    | { message?: string; hint?: string; code?: string }
    | undefined;
  const hint = body?.hint ? ` (${body.hint})` : '';
  const words = body?.message ? `${body.message}${hint}` : `${path}: ${response.status}`;
  return new Refusal(words, response.status, body?.code);
}

async function ask(path: string, options: CallOptions, free?: AbortSignal, first = false): Promise<Response> {
  const { answerMs = ANSWER_MS, headers: own, signal: wanted, ...rest } = options;
  const used = tokenNow();
  const headers = {
    ...(typeof own === 'function' ? own() : own),
    ...(used ? { authorization: `Bearer ${used}` } : {}),
  };
  const ends = [AbortSignal.timeout(answerMs), free, wanted].filter((one) => one !== undefined);
  const signal = AbortSignal.any(ends);
  const response = await fetch(path, { ...rest, headers, cache: 'no-store', signal }).catch(
    (error: unknown) => {
      throw timeSaid(error, answerMs);
    },
  );
  if (response.status === 401) {
    // An answer to the token before says nothing of the one that was given since.
    if (tokenNow() === used) {
      const asked = askToken(used ? 'This token is wrong.' : '');
      if (first) throw new Refusal(used ? 'the token is not valid' : 'the token is missing', 401);
      await asked;
    }
    return ask(path, options, free, first);
  }
  return response;
}

/** Browsers have words of their own for a time that is over. */
function timeSaid(error: unknown, answerMs: number): unknown {
  const late = error instanceof Error && error.name === 'TimeoutError';
  return late ? new Error(`no answer within ${answerMs / 1000} s`) : error;
}

/** Why a word was not taken; empty where it was. */
export async function refusalOf(path: string, body: object): Promise<string> {
  try {
    await send(path, body);
    return '';
  } catch (error) {
    return error instanceof Refusal ? error.message : 'the daemon does not answer';
  }
}

/** Repeats `task` as long as the page lives, `everyMs` after its end. */
export async function forever(
  task: () => Promise<void>,
  everyMs: number,
  onState?: (error: unknown) => void,
): Promise<never> {
  for (;;) {
    try {
      await task();
      onState?.(undefined);
    } catch (error) {
      onState?.(error);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
