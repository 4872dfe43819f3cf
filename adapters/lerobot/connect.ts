import { createHash } from 'node:crypto';
import { type Clock, EdgeError, type Policy } from '../../contract/core.ts';
import { cardOf, type RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import { RemotePolicy } from '../../formats/policy-wire/remote-policy.ts';
import { LeRobotLine } from './lerobot-line.ts';
import { outgoingOf } from './outgoing.ts';

export type LeRobotOptions = {
  /** host:port, grpc://host:port, or grpcs://host:port for TLS. */
  readonly url: string;
  /**
   * What is to be served: `<class>:<path or hub name at the server>`, for example `act:/models/pick`; without a class
   * `act`. At an Auraison server the name of the policy, `default` for its first.
   */
  readonly policy: string;
  readonly token: string | undefined;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Where the server computes; default `cpu`. */
  readonly device?: string;
  readonly connectMs: number;
  /** What the policy takes and gives; undefined: the server says it, as an Auraison server does. */
  readonly card: RemoteCard | undefined;
  readonly clock: Clock;
};

/**
 * A policy behind a server of LeRobot's asynchronous inference. With a card no connection is made before the first
 * question. Throws `model.unavailable`: not there, no right, or its inputs are unknown.
 */
export async function connectLeRobot(options: LeRobotOptions): Promise<Policy> {
  const { url, policy, token, connectMs, clock, tls = {}, device = 'cpu' } = options;
  const [, policyType = 'act', pretrained = 'default'] = /^(?:([a-z0-9_]+):)?(.+)?$/s.exec(policy) ?? [];
  const line = new LeRobotLine({ url, token, tls, connectMs }, clock);
  try {
    const { description, keys } = options.card ?? told(await line.card(pretrained), url);
    line.describeAs(outgoingOf(description, keys, { policyType, pretrained, device }));
    return new RemotePolicy(description, line, clock);
  } catch (error) {
    await line.close();
    throw error;
  }
}

function told(card: unknown, url: string): RemoteCard {
  const pinned = (card as { policy_hash?: unknown } | undefined)?.policy_hash;
  const hash =
    typeof pinned === 'string' && /^[0-9a-f]{64}$/.test(pinned)
      ? pinned
      : createHash('sha256')
          .update(JSON.stringify(card ?? null))
          .digest('hex');
  const read = cardOf(card, hash);
  if (typeof read !== 'string') return read;
  throw new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject: url,
    message: `${url}: the server does not report the inputs and outputs of the policy (a stock server never does)`,
    hint: 'write a card with the inputs and outputs and set policies.card to its path (docs/wires.md)',
  });
}
