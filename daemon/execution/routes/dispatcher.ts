import { type Clock, LIMITS, type Sample } from '../../../contract/core.ts';
import type { Lane } from './lane.ts';

/** How the transport took a sample: now, later (a promise), or not yet, to be tried again. */
export type Sent = 'done' | 'busy' | Promise<void>;

/** What a lane belongs to: sends its samples, and counts what became of them. */
export type LaneOwner = {
  weight(lane: Lane): number;
  send(lane: Lane, sample: Sample): Sent;
  forwarded(lane: Lane, sample: Sample): void;
  failed(lane: Lane, sample: Sample, error: unknown): void;
};

/** A transport that had no room is asked again after this, milliseconds. */
const BUSY_MS = 5;
/** Samples up to this go where everything else that the transport holds stands still, bytes. */
const SMALL_BYTES_MAX = 64 * 1024;
/** The least a sample costs in a turn: per-message work is not free. */
const COST_BYTES_MIN = 1_024;

/**
 * Lets the lanes of all routes share a transport: weighted fair queueing by bytes (start-time fair queueing, Goyal
 * et al. 1996). A lane that waited little goes before one that has had much, so a small topic never stands behind
 * the backlog of a large one, and a large one still gets its share. What the transport holds is bounded.
 */
export class Dispatcher {
  readonly #clock: Clock;
  readonly #ready = new Map<Lane, LaneOwner>();
  #virtual = 0;
  #inFlightBytes = 0;
  #queuedBytes = 0;
  #isPumping = false;
  #again: { cancel(): void } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Takes a sample for a lane and lets everything go that may. */
  offer(lane: Lane, owner: LaneOwner, sample: Sample): void {
    const before = lane.queuedBytes;
    if (lane.queued === 0) lane.turn = Math.max(lane.turn, this.#virtual);
    lane.push(sample);
    this.#queuedBytes += lane.queuedBytes - before;
    this.#ready.set(lane, owner);
    while (this.#queuedBytes > LIMITS.ROUTES_QUEUE_BYTES_MAX) this.#relieve();
    this.pump();
  }

  /** A lane that was held may continue, or its transport is back. */
  pump(): void {
    // A transport that answers at once may lead back here.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (let lane = this.#next(); lane; lane = this.#next()) this.#go(lane);
    } finally {
      this.#isPumping = false;
    }
  }

  /** The lane is gone; the caller counts what it held. */
  forget(lane: Lane): Sample[] {
    this.#ready.delete(lane);
    this.#queuedBytes -= lane.queuedBytes;
    return lane.drain();
  }

  close(): void {
    this.#again?.cancel();
  }

  #next(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.#ready.keys()) {
      if (!lane.mayGo || (best && lane.turn >= best.turn)) continue;
      if (this.#fits(lane)) best = lane;
    }
    return best;
  }

  /** What stands still on other lanes must not keep a small topic of a living reader. */
  #fits(lane: Lane): boolean {
    if (this.#inFlightBytes === 0) return true;
    if (this.#inFlightBytes + lane.nextBytes <= LIMITS.ROUTES_IN_FLIGHT_BYTES_MAX) return true;
    return lane.inFlight === 0 && lane.nextBytes <= SMALL_BYTES_MAX;
  }

  #go(lane: Lane): void {
    const owner = this.#ready.get(lane)!;
    const before = lane.queuedBytes;
    const sample = lane.shift()!;
    this.#queuedBytes -= before - lane.queuedBytes;
    if (lane.queued === 0) this.#ready.delete(lane);
    const [turn, virtual] = [lane.turn, this.#virtual];
    this.#virtual = Math.max(virtual, turn);
    lane.turn += Math.max(COST_BYTES_MIN, sample.bytes.length) / owner.weight(lane);
    let sent: Sent;
    try {
      sent = owner.send(lane, sample);
    } catch (error) {
      owner.failed(lane, sample, error);
      return;
    }
    if (sent === 'done') owner.forwarded(lane, sample);
    else if (sent === 'busy') {
      // What did not go costs nothing, and time stands where it stood: a small one that comes now goes first.
      lane.turn = turn;
      this.#virtual = virtual;
      this.#wait(lane, owner, sample);
    } else this.#track(lane, owner, sample, sent);
  }

  /** Back to its place: this lane waits a little, the others continue. */
  #wait(lane: Lane, owner: LaneOwner, sample: Sample): void {
    const before = lane.queuedBytes;
    lane.unshift(sample);
    this.#queuedBytes += lane.queuedBytes - before;
    this.#ready.set(lane, owner);
    lane.isHeld = true;
    this.#again ??= this.#clock.after(BUSY_MS, () => {
      this.#again = undefined;
      for (const waiting of this.#ready.keys()) waiting.isHeld = waiting.isPreparing;
      this.pump();
    });
  }

  #track(lane: Lane, owner: LaneOwner, sample: Sample, sent: Promise<void>): void {
    const size = sample.bytes.length;
    lane.inFlight += 1;
    lane.inFlightBytes += size;
    lane.inFlightSinceMs ??= this.#clock.monotonicMs();
    this.#inFlightBytes += size;
    const settle = (): void => {
      lane.inFlight -= 1;
      lane.inFlightBytes -= size;
      // One that settles shows that the transport moves.
      lane.inFlightSinceMs = lane.inFlight === 0 ? undefined : this.#clock.monotonicMs();
      this.#inFlightBytes -= size;
    };
    sent.then(
      () => {
        settle();
        owner.forwarded(lane, sample);
        if (this.#ready.size > 0) this.pump();
      },
      (error: unknown) => {
        settle();
        owner.failed(lane, sample, error);
        if (this.#ready.size > 0) this.pump();
      },
    );
  }

  /** Too much waits altogether: the lane that holds most drops its oldest. */
  #relieve(): void {
    let fattest: Lane | undefined;
    for (const lane of this.#ready.keys()) {
      if (!fattest || lane.queuedBytes > fattest.queuedBytes) fattest = lane;
    }
    if (!fattest) return;
    const before = fattest.queuedBytes;
    fattest.dropOldest();
    this.#queuedBytes -= before - fattest.queuedBytes;
    if (fattest.queued === 0) this.#ready.delete(fattest);
  }
}
