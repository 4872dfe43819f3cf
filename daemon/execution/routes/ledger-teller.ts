import type { EventPayload, LedgerLine, NewEvent } from '../../../contract/core.ts';

type Told = { readonly forwarded: number; readonly dropped: Readonly<Record<string, number>> };

export type LedgerNews = {
  /** One event per hop that has news. */
  readonly events: NewEvent<'losses.recorded'>[];
  /** The log has the events: they count as reported from here on, not before. */
  settle(): void;
};

/**
 * What of a route's ledger is in the log: each event reports the samples that were settled since the one before,
 * so that the sum over all events is the ledger. What is in flight is reported when it is settled.
 */
export class LedgerTeller {
  readonly #told = new Map<string, Told>();

  /** What has to be reported to the log. Asked again before it is settled it would be reported twice. */
  news(lines: readonly LedgerLine[]): LedgerNews {
    const hops = new Map<string, EventPayload<'losses.recorded'>['topics'][number][]>();
    const telling = new Map<string, Told>();
    for (const line of lines) {
      const { topic, hop, forwarded = 0, dropped } = line;
      if (hop === undefined) continue;
      const key = `${hop} ${topic}`;
      const told = this.#told.get(key) ?? { forwarded: 0, dropped: {} };
      const fresh: Record<string, number> = {};
      let lost = 0;
      for (const [reason, count] of Object.entries(dropped)) {
        const news = count - (told.dropped[reason] ?? 0);
        if (news <= 0) continue;
        fresh[reason] = news;
        lost += news;
      }
      const passed = forwarded - told.forwarded;
      if (passed === 0 && lost === 0) continue;
      telling.set(key, { forwarded, dropped: { ...dropped } });
      const topics = hops.get(hop) ?? [];
      topics.push({ topic, received: passed + lost, forwarded: passed, written: 0, dropped: fresh });
      hops.set(hop, topics);
    }
    return {
      events: [...hops].map(([hop, topics]) => ({ kind: 'losses.recorded', payload: { hop, topics } })),
      settle: () => {
        for (const [key, told] of telling) this.#told.set(key, told);
      },
    };
  }

  /** What is not reported yet, what is in flight included; nothing counts as reported by this. */
  untold(lines: readonly LedgerLine[]): LedgerLine[] {
    return lines.flatMap((line) => {
      const { topic, hop, received, forwarded = 0, dropped } = line;
      const told = this.#told.get(`${hop} ${topic}`) ?? { forwarded: 0, dropped: {} };
      const before = Object.values(told.dropped).reduce((sum, count) => sum + count, told.forwarded);
      if (hop === undefined || received === before) return [];
      const fresh = Object.entries(dropped).map(
        ([reason, n]) => [reason, n - (told.dropped[reason] ?? 0)] as const,
      );
      return [
        {
          topic,
          hop,
          received: received - before,
          forwarded: forwarded - told.forwarded,
          written: 0,
          dropped: Object.fromEntries(fresh.filter(([, count]) => count > 0)),
        },
      ];
    });
  }
}
