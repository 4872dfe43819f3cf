/** What is made of the rows of a statement. Pure. */

export type Column = { readonly name: string; readonly type: string };
export type Answer = {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly unknown[])[];
  /** What is missing, in words of the API. */
  readonly notes: readonly string[];
  readonly tookMs: number;
};
export const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);

/** RFC 4180, for spreadsheets too: no value starts a formula. */
export function csvOf({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const value = (one: unknown) => {
    const text = textOf(one);
    return cell(typeof one === 'string' && /^[=+@\t\r-]/.test(text) && !isNumber(text) ? `'${text}` : text);
  };
  const lines = rows.map((row) => row.map(value).join(','));
  return [columns.map(({ name }) => cell(name)).join(','), ...lines, ''].join('\r\n');
}

const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));
const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL(\(\d+,\d+\))?)$/i;
const TIME = /^(TIMESTAMP\w*( WITH TIME ZONE)?|DATE)$/i;

/** Seconds for times, numbers as they are; NaN where a value is missing. */
export function numberOf(value: unknown, { type }: Column): number {
  if (value === null || value === undefined || value === '') return Number.NaN;
  if (!TIME.test(type)) return Number(value);
  const text = String(value).replace(' ', 'T');
  return Date.parse(/[zZ]|[+-]\d\d(:?\d\d)?$/.test(text) ? text : `${text}Z`) / 1_000;
}

export const isTime = ({ type }: Column): boolean => TIME.test(type);
/** Columns that a chart can show. */
export const isDrawable = (column: Column): boolean => NUMBER.test(column.type) || isTime(column);
