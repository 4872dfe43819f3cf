/** Which page is shown: the part of the address behind `#`, so that each view can be linked and gone back to. */
import { useSyncExternalStore } from 'react';

export type Address = { readonly name: string; readonly argument: string };

/** `#/runs/ID` is page `runs` with `ID`. */
export function addressOf(hash: string): Address {
  const [name = '', ...rest] = hash.replace(/^#\/?/, '').split('/');
  return { name, argument: decoded(rest.join('/')) };
}

/** A person may type any address: what is not valid stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const goTo = (hash: string) => {
  location.hash = hash;
};

const listen = (changed: () => void) => {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
};

export function useAddress(): Address {
  return addressOf(useSyncExternalStore(listen, () => location.hash));
}
