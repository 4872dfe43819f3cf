/** Dark or light: of the system, unless the person chose here. */
import { useSyncExternalStore } from 'react';

const KEY = 'auraison-theme';
const system = () => window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let chosen = localStorage.getItem(KEY);

export const isDark = () => (chosen === null ? system().matches : chosen === 'dark');

function apply(): void {
  document.documentElement.style.colorScheme = chosen ?? '';
  for (const changed of listeners) changed();
}

export function turnTheme(): void {
  chosen = isDark() ? 'light' : 'dark';
  // What the system has needs no choice: it follows the system again.
  if ((chosen === 'dark') === system().matches) chosen = null;
  if (chosen === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, chosen);
  apply();
}

export function startTheme(): void {
  system().addEventListener('change', apply);
  apply();
}

export function useDark(): boolean {
  return useSyncExternalStore((changed) => {
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, isDark);
}
