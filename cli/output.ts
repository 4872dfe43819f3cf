import { EdgeError } from '../contract/core.ts';

/** Where a command writes: results on standard output, progress and errors on standard error. */
export type Output = {
  readonly json: boolean;
  readonly colour: boolean;
  /** A result for machines with `--json`, else `text` for people. */
  result(value: unknown, text: () => string): void;
  note(text: string): void;
};

export function makeOutput(json: boolean): Output {
  const colour = !json && process.stdout.isTTY === true && !process.env['NO_COLOR'];
  return {
    json,
    colour,
    result(value, text) {
      process.stdout.write(`${json ? toJson(value) : text()}\n`);
    },
    note(text) {
      process.stderr.write(`${text}\n`);
    },
  };
}

/** JSON with bigint as decimal text. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item),
    indent,
  );
}

/** Prints an error for people or machines, and returns the exit code. */
export function failWith(error: unknown, json: boolean): number {
  const fault = EdgeError.from(error, 'internal.fault', 'auraison', '');
  if (json) process.stdout.write(`${toJson({ error: fault.toBody() })}\n`);
  else {
    process.stderr.write(`auraison: ${fault.message}\n`);
    if (fault.subject !== '' && !fault.message.includes(fault.subject))
      process.stderr.write(`  at ${fault.subject}\n`);
    if (fault.hint !== '') process.stderr.write(`  ${fault.hint}\n`);
    if (fault.code === 'internal.fault')
      process.stderr.write(`${String((fault.cause as Error)?.stack ?? fault.stack)}\n`);
  }
  if (fault.code.startsWith('config.')) return 78;
  return fault.code === 'api.unauthorised' ? 77 : 1;
}

/** Columns padded to their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) =>
    rows.reduce((width, row) => Math.max(width, (row[i] ?? '').length), title.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(header), ...rows.map(line)].join('\n');
}

export function bytes(count: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
