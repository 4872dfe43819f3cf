import { createHash } from 'node:crypto';
import {
  type AgentEvent,
  type CellName,
  type EventReader,
  formatUuidv7,
  GENESIS_HASH,
  hashInput,
  type NewEvent,
  type ReadFilter,
} from '../../contract/index.ts';

/** A valid UUIDv7 that is the same every time. */
export const uuid = (n: number) => formatUuidv7(1_700_000_000_000 + n, new Uint8Array(16).fill(n % 251));

export const hashOf = (event: Omit<AgentEvent, 'hash'>) =>
  createHash('sha256').update(hashInput(event)).digest('hex');

/** A chained log in memory that appends at once, for tests about readers. */
export class TinyLog {
  readonly events: AgentEvent[] = [];
  readonly #cell: CellName;
  readonly #idBase: number;
  #reads = 0;

  /** Logs with another `idBase` have other ids, and so another epoch. */
  constructor(cell: CellName, idBase = 0) {
    this.#cell = cell;
    this.#idBase = idBase;
  }

  get reads(): number {
    return this.#reads;
  }

  append(event: NewEvent, ts: bigint = 1_700_000_000_000_000_000n + BigInt(this.events.length)): AgentEvent {
    const seq = this.events.length + 1;
    const body = {
      ...event,
      event_id: uuid(this.#idBase + seq),
      ts: ts.toString(),
      cell: this.#cell,
      seq,
      prev_hash: this.events.at(-1)?.hash ?? GENESIS_HASH,
    };
    const whole = { ...body, hash: hashOf(body as AgentEvent) } as AgentEvent;
    this.events.push(whole);
    return whole;
  }

  /** Appends `count` small events. */
  fill(count: number): this {
    for (let i = 0; i < count; i++) {
      this.append({ kind: 'run.phase', payload: { phase: `p${this.events.length}`, reason: 'because' } });
    }
    return this;
  }

  reader(): EventReader {
    return {
      read: (after: number, limit: number, filter: ReadFilter = {}) => {
        this.#reads += 1;
        return this.events
          .slice(after)
          .filter((event) => filter.runId === undefined || event.run_id === filter.runId)
          .filter((event) => filter.kinds === undefined || filter.kinds.includes(event.kind))
          .slice(0, limit);
      },
      lastSeq: () => this.events.length,
      close: () => {},
    };
  }
}
