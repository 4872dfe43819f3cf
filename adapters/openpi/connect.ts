import { createHash } from 'node:crypto';
import { type Clock, EdgeError, type Policy } from '../../contract/core.ts';
import { cardOf, type RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import { RemotePolicy } from '../../formats/policy-wire/remote-policy.ts';
import { openpiKeys } from '../../formats/policy-wire/wire-keys.ts';
import { OpenPiLine } from './openpi-line.ts';

export type OpenPiOptions = {
  /** ws:// or wss:// */
  readonly url: string;
  /** Which policy of the server, where it has several: the path. Empty: its default. */
  readonly policy: string;
  readonly token: string | undefined;
  readonly connectMs: number;
  /** What the policy takes and gives; undefined: the server says it in its metadata, as an Auraison server does. */
  readonly card: RemoteCard | undefined;
  readonly clock: Clock;
};

/**
 * A policy behind an openpi policy server. With a card no connection is made before the first question. Throws
 * `model.unavailable`: not there, no right, or its inputs are unknown.
 */
export async function connectOpenPi(options: OpenPiOptions): Promise<Policy> {
  const { url, policy, token, connectMs, clock } = options;
  const address = policy === '' ? url : `${url.replace(/\/+$/, '')}/${encodeURIComponent(policy)}`;
  const line = new OpenPiLine({ url: address, token, connectMs }, clock);
  try {
    const { description, keys } = options.card ?? told(await line.metadata(), address);
    line.describeAs(description, openpiKeys(description, keys));
    return new RemotePolicy(description, line, clock);
  } catch (error) {
    await line.close();
    throw error;
  }
}

function told(metadata: Readonly<Record<string, unknown>>, address: string): RemoteCard {
  const pinned = metadata['policy_hash'];
  const hash =
    typeof pinned === 'string' && /^[0-9a-f]{64}$/.test(pinned)
      ? pinned
      : createHash('sha256').update(JSON.stringify(metadata)).digest('hex');
  const card = cardOf(metadata, hash);
  if (typeof card !== 'string') return card;
  throw new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject: address,
    message: `${address}: its metadata does not describe the inputs and outputs of the policy (it ${card})`,
    hint: 'write a card with the inputs and outputs and set policies.card to its path (docs/wires.md)',
  });
}
