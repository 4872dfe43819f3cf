import type { WireServerView } from '../../contract/core.ts';

/** What a server of policies counts from its start on, and how it is shown. */
export class WireCounts {
  questions = 0;
  failures = 0;
  refused = 0;
  readonly #wire: WireServerView['wire'];
  readonly #host: string;

  constructor(wire: WireServerView['wire'], host: string) {
    this.#wire = wire;
    this.#host = host;
  }

  view(port: number, clients: number): WireServerView {
    const { questions, failures, refused } = this;
    return { wire: this.#wire, host: this.#host, port, clients, questions, failures, refused };
  }
}
