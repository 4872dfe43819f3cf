import {
  type AgentEvent,
  type CellName,
  type Central,
  EdgeError,
  type EventReader,
  LIMITS,
  type Receipt,
} from '../contract/core.ts';
import { bytesOf, cutBatch } from './batch.ts';

/** Order of the lanes: runs first, then robot data, and the link's own log last, since shipping writes to it. */
export const LANE_ORDER: readonly CellName[] = ['runtime', 'execution', 'memory', 'link'];

export type Step =
  /** Nothing to do; central was not asked. */
  | { readonly kind: 'idle' }
  /** Central answered; `batch` is the events sent, empty if only the position was requested. */
  | {
      readonly kind: 'answered';
      readonly receipt: Receipt | undefined;
      readonly batch: readonly AgentEvent[];
    };

/** Growth of the largest push after each success: slow enough that few pushes fail by it. */
const GROWTH = 1.125;

/**
 * One log on its way to central. The position is not stored here: after a start central is
 * asked for it. It is checked against the log and used, whether it is ahead of the last known one or behind it (a
 * coordinator restored from a backup). The cursor is (robot, epoch, lane, seq, hash of that event).
 */
export class EventLane {
  readonly name: string;
  readonly #robot: string;
  readonly #cell: CellName;
  readonly #central: Central;
  readonly #openReader: (cell: CellName) => EventReader;
  #reader: EventReader | undefined;
  #epoch: string | undefined;
  #sent = 0;
  #asked = false;
  #closed = false;
  #isPushing = false;
  /** Halved where central or a slow line cannot take so much at once, and grown again with each accepted push. */
  #bytesMax: number = LIMITS.LINK_BATCH_BYTES_MAX;

  constructor(robot: string, cell: CellName, central: Central, openReader: (cell: CellName) => EventReader) {
    this.#robot = robot;
    this.#cell = cell;
    this.name = `events.${cell}`;
    this.#central = central;
    this.#openReader = openReader;
  }

  /** Highest sequence that central acknowledged, and the last one of the log, also before the first step. */
  standing(): { readonly sent: number; readonly last: number } {
    return { sent: this.#sent, last: Math.max(this.#sent, this.#lastSeq()) };
  }

  /** Whether the last step was to send something. */
  get isPushing(): boolean {
    return this.#isPushing;
  }

  /** Central is asked for its position before anything else is sent. */
  askAgain(): void {
    this.#asked = false;
  }

  /**
   * Asks or sends once. Throws what `Central` rejects with, `link.conflict` where central holds other data
   * than this log, or the error of the reader.
   */
  async step(): Promise<Step> {
    const reader = this.#open();
    const epoch = this.#epochOf(reader);
    this.#isPushing = false;
    if (epoch === undefined) return { kind: 'idle' };
    if (!this.#asked) {
      const receipt = await this.#central.watermark(this.#robot, epoch, this.name);
      this.#follow(reader, epoch, receipt, []);
      this.#asked = true;
      return { kind: 'answered', receipt, batch: [] };
    }
    const batch = cutBatch(reader, this.#sent, this.#bytesMax);
    if (batch.length === 0) return { kind: 'idle' };
    this.#isPushing = true;
    return this.#push(reader, epoch, batch);
  }

  close(): void {
    this.#closed = true;
    try {
      this.#reader?.close();
    } finally {
      this.#reader = undefined;
    }
  }

  async #push(reader: EventReader, epoch: string, events: readonly AgentEvent[]): Promise<Step> {
    let receipt: Receipt;
    try {
      receipt = await this.#central.push({ robot: this.#robot, epoch, lane: this.name, events });
    } catch (error) {
      // If the answer was lost the push may have been accepted: central is asked for its position.
      this.#asked = false;
      if (!(error instanceof EdgeError)) throw error;
      const isTooLarge = error.code === 'api.too_large';
      if (isTooLarge && events.length === 1)
        throw this.#error('link.refused', `event ${events[0]!.seq}: ${error.message}`);
      if (isTooLarge || error.code === 'deadline.exceeded') this.#sendLess(events);
      if (isTooLarge) return { kind: 'answered', receipt: undefined, batch: [] };
      throw error;
    }
    this.#bytesMax = Math.min(LIMITS.LINK_BATCH_BYTES_MAX, Math.ceil(this.#bytesMax * GROWTH));
    const before = this.#sent;
    this.#follow(reader, epoch, receipt, events);
    if (this.#sent <= before) {
      throw this.#error('link.unreachable', `central took nothing: it still stands at ${this.#sent}`);
    }
    return { kind: 'answered', receipt, batch: events };
  }

  /** One event is always sent, however large. */
  #sendLess(events: readonly AgentEvent[]): void {
    const bytes = events.reduce((sum, event) => sum + bytesOf(event), 0);
    this.#bytesMax = Math.floor(bytes / 2);
  }

  /** Uses the position that central reports, if the log agrees. */
  #follow(
    reader: EventReader,
    epoch: string,
    receipt: Receipt | undefined,
    batch: readonly AgentEvent[],
  ): void {
    if (receipt === undefined) {
      this.#sent = 0;
      return;
    }
    if (receipt.robot !== this.#robot || receipt.epoch !== epoch || receipt.lane !== this.name) {
      throw this.#error('link.unreachable', 'central answered with the receipt of another lane');
    }
    const event =
      batch.find((one) => one.seq === receipt.seq) ??
      reader.read(receipt.seq - 1, 1).find((one) => one.seq === receipt.seq);
    if (!event || event.hash !== receipt.sha256) {
      throw this.#error(
        'link.conflict',
        event
          ? `central holds another event ${receipt.seq} than this log`
          : `central holds ${receipt.seq} events, this log has only ${reader.lastSeq()}: it was set back`,
      );
    }
    this.#sent = receipt.seq;
  }

  #lastSeq(): number {
    try {
      return this.#closed ? 0 : this.#open().lastSeq();
    } catch {
      // No log yet, or one that its cell is about to set aside: the next step says so.
      return 0;
    }
  }

  #open(): EventReader {
    this.#reader ??= this.#openReader(this.#cell);
    return this.#reader;
  }

  /** Read again each time: a damaged log is set aside by its cell and a new one starts under the same name. */
  #epochOf(reader: EventReader): string | undefined {
    const first = reader.read(0, 1)[0];
    if (first && first.seq !== 1) throw this.#error('log.damaged', `the log starts at event ${first.seq}`);
    if (first?.event_id !== this.#epoch) {
      this.#epoch = first?.event_id;
      this.#sent = 0;
      this.#asked = false;
    }
    return this.#epoch;
  }

  #error(
    code: 'link.unreachable' | 'link.refused' | 'link.conflict' | 'log.damaged',
    message: string,
  ): EdgeError {
    return new EdgeError(code, {
      operation: 'sync events',
      subject: `${this.#robot}/${this.name}`,
      message,
      ...(code === 'link.conflict'
        ? { hint: 'nothing is overwritten; keep both logs and decide which one is right' }
        : {}),
    });
  }
}
