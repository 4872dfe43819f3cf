import type { RemoteCard } from '../../adapters/lerobot/wire/remote-card.ts';
import type { PolicyRow } from '../config/policies.ts';
import { readSecret } from '../secrets.ts';
import type { PolicyMaker } from './policies.ts';

/** Policies behind servers of other makes; packages are loaded where a row asks for them. */
export const REMOTE_MAKERS = {
  async openpi(row, { clock }) {
    const { connectOpenPi } = await import('../../adapters/lerobot/openpi/index.ts');
    const { url, policy, timeout } = row;
    return connectOpenPi({
      url,
      policy,
      token: tokenOf(row),
      connectMs: timeout,
      card: await cardFor(row),
      clock,
    });
  },
  async groot(row, { clock }) {
    const { connectGroot } = await import('../../adapters/lerobot/groot/index.ts');
    const { url, timeout } = row;
    return connectGroot({ url, token: tokenOf(row), connectMs: timeout, card: await cardFor(row), clock });
  },
} satisfies Readonly<Record<string, PolicyMaker>>;

/** Read at each making: a renewed token counts from then on. */
function tokenOf({ name, token_file }: PolicyRow): string | undefined {
  return readSecret(token_file, `policies.${name}.token_file`, process.env);
}

async function cardFor({ card }: PolicyRow): Promise<RemoteCard | undefined> {
  if (card === '') return undefined;
  const { readRemoteCard } = await import('../../adapters/lerobot/wire/remote-card.ts');
  return readRemoteCard(card);
}
