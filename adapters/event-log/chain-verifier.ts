import {
  type AgentEvent,
  type CellName,
  GENESIS_HASH,
  hashInput,
  type LogCut,
  type LogVerdict,
} from '../../contract/core.ts';
import { sha256 } from './draft-hash.ts';

/** Recomputes a hash chain event by event; remembers the first fault and nothing else. */
export class ChainVerifier {
  readonly #cell: CellName;
  #lastSeq = 0;
  #lastHash = GENESIS_HASH;
  #events = 0;
  #cut: LogCut | undefined;
  #fault: { seq: number; message: string } | undefined;

  constructor(cell: CellName) {
    this.#cell = cell;
  }

  get faulty(): boolean {
    return this.#fault !== undefined;
  }

  /** Starts in the middle, trusting that the row at `seq` has this hash. */
  startAfter(seq: number, hash: string): void {
    this.#lastSeq = seq;
    this.#lastHash = hash;
  }

  /** Events behind it may be gone; what is left of them, and what comes after, has to fit it. */
  cutAt(cut: LogCut): void {
    this.#cut = cut;
  }

  add(event: AgentEvent): void {
    if (this.#fault) return;
    const fault = this.#judge(event);
    if (fault === undefined) {
      this.#lastSeq = event.seq;
      this.#lastHash = event.hash;
      this.#events += 1;
    } else this.refuse(event.seq, fault);
  }

  /** A row that cannot even be read as an event. */
  refuse(seq: number, message: string): void {
    this.#fault ??= { seq, message };
  }

  verdict(): LogVerdict {
    return {
      cell: this.#cell,
      ok: this.#fault === undefined,
      events: this.#events,
      lastSeq: this.#lastSeq,
      lastHash: this.#lastHash,
      ...(this.#cut ? { cut: this.#cut } : {}),
      ...(this.#fault ? { fault: this.#fault } : {}),
    };
  }

  #judge(event: AgentEvent): string | undefined {
    const cut = this.#cut;
    // The first that is left behind the first event: what it follows is gone, and its place is in the checkpoint.
    if (cut && this.#lastSeq === 1 && event.seq > 2 && event.seq <= cut.through + 1)
      this.startAfter(event.seq - 1, event.seq === cut.through + 1 ? cut.hash : event.prev_hash);
    if (cut && event.seq === cut.through && event.hash !== cut.hash)
      return `row ${event.seq} does not match the signed checkpoint`;
    if (event.seq !== this.#lastSeq + 1)
      return `row ${this.#lastSeq + 1} is missing: after ${this.#lastSeq} comes ${event.seq}`;
    if (event.prev_hash !== this.#lastHash)
      return `row ${event.seq} does not follow row ${this.#lastSeq}: its prev_hash is not that row's hash`;
    if (sha256(hashInput(event)) !== event.hash)
      return `row ${event.seq} (${event.kind}) was changed: its content does not match its hash`;
    return undefined;
  }
}
