import { type Central, type Clock, type Downlink, EdgeError } from '../contract/core.ts';
import { Backoff } from '../io/backoff.ts';
import { judge } from './central-state.ts';

type Way<T> = { readonly to: T; readonly backoff: Backoff };

/**
 * Several ways to one coordinator: each request goes over the first that works. The cursor is central's, so a request that was sent over
 * one way without an answer may be sent over another: what arrives twice counts once.
 */
class Ways<T> {
  readonly #ways: readonly Way<T>[];
  readonly #clock: Clock;

  constructor(ways: readonly T[], clock: Clock, random: () => number) {
    this.#ways = ways.map((to) => ({ to, backoff: new Backoff(random) }));
    this.#clock = clock;
  }

  /** Rejects with the error of the last way, once each way was tried. A refusal of central is the same over each, and ends it. */
  async over<R>(ask: (way: T) => Promise<R>): Promise<R> {
    const now = this.#clock.monotonicMs();
    const rested = this.#ways.filter(({ backoff }) => backoff.restMs(now) === 0);
    let last: EdgeError | undefined;
    for (const { to, backoff } of rested.length > 0 ? rested : this.#ways) {
      try {
        const answer = await ask(to);
        backoff.succeeded();
        return answer;
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'link.unreachable', 'ask central', 'central');
        // What is too large for one way may be small enough for another.
        if (judge(error) !== 'offline' && error.code !== 'api.too_large') throw error;
        if (error.code !== 'api.too_large') backoff.failed(this.#clock.monotonicMs());
        last = error.code === 'api.too_large' && last ? last : error;
      }
    }
    throw last!;
  }

  async each(act: (way: T) => Promise<void>): Promise<void> {
    await Promise.all(this.#ways.map(({ to }) => act(to)));
  }
}

/** `ways`, at least one: the first that works is taken. */
export function centralOver(ways: readonly Central[], clock: Clock, random: () => number): Central {
  if (ways.length === 1) return ways[0]!;
  const all = new Ways(ways, clock, random);
  return {
    watermark: (...where) => all.over((way) => way.watermark(...where)),
    push: (batch) => all.over((way) => way.push(batch)),
    close: () => all.each((way) => way.close()),
  };
}

/** `ways`, at least one: the first that works is taken. */
export function downlinkOver(ways: readonly Downlink[], clock: Clock, random: () => number): Downlink {
  if (ways.length === 1) return ways[0]!;
  const all = new Ways(ways, clock, random);
  return {
    orders: (...where) => all.over((way) => way.orders(...where)),
    report: (...what) => all.over((way) => way.report(...what)),
    close: () => all.each((way) => way.close()),
  };
}
