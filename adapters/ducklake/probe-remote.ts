import { DuckDBInstance } from '@duckdb/node-api';
import { type Clock, withDeadline } from '../../contract/core.ts';
import { loadRemoteExtensions } from './attach.ts';
import { lakeFailed } from './faults.ts';
import {
  OWNER,
  ownerStatement,
  type RemotePlace,
  secretStatements,
  settingStatements,
} from './remote-place.ts';
import { quote } from './schema-sql.ts';

/** A server that never answers, milliseconds; an engine that waits for it cannot be interrupted. */
const PROBE_MS = 20_000;

/**
 * Whether both servers answer and take the credentials: what fails of each, or nothing. It looks only, and a daemon that
 * has the lake open is not disturbed.
 */
export async function probeRemote(
  directories: readonly string[],
  place: RemotePlace,
  clock: Clock,
): Promise<{ readonly catalog?: string; readonly storage?: string }> {
  const instance = await DuckDBInstance.create(':memory:', {
    ...{ threads: '1', memory_limit: '128MB' },
    ...{ autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' },
  });
  const connection = await instance.connect();
  const fault = async (statements: readonly string[], what: string): Promise<string | undefined> => {
    const work = (async () => {
      for (const statement of statements) await connection.run(statement);
    })();
    try {
      await withDeadline(clock, PROBE_MS, work, 'lake.probe', what);
      return undefined;
    } catch (thrown) {
      return lakeFailed(thrown, 'lake.probe', what).message.split('\n')[0] ?? '';
    }
  };
  await loadRemoteExtensions(connection, directories, place);
  for (const statement of [...settingStatements(place), ...secretStatements(place)])
    await connection.run(statement);
  const storage = await fault([`SELECT count(*) FROM glob(${quote(`${place.storage.url}*`)})`], 'storage');
  const catalog = await fault(
    [ownerStatement(place), `SELECT * FROM postgres_query('${OWNER}', 'SELECT 1')`],
    'PostgreSQL',
  );
  connection.closeSync();
  instance.closeSync();
  return { ...(catalog === undefined ? {} : { catalog }), ...(storage === undefined ? {} : { storage }) };
}
