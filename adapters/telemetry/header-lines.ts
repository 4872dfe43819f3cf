import { EdgeError } from '../../contract/core.ts';

/** One `name: value` a line. Values are secrets: no message holds one. */
export function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*)$/.exec(line.trim());
    if (!match)
      throw new EdgeError('config.invalid', {
        operation: 'read headers',
        subject: 'telemetry.headers_file',
        message: `telemetry.headers_file, line ${index + 1}: expected "name: value"`,
      });
    headers[match[1]!] = match[2]!;
  });
  return headers;
}
