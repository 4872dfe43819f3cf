import type { NewEvent } from '../../../contract/core.ts';
import type { RecorderOptions } from './options.ts';

/** Hands events to the cell's log one batch at a time, in order. */
export class EventQueue {
  readonly #emit: RecorderOptions['emit'];
  readonly #report: RecorderOptions['report'];
  #last: Promise<unknown> = Promise.resolve();

  constructor(emit: RecorderOptions['emit'], report: RecorderOptions['report']) {
    this.#emit = emit;
    this.#report = report;
  }

  /** `then` runs once the events are durable; not at all when the log refuses them. */
  add(events: readonly NewEvent[], then?: () => Promise<void>): void {
    this.#last = this.#last
      .then(() => this.#emit(events))
      .then(then)
      .catch((error: unknown) => {
        this.#report(
          'error',
          'events of the recorder did not reach the log; those of sealed segments are reported again at the next start',
          { kinds: events.map((event) => event.kind), error: String(error) },
        );
      });
  }

  /** The same, and rejects when the log refuses them. */
  sure(events: readonly NewEvent[]): Promise<void> {
    const told = this.#last.then(() => this.#emit(events)).then(() => {});
    this.#last = told.catch(() => {});
    return told;
  }

  /** Settles when everything added so far is durable or refused. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
