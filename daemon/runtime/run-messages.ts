import { EdgeError, type RunMessage } from '../../contract/index.ts';

export type SaidMessage = RunMessage & { readonly messageId: string };
type Handler = (message: SaidMessage) => Promise<void>;

/** What was said to a run, on its way to the harness: in order, one after the other, the earlier ones first. */
export class RunMessages {
  #handler: Handler | undefined;
  #waiting: SaidMessage[];
  #last: Promise<void> = Promise.resolve();

  /** `said`: what the log holds already; a harness that knows some of them by id leaves them out. */
  constructor(said: readonly SaidMessage[]) {
    this.#waiting = [...said];
  }

  /** The harness takes messages. */
  get taken(): boolean {
    return this.#handler !== undefined;
  }

  onMessage(handler: Handler): void {
    this.#handler = handler;
    for (const message of this.#waiting.splice(0)) void this.deliver(message).catch(() => {});
  }

  /** Settles when the harness has taken it; rejects with what the harness says to it. */
  deliver(message: SaidMessage): Promise<void> {
    const handler = this.#handler;
    if (!handler) {
      this.#waiting.push(message);
      return Promise.resolve();
    }
    const taken = this.#last.then(() => handler(message));
    this.#last = taken.catch(() => {});
    return taken;
  }

  /** Throws `run.not_supported` where nobody listens. */
  refuseUnlessTaken(runId: string): void {
    if (this.taken) return;
    throw new EdgeError('run.not_supported', {
      operation: 'message',
      subject: runId,
      message: 'the harness of this run takes no messages',
    });
  }
}
