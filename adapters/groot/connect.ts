import { type Clock, EdgeError, type Policy } from '../../contract/core.ts';
import type { RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import { RemotePolicy } from '../../formats/policy-wire/remote-policy.ts';
import { grootKeys } from '../../formats/policy-wire/wire-keys.ts';
import { GrootLine } from './groot-line.ts';

export type GrootOptions = {
  /** tcp://host:port */
  readonly url: string;
  readonly token: string | undefined;
  readonly connectMs: number;
  /** What the policy takes and gives: GR00T's modalities have names, but no sizes. */
  readonly card: RemoteCard | undefined;
  readonly clock: Clock;
};

/** A policy behind a GR00T server of either generation. Throws `model.unavailable` without a card. */
export async function connectGroot({ url, token, connectMs, card, clock }: GrootOptions): Promise<Policy> {
  if (!card)
    throw new EdgeError('model.unavailable', {
      operation: 'load policy',
      subject: url,
      message: `${url}: GR00T servers do not report the shapes of the inputs and outputs of their policies`,
      hint: 'write a card with these shapes and set policies.card to its path (docs/wires.md)',
      retryable: false,
    });
  const line = new GrootLine({ url, token, connectMs }, clock);
  line.describeAs(card.description, grootKeys(card.description, card.keys));
  return new RemotePolicy(card.description, line, clock);
}
