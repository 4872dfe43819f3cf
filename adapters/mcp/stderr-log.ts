import { type Clock, LIMITS } from '../../contract/index.ts';
import { foreignText } from './foreign-text.ts';

/** Output of servers on stderr for the log of this daemon: a limited number of lines a minute, the rest is counted. */
export class StderrLog {
  readonly #clock: Clock;
  readonly #write: (line: string, facts: Record<string, unknown>) => void;
  #minute = -1;
  #lines = 0;
  #dropped = 0;

  constructor(clock: Clock, write: (line: string, facts: Record<string, unknown>) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  add(line: string): void {
    const minute = Math.floor(this.#clock.monotonicMs() / 60_000);
    if (minute !== this.#minute) {
      const dropped = this.#dropped;
      this.#minute = minute;
      this.#lines = 0;
      this.#dropped = 0;
      if (dropped > 0) this.#write('lines of an MCP server were left out', { dropped });
    }
    if (++this.#lines > LIMITS.MCP_STDERR_LINES_MAX) this.#dropped++;
    else this.#write('an MCP server says', { text: foreignText(line, 512) });
  }
}
