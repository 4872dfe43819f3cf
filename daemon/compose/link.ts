import { randomInt } from 'node:crypto';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { LinkCell } from '../../central-link/link-cell.ts';
import type { Cell, CellContext } from '../../contract/index.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** The link cell: off without `link.central_url`. */
export async function composeLink({ config, dataDir }: Settings, context: CellContext): Promise<Cell> {
  const { central_url: url, token_file: tokenFile } = config.link;
  // Read once here, so that a wrong file is found at the start; read again at every request, so that a
  // replaced token is taken up.
  readSecret(tokenFile, 'link.token_file', process.env);
  const central =
    url === ''
      ? undefined
      : // It checks what strangers send, and so needs the schemas: loaded only where there is a central.
        new (await import('../../central-link/http-central.ts')).HttpCentral({
          url,
          clock: context.clock,
          token: () => readSecret(tokenFile, 'link.token_file', process.env),
        });
  return new LinkCell(context, {
    robot: config.daemon.name,
    central,
    openReader: (cell) => openEventReader(dataDir, cell),
    random: () => randomInt(2 ** 32) / 2 ** 32,
  });
}
