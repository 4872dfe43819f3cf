/** Figures as a person reads them. Pure. */

export const number = (value: number | undefined | null, digits: number) =>
  typeof value === 'number' ? value.toFixed(digits) : '–';
export const count = (value: number | undefined | null) =>
  typeof value === 'number' ? value.toLocaleString() : '–';

export function bytes(value: number | undefined): string {
  if (typeof value !== 'number') return '–';
  const units = ['B', 'KB', 'MB', 'GB'];
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${left.toFixed(unit === 0 || left >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function duration(ms: number | undefined): string {
  if (typeof ms !== 'number') return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

/** Nanoseconds since the epoch, as the API has them. */
export const timeOf = (ns: string) => new Date(Number(BigInt(ns) / 1_000_000n));
export const clockTime = (ns: string) => timeOf(ns).toLocaleTimeString();

/** Milliseconds from one wire time to another; undefined where one is missing. */
export const between = (from: string | undefined | null, to: string | undefined | null) =>
  from === undefined || from === null || to === undefined || to === null
    ? undefined
    : Number(BigInt(to) - BigInt(from)) / 1e6;
