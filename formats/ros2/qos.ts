import type { Qos } from '../../contract/core.ts';

/** One incompatible QoS policy of a publisher and a subscriber: both values, and a compatible one. */
export type QosMismatch = {
  readonly policy: 'reliability' | 'durability' | 'deadline' | 'liveliness' | 'liveliness_lease';
  readonly offered: string;
  readonly requested: string;
};

/**
 * Why nothing flows from `offered` (a publisher) to `requested` (a subscriber), by the rules of DDS; empty: it flows.
 */
export function qosMismatches(offered: Qos, requested: Qos): readonly QosMismatch[] {
  const found: QosMismatch[] = [];
  if (offered.reliability === 'best_effort' && requested.reliability === 'reliable')
    found.push({ policy: 'reliability', offered: 'best_effort', requested: 'reliable' });
  if (offered.durability === 'volatile' && requested.durability === 'transient_local')
    found.push({ policy: 'durability', offered: 'volatile', requested: 'transient_local' });
  if ((offered.deadlineMs ?? Infinity) > (requested.deadlineMs ?? Infinity))
    found.push({ policy: 'deadline', offered: ms(offered.deadlineMs), requested: ms(requested.deadlineMs) });
  if (
    (offered.liveliness ?? 'automatic') === 'automatic' &&
    (requested.liveliness ?? 'automatic') === 'manual_by_topic'
  )
    found.push({ policy: 'liveliness', offered: 'automatic', requested: 'manual_by_topic' });
  if ((offered.livelinessLeaseMs ?? Infinity) > (requested.livelinessLeaseMs ?? Infinity))
    found.push({
      policy: 'liveliness_lease',
      offered: ms(offered.livelinessLeaseMs),
      requested: ms(requested.livelinessLeaseMs),
    });
  return found;
}

/**
 * The strictest policies that every one of these publishers satisfies: reliable only if all are, transient_local
 * only if all are, no deadline and no lease, so that a slow publisher is heard as well. Deep, for a recorder.
 */
export function qosForPublishers(publishers: readonly Qos[], depth: number): Qos {
  const all = (fits: (qos: Qos) => boolean) => publishers.length > 0 && publishers.every(fits);
  return {
    reliability: all((qos) => qos.reliability === 'reliable') ? 'reliable' : 'best_effort',
    durability: all((qos) => qos.durability === 'transient_local') ? 'transient_local' : 'volatile',
    history: 'keep_last',
    depth,
  };
}

/** Whether a subscription of `a` is what `qosForPublishers` says for `b` as well. */
export function sameOffer(a: Qos, b: Qos): boolean {
  return a.reliability === b.reliability && a.durability === b.durability;
}

/** Policies as a person writes them, without what is default. */
export function qosText(qos: Qos): string {
  const parts: string[] = [qos.reliability, qos.durability];
  if (qos.deadlineMs !== undefined) parts.push(`deadline ${qos.deadlineMs} ms`);
  if (qos.lifespanMs !== undefined) parts.push(`lifespan ${qos.lifespanMs} ms`);
  if (qos.liveliness === 'manual_by_topic') parts.push('liveliness manual_by_topic');
  if (qos.livelinessLeaseMs !== undefined) parts.push(`lease ${qos.livelinessLeaseMs} ms`);
  return parts.join(', ');
}

function ms(value: number | undefined): string {
  return value === undefined ? 'none' : `${value} ms`;
}
