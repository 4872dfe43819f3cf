import {
  type AgentEvent,
  type Central,
  type Clock,
  EdgeError,
  type ErrorCode,
  GENESIS_HASH,
  LIMITS,
  type LinkBatch,
  pause,
  type Receipt,
} from '../../contract/index.ts';
import { hashOf } from '../support/tiny-log.ts';

/** How the next calls fare: `lose-answer` does the work and then fails, as a cut connection does. */
export type Mood = 'well' | 'down' | 'deaf' | 'lose-answer' | 'too-large';

/** Central in memory, as strict as the real one about gaps, conflicts and hashes. Keeps every push it saw. */
export class FakeCentral implements Central {
  readonly lanes = new Map<string, AgentEvent[]>();
  readonly pushes: LinkBatch[] = [];
  mood: Mood = 'well';
  closed = false;
  /** Batches above this are refused with `api.too_large`. */
  eventsMax = Number.POSITIVE_INFINITY;

  /** Everything held of a lane, of all epochs. */
  held(lane: string): AgentEvent[] {
    return [...this.lanes].filter(([key]) => key.endsWith(`|${lane}`)).flatMap(([, events]) => events);
  }

  async watermark(robot: string, epoch: string, lane: string): Promise<Receipt | undefined> {
    await this.#answer();
    const last = this.#lane(robot, epoch, lane).at(-1);
    return last && receipt(robot, epoch, lane, last);
  }

  async push(batch: LinkBatch): Promise<Receipt> {
    if (this.mood !== 'lose-answer') await this.#answer();
    const { robot, epoch, lane } = batch;
    const subject = `${robot}/${lane}`;
    const refuse = (code: ErrorCode, message: string) =>
      new EdgeError(code, { operation: 'push', subject, message });
    if (batch.events.length > this.eventsMax) throw refuse('api.too_large', 'too many events');
    if (batch.events.length === 0) throw refuse('link.refused', '/events: must not be empty');
    check(batch, refuse);
    const held = this.#lane(robot, epoch, lane);
    const first = batch.events[0]!;
    if (first.seq > held.length + 1) throw refuse('link.gap', `event ${held.length + 1} is missing`);
    for (const event of batch.events) {
      const kept = held[event.seq - 1];
      if (kept && kept.hash !== event.hash) throw refuse('link.conflict', `event ${event.seq} differs`);
    }
    const fresh = batch.events.filter((event) => event.seq > held.length);
    if (fresh[0] && held.length > 0 && fresh[0].prev_hash !== held.at(-1)!.hash) {
      throw refuse('link.conflict', `event ${fresh[0].seq} does not follow`);
    }
    this.pushes.push(batch);
    held.push(...fresh);
    if (this.mood === 'lose-answer') throw refuse('link.unreachable', 'the connection broke');
    return receipt(robot, epoch, lane, held.at(-1)!);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async #answer(): Promise<void> {
    if (this.mood === 'down' || this.mood === 'lose-answer') {
      throw new EdgeError('link.unreachable', {
        operation: 'ask',
        subject: 'fake',
        message: 'nobody is there',
      });
    }
    if (this.mood === 'deaf') await new Promise(() => {});
  }

  #lane(robot: string, epoch: string, lane: string): AgentEvent[] {
    const key = `${robot}|${epoch}|${lane}`;
    const events = this.lanes.get(key) ?? [];
    this.lanes.set(key, events);
    return events;
  }
}

function check(batch: LinkBatch, refuse: (code: ErrorCode, message: string) => EdgeError): void {
  batch.events.forEach((event, index) => {
    const before = batch.events[index - 1];
    if (before && (event.seq !== before.seq + 1 || event.prev_hash !== before.hash)) {
      throw refuse('link.refused', `/events/${index}: does not follow`);
    }
    if (event.seq === 1 && (event.prev_hash !== GENESIS_HASH || event.event_id !== batch.epoch)) {
      throw refuse('link.refused', `/events/${index}: is no first event of this epoch`);
    }
    if (`events.${event.cell}` !== batch.lane)
      throw refuse('link.refused', `/events/${index}/cell: another lane`);
    if (hashOf(event) !== event.hash) throw refuse('link.refused', `/events/${index}/hash: wrong`);
  });
}

function receipt(robot: string, epoch: string, lane: string, last: AgentEvent): Receipt {
  return { robot, epoch, lane, seq: last.seq, sha256: last.hash, signature: 'fake' };
}

/** Behind a line of so many bytes a millisecond; a push that takes longer than a request may is given up. */
export class SlowCentral extends FakeCentral {
  readonly #clock: Clock;
  bytesPerMs = Number.POSITIVE_INFINITY;
  bytesMost = Number.POSITIVE_INFINITY;
  /** Pushes that were given up. */
  given = 0;
  largest = 0;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  override async push(batch: LinkBatch): Promise<Receipt> {
    const bytes = JSON.stringify(batch).length;
    const ms = bytes / this.bytesPerMs;
    const isGiven = ms > LIMITS.LINK_REQUEST_MS;
    await pause(this.#clock, Math.min(ms, LIMITS.LINK_REQUEST_MS));
    if (isGiven) {
      this.given += 1;
      throw new EdgeError('deadline.exceeded', { operation: 'push', subject: 'fake', message: 'too slow' });
    }
    if (bytes > this.bytesMost)
      throw new EdgeError('api.too_large', { operation: 'push', subject: 'fake', message: 'too large' });
    this.largest = Math.max(this.largest, bytes);
    return await super.push(batch);
  }
}
