/** How the pages reach the server they came from. The token stays in this tab's session storage. */
import { at } from './elements.js';

const KEY = 'auraison-token';
let token = sessionStorage.getItem(KEY) ?? '';
let asking;
/** A daemon that hangs must not look like one that has nothing new to say. Its own stops are answered far sooner. */
const ANSWER_MS = 10_000;

/** `answerMs`: how long the answer may take, with its body; `Infinity` for one that never ends. */
export async function call(path, { answerMs = ANSWER_MS, ...options } = {}) {
  const used = token;
  const headers = { ...(options.headers ?? {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const signal = answerMs === Infinity ? undefined : AbortSignal.timeout(answerMs);
  const response = await fetch(path, { ...options, headers, cache: 'no-store', signal }).catch((error) => {
    throw told(error, answerMs);
  });
  if (response.status === 401) {
    // An answer to the token before says nothing of the one that was given since.
    if (token === used) await askToken(token ? 'This token is wrong.' : '');
    return call(path, { answerMs, ...options });
  }
  return response;
}

/** What a GET answers; throws an Error that says for a person why not. */
export async function read(path, answerMs = ANSWER_MS) {
  const response = await call(path, { answerMs });
  if (response.ok)
    return response.json().catch((error) => {
      throw told(error, answerMs);
    });
  const body = await response.json().catch(() => undefined);
  const hint = body?.hint ? ` (${body.hint})` : '';
  throw new Error(body?.message ? `${body.message}${hint}` : `${path}: ${response.status}`);
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
