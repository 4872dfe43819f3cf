import { readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Lakes that could not be read are kept for a look; of more than this the oldest goes. */
const KEPT = 3;

/** Moves the folder of a lake away; returns its new place. */
export function setAside(root: string): string {
  const aside = `${root}.aside-${Math.max(0, ...numbers(root)) + 1}`;
  renameSync(root, aside);
  return aside;
}

/** The new lake failed too: it is removed, and the old one is put back. */
export function putBack(root: string, aside: string): void {
  rmSync(root, { recursive: true, force: true });
  renameSync(aside, root);
}

export function dropOldest(root: string): void {
  for (const n of numbers(root).slice(0, -KEPT))
    rmSync(`${root}.aside-${n}`, { recursive: true, force: true });
}

/** Of the lakes that lie aside, oldest first. */
function numbers(root: string): number[] {
  const begin = `${basename(root)}.aside-`;
  return readdirSync(dirname(root))
    .filter((name) => name.startsWith(begin))
    .map((name) => Number(name.slice(begin.length)))
    .filter(Number.isInteger)
    .sort((a, b) => a - b);
}
