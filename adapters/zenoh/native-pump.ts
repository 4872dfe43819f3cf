import { type Clock, EdgeError } from '../../contract/core.ts';
import { EagerLoop } from './eager-loop.ts';
import { BatchRoom, decodeBatch, EVENT, type NativeEvent } from './native-batch.ts';
import { fromNative } from './native-errors.ts';
import type { NativeBatch, NativeSession } from './native-types.ts';

/** Events per batch: bounds how long one drain holds the event loop (about 0.3 ms of small messages). */
const BATCH_EVENTS_MAX = 256;
/** How long the event loop stands still for an answer that is expected at once, in each of its rounds. */
const LOOK_MICROS = 100;

export type EventSink = (events: readonly NativeEvent[]) => void;
type Ticket = { resolve: () => void; reject: (error: EdgeError) => void; subject: string };

/**
 * Takes batches out of the addon and hands each run of events to the sink of its entity. After a full batch
 * the event loop gets its turn before the next: a flood never starves timers and sockets.
 */
export class NativePump {
  /** Callers report each question through this session. */
  readonly eager: EagerLoop;
  readonly #onFault: (error: EdgeError) => void;
  readonly #sinks = new Map<number, EventSink>();
  readonly #tickets = new Map<number, Ticket>();
  #session: NativeSession | undefined;
  #room = new BatchRoom();
  /** A wake-up may come while a further turn is already due. */
  #due = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>, onFault: (error: EdgeError) => void) {
    this.eager = new EagerLoop({ clock, look: () => this.#look() });
    this.#onFault = onFault;
  }

  attach(session: NativeSession): void {
    this.#session = session;
  }

  detach(): void {
    this.#session = undefined;
    this.#sinks.clear();
  }

  add(entity: number, sink: EventSink): void {
    this.#sinks.set(entity, sink);
  }

  remove(entity: number): void {
    this.#sinks.delete(entity);
  }

  /** Settles when the addon reports the outcome of a blocking send. */
  completion(ticket: number, subject: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tickets.set(ticket, { resolve, reject, subject });
    });
  }

  rejectAll(error: EdgeError): void {
    for (const ticket of this.#tickets.values()) ticket.reject(error);
    this.#tickets.clear();
  }

  /** Called by the addon when there is something to drain. */
  readonly wake = (): void => {
    if (!this.#due) this.#turn();
  };

  #look(): void {
    if (this.#session?.look(LOOK_MICROS)) this.wake();
  }

  #turn(): void {
    this.#due = false;
    this.#room = this.#room.ready();
    const taken = this.#session?.drain(BATCH_EVENTS_MAX, this.#room.bytes, this.#room.at) ?? 0;
    if (taken === 0) return;
    if (typeof taken === 'number') this.#read(this.#room, Math.abs(taken), taken < 0);
    else this.#read(new BatchRoom(taken.slab), taken.slab.byteLength, taken.more, taken.large);
  }

  #read(room: BatchRoom, length: number, more: boolean, large?: NativeBatch['large']): void {
    if (more) {
      this.#due = true;
      // Not a timer: it runs after the input and output that is already waiting.
      setImmediate(() => this.#turn());
    }
    let run: NativeEvent[] = [];
    const add = (event: NativeEvent) => {
      if (event.type === EVENT.sendDone) {
        this.#settle(event);
        return;
      }
      if (run[0] !== undefined && run[0].entity !== event.entity) {
        this.#deliver(run);
        run = [];
      }
      run.push(event);
    };
    decodeBatch(room, length, add, large);
    if (run.length > 0) this.#deliver(run);
  }

  #deliver(run: readonly NativeEvent[]): void {
    // No sink: the entity was undeclared while its last events were on their way.
    const sink = this.#sinks.get(run[0]!.entity);
    if (!sink) {
      // The caller must not wait for a peer that is gone.
      for (const event of run) if (event.type === EVENT.query) this.#session?.finish(event.aux);
      return;
    }
    try {
      sink(run);
    } catch (error) {
      this.#onFault(EdgeError.from(error, 'internal.fault', 'handle values', run[0]!.key));
    }
  }

  #settle(event: NativeEvent): void {
    const ticket = this.#tickets.get(event.aux);
    if (!ticket) return;
    this.#tickets.delete(event.aux);
    if (event.failed) ticket.reject(fromNative(new Error(event.text), 'put', ticket.subject));
    else ticket.resolve();
  }
}
