import { letGo } from './connections.ts';
import { askToken, keepToken, tokenNow } from './token.ts';

/**
 * Logs in where the address has a code of `auraison console`; the code leaves the address and its history. A token that
 * is kept already stays unless the person agrees. True: another token is kept now.
 */
export async function takeLoginLink(): Promise<boolean> {
  const [, code] = /^#\/login\/([\w-]+)$/.exec(location.hash) ?? [];
  if (code === undefined) return false;
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
  const kept = tokenNow();
  if (response?.ok) {
    const given = answer?.token ?? '';
    if (given === '' || given === kept) return false;
    if (kept !== '') letGo();
    if (kept !== '' && !confirm('This link logs in with another token. Replace the token of this device?'))
      return false;
    keepToken(given, true);
    return true;
  }
  const why = answer?.message ? `${answer.message}: ${answer.hint ?? ''}` : 'the daemon does not answer';
  if (kept === '') void askToken(why);
  else {
    letGo();
    alert(`${why}. The token of this device stays.`);
  }
  return false;
}

/** A link that is opened in a tab that shows the console changes only the part behind `#`. To be called once. */
export function watchLoginLink(): void {
  window.addEventListener('hashchange', async () => {
    if (await takeLoginLink()) location.reload();
  });
}
