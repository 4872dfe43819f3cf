import { askToken, keepToken } from './token.ts';

/** Logs in where the address has a code of `auraison console`; the code leaves the address and its history. */
export async function takeLoginLink(): Promise<void> {
  const [, code] = /^#\/login\/([\w-]+)$/.exec(location.hash) ?? [];
  if (code === undefined) return;
  history.replaceState(null, '', '#/');
  const response = await fetch('/v1/console/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
  const answer = (await response?.json().catch(() => undefined)) as
    | { token?: string; message?: string; hint?: string }
    | undefined;
  if (response?.ok) {
    if (answer?.token) keepToken(answer.token, true);
  } else
    void askToken(answer?.message ? `${answer.message}: ${answer.hint ?? ''}` : 'the daemon does not answer');
}
