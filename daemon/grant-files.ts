import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CellContext, EdgeError, parseJson } from '../contract/core.ts';

type Report = CellContext['report'];

/** A grant is a few hundred bytes. */
const GRANT_BYTES_MAX = 16 * 1024;

/** A public key in PEM. Throws `config.invalid`. */
export function readPublicKey(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.invalid', {
      operation: 'read key',
      subject: path,
      message: (cause as Error).message,
      cause,
    });
  }
}

/** The grants of a folder (`*.json`), in the order of their names. What cannot be read is reported and left out. */
export function readGrants(folder: string, report: Report): readonly unknown[] {
  if (folder === '') return [];
  const names =
    attempt(folder, report, () => readdirSync(folder).filter((name) => name.endsWith('.json'))) ?? [];
  return names.sort().flatMap((name) => {
    const path = join(folder, name);
    const grant = attempt(path, report, () => {
      const bytes = readFileSync(path);
      if (bytes.byteLength > GRANT_BYTES_MAX)
        throw new Error(`${bytes.byteLength} bytes, at most ${GRANT_BYTES_MAX}`);
      return parseJson(bytes.toString('utf8')) as unknown;
    });
    return grant === undefined ? [] : [grant];
  });
}

function attempt<T>(path: string, report: Report, work: () => T): T | undefined {
  try {
    return work();
  } catch (thrown) {
    report('warn', 'a grant could not be read', { path, error: (thrown as Error).message });
    return undefined;
  }
}
