import type { RunMessage } from '../../../contract/index.ts';

export type SaidMessage = RunMessage & { readonly messageId: string };
/** Undefined: it was taken at once. */
type Handler = (message: SaidMessage) => Promise<void> | undefined;

/** What was said to a run, on its way to the harness: in order, one after the other, the earlier ones first. */
export class RunMessages {
  #handler: Handler | undefined;
  #waiting: SaidMessage[];
  #untaken = 0;
  #last: Promise<void> = Promise.resolve();
  /** What came once never comes again: it may come from the log and from its sender. */
  readonly #known: Set<string>;

  /** `said`: what the log holds already; a harness that knows some of them by id leaves them out. */
  constructor(said: readonly SaidMessage[]) {
    this.#waiting = [...said];
    this.#known = new Set(said.map(({ messageId }) => messageId));
  }

  /** The harness takes messages. */
  get taken(): boolean {
    return this.#handler !== undefined;
  }

  /** Messages that the harness has not taken yet. */
  get untaken(): number {
    return this.#waiting.length + this.#untaken;
  }

  onMessage(handler: Handler): void {
    this.#handler = handler;
    for (const message of this.#waiting.splice(0)) void this.#hand(message, handler).catch(() => {});
  }

  /** Settles when the harness has taken it; rejects with what the harness says to it. */
  deliver(message: SaidMessage): Promise<void> {
    if (this.#known.has(message.messageId)) return Promise.resolve();
    this.#known.add(message.messageId);
    if (this.#handler) return this.#hand(message, this.#handler);
    this.#waiting.push(message);
    return Promise.resolve();
  }

  /** At once where nothing else is being handed over, so that a replay gives a message at the step where it counted. */
  #hand(message: SaidMessage, handler: Handler): Promise<void> {
    let taken: Promise<void> | undefined;
    if (this.#untaken > 0) taken = this.#last.then(() => handler(message));
    else {
      try {
        taken = handler(message);
      } catch (thrown) {
        return Promise.reject(thrown);
      }
      if (!taken) return Promise.resolve();
    }
    this.#untaken++;
    this.#last = taken.catch(() => {}).finally(() => this.#untaken--);
    return taken;
  }
}
