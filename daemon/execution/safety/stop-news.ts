import {
  type CellBus,
  type Clock,
  EdgeError,
  type StopNews as News,
  TOPICS,
} from '../../../contract/core.ts';

/**
 * When the robot was last ordered to stop, by whatever way: a request, a tool, a topic, a key, a file, a stop of the arm or of
 * controllers. Every order is noted here in its turn, and the other cells hear of it. What was wanted before does not start.
 */
export class StopNews {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #bus: Pick<CellBus, 'broadcast' | 'onBroadcast'>;
  #lastMs = -Infinity;
  /** The last that counts for all, and the last of an agent where that is later; in their order. */
  #last: readonly News[] = [];

  constructor({
    clock,
    bus,
  }: {
    readonly clock: Pick<Clock, 'monotonicMs'>;
    readonly bus: Pick<CellBus, 'broadcast' | 'onBroadcast'>;
  }) {
    this.#clock = clock;
    this.#bus = bus;
    // A cell that was away has not heard of it: what was asked for before does not start in it either.
    bus.onBroadcast(TOPICS.cellState, () => {
      for (const news of this.#last) this.#tell(news);
    });
  }

  /**
   * The robot is ordered to stop now. `agentOf`: by the agent of this run; of what others asked for before, it then refuses
   * only what moves. Never throws.
   */
  ordered(agentOf?: string): void {
    this.#lastMs = this.#clock.monotonicMs();
    const news: News = { atMs: this.#lastMs, ...(agentOf === undefined ? {} : { run: agentOf }) };
    this.#last =
      agentOf === undefined ? [news] : [...this.#last.filter(({ run }) => run === undefined), news];
    this.#tell(news);
  }

  #tell(news: News): void {
    try {
      this.#bus.broadcast(TOPICS.robotStopped, news);
    } catch {
      // The supervisor is gone: no other cell could ask for anything.
    }
  }

  /**
   * For what moves. Throws `robot.preempted` where it was wanted before the last order to stop, also that of an agent.
   * Undefined: it is wanted now.
   */
  check(operation: string, subject: string, wantedAtMs: number | undefined): void {
    if (wantedAtMs === undefined || wantedAtMs >= this.#lastMs) return;
    throw new EdgeError('robot.preempted', {
      ...{ operation, subject, message: 'the robot was stopped after this was asked for' },
      hint: 'ask for it again if it is still wanted',
    });
  }
}
