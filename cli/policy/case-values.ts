/** What a value of a file of cases has that no question of the daemon can have; undefined: nothing. Pure. */
export function oddValue(facts: unknown): string | undefined {
  const open: { readonly value: unknown; readonly path: string }[] = [{ value: facts, path: 'facts' }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, path } = next;
    if (value instanceof Date) return `${path} is a date, which no question holds: write it as text`;
    if (typeof value === 'number' && !Number.isFinite(value))
      return `${path} is ${value}, which no question holds`;
    if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) open.push({ value: item, path: `${path}.${key}` });
  }
  return undefined;
}

/** A date, or a date and time that says where: a case is decided the same on every host. Years have four digits. */
const WHEN = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d))?$/;

export const WHEN_TEXT = 'a date, or a date and time with Z or an offset, for example 2026-11-20T08:00:00Z';

export function isWhen(value: unknown): boolean {
  if (typeof value === 'string') return WHEN.test(value) && Number.isFinite(Date.parse(value));
  if (!(value instanceof Date)) return false;
  // A date of TOML knows whether it says where.
  const { isLocal, isDate } = value as Date & { isLocal?(): boolean; isDate?(): boolean };
  const isPlace = isLocal?.call(value) !== true || isDate?.call(value) === true;
  return isPlace && Number.isFinite(value.getTime());
}
