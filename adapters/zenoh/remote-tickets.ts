import { EdgeError } from '../../contract/core.ts';
import { CONGESTED, type FromRemote } from './remote-messages.ts';

/** Bytes and values with the process of zenoh-ts that have not reached the socket; above them a put is refused. */
const PUT_BYTES_MAX = 128 * 1024 * 1024;
const PUTS_MAX = 65_536;

type Ticket = {
  readonly resolve: (dropped: number | undefined) => void;
  readonly reject: (error: EdgeError) => void;
  readonly operation: string;
  readonly subject: string;
  /** Undefined: not a put. */
  readonly bytes: number | undefined;
};

/** Open requests to the process of zenoh-ts, and the values in transit among them. */
export class RemoteTickets {
  readonly #open = new Map<number, Ticket>();
  #next = 1;
  #bytes = 0;
  #puts = 0;
  /** Values that were put and did not leave this process. */
  lost = 0;

  /** Settles with the count of drops that came with the answer, if any; `bytes` marks a put. */
  request(
    operation: string,
    subject: string,
    bytes: number | undefined,
    send: (ticket: number) => void,
  ): Promise<number | undefined> {
    const ticket = this.#next++;
    if (bytes !== undefined) {
      this.#bytes += bytes;
      this.#puts += 1;
    }
    return new Promise((resolve, reject) => {
      this.#open.set(ticket, { resolve, reject, operation, subject, bytes });
      send(ticket);
    });
  }

  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= PUT_BYTES_MAX && this.#puts < PUTS_MAX;
  }

  settle({ ticket, error, dropped }: Extract<FromRemote, { op: 'done' }>): void {
    const waiting = this.#open.get(ticket);
    if (!waiting) return;
    this.#open.delete(ticket);
    this.#release(waiting, error !== undefined);
    const { operation, subject } = waiting;
    if (error === undefined) waiting.resolve(dropped);
    else if (error === CONGESTED) waiting.reject(congested(operation, subject));
    else waiting.reject(new EdgeError('zenoh.failed', { operation, subject, message: error }));
  }

  settleAll(error: EdgeError): void {
    const waiting = [...this.#open.values()];
    this.#open.clear();
    for (const ticket of waiting) {
      this.#release(ticket, true);
      ticket.reject(error);
    }
  }

  #release({ bytes }: Ticket, failed: boolean): void {
    if (bytes === undefined) return;
    this.#bytes -= bytes;
    this.#puts -= 1;
    if (failed) this.lost += 1;
  }
}

export function congested(operation: string, subject: string): EdgeError {
  const message = 'dropped: the bridge does not accept values as fast as they arrive';
  return new EdgeError('cell.overloaded', { operation, subject, message });
}
