/** How the pages reach the server they came from. The token stays in this tab's session storage. */
import { at } from './elements.js';

const KEY = 'auraison-token';
let token = sessionStorage.getItem(KEY) ?? '';
let asking;

export async function call(path, options = {}) {
  const used = token;
  const headers = { ...(options.headers ?? {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { ...options, headers, cache: 'no-store' });
  if (response.status === 401) {
    // An answer to the token before says nothing of the one that was given since.
    if (token === used) await askToken(token ? 'This token is wrong.' : '');
    return call(path, options);
  }
  return response;
}

/** What a GET answers; throws an Error that says for a person why not. */
export async function read(path) {
  const response = await call(path);
  if (response.ok) return response.json();
  const told = await response.json().catch(() => undefined);
  const hint = told?.hint ? ` (${told.hint})` : '';
  throw new Error(told?.message ? `${told.message}${hint}` : `${path}: ${response.status}`);
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
