/** How the pages reach the server they came from. The token stays in this tab's session storage. */
import { makeWay, whenFree } from './connections.js';
import { at } from './elements.js';

const KEY = 'auraison-token';
let token = sessionStorage.getItem(KEY) ?? '';
let asking;
/** A daemon that hangs must not look like one that has nothing new to say. Its own stops are answered far sooner. */
const ANSWER_MS = 10_000;

/**
 * `answerMs`: how long the answer may take, with its body. What only reads waits for its turn (`connections.js`), which
 * may be hours: `headers` may be a function, which is called when it is asked.
 */
export function call(path, options = {}) {
  return options.method === undefined ? whenFree((signal) => ask(path, options, signal)) : ask(path, options);
}

/** A stop of any kind, or its end: nothing else of this browser keeps a connection from it. */
export function callFirst(path, options = {}) {
  return makeWay(() => ask(path, { method: 'POST', priority: 'high', ...options }));
}

/** What a GET answers; throws an Error that says for a person why not. */
export function read(path, answerMs = ANSWER_MS) {
  return whenFree(async (signal) => {
    const response = await ask(path, { answerMs }, signal);
    if (response.ok)
      return await response.json().catch((error) => {
        throw told(error, answerMs);
      });
    const body = await response.json().catch(() => undefined);
    const hint = body?.hint ? ` (${body.hint})` : '';
    throw new Error(body?.message ? `${body.message}${hint}` : `${path}: ${response.status}`);
  });
}

async function ask(path, { answerMs = ANSWER_MS, ...options }, givenUp) {
  const used = token;
  const { headers: own } = options;
  const headers = {
    ...(typeof own === 'function' ? own() : own),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const late = AbortSignal.timeout(answerMs);
  const signal = givenUp ? AbortSignal.any([late, givenUp]) : late;
  const response = await fetch(path, { ...options, headers, cache: 'no-store', signal }).catch((error) => {
    throw told(error, answerMs);
  });
  if (response.status === 401) {
    // An answer to the token before says nothing of the one that was given since.
    if (token === used) await askToken(token ? 'This token is wrong.' : '');
    return ask(path, { answerMs, ...options }, givenUp);
  }
  return response;
}

/** Browsers have words of their own for a time that is over. */
function told(error, answerMs) {
  return error?.name === 'TimeoutError' ? new Error(`no answer within ${answerMs / 1000} s`) : error;
}

/** Why a word was not taken; empty where it was. */
export async function refusalOf(path, body) {
  const response = await call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).catch(() => undefined);
  if (response?.ok) return '';
  return (await response?.json().catch(() => undefined))?.message ?? 'the daemon does not answer';
}

export async function forever(task, everyMs, onState) {
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

function askToken(note) {
  asking ??= new Promise((resolve) => {
    at('login-note').textContent = note;
    at('login').showModal();
    at('login').addEventListener(
      'close',
      () => {
        token = at('token').value.trim();
        at('token').value = '';
        sessionStorage.setItem(KEY, token);
        asking = undefined;
        resolve();
      },
      { once: true },
    );
  });
  return asking;
}
