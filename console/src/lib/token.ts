/** The token of this robot: in the session storage of the tab, or, when the person wants it, on this device. */

const KEY = 'auraison-token';
const stored = (name: 'sessionStorage' | 'localStorage') =>
  name in globalThis ? globalThis[name] : undefined;

let token = stored('sessionStorage')?.getItem(KEY) ?? stored('localStorage')?.getItem(KEY) ?? '';
let note = '';
let open = false;
let asking: Promise<void> | undefined;
let answer: (() => void) | undefined;
const listeners = new Set<() => void>();

export const tokenNow = () => token;

/** Keeps a token. `device`: also for other tabs and after the browser was closed. */
export function keepToken(given: string, device = false): void {
  token = given;
  if (device) stored('localStorage')?.setItem(KEY, given);
  stored('sessionStorage')?.setItem(KEY, given);
}

/** Forgets the token, on this device too. */
export function forgetToken(): void {
  token = '';
  for (const name of ['sessionStorage', 'localStorage'] as const) stored(name)?.removeItem(KEY);
}

/** Who logs out in one tab of this device leaves the others too. To be called once. */
export function watchLogOut(): void {
  window.addEventListener('storage', ({ key, newValue }) => {
    if (token === '' || newValue !== null || (key !== KEY && key !== null)) return;
    forgetToken();
    location.reload();
  });
}

/** Resolves when the person has given a token; one question for all requests that wait for it. */
export function askToken(why: string): Promise<void> {
  if (why !== '') note = why;
  else if (!open) note = '';
  asking ??= new Promise((resolve) => {
    open = true;
    answer = resolve;
  });
  changed();
  return asking;
}

/** The person gave a token. */
export function giveToken(given: string, device: boolean): void {
  keepToken(given, device);
  open = false;
  asking = undefined;
  answer?.();
  changed();
}

function changed(): void {
  state = { open, note };
  for (const listen of listeners) listen();
}

let state: { readonly open: boolean; readonly note: string } = { open, note };
/** What the dialog shows, for `useSyncExternalStore`. */
export const loginState = {
  get: () => state,
  listen: (listen: () => void) => {
    listeners.add(listen);
    return () => void listeners.delete(listen);
  },
};
