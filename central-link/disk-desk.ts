import {
  type CellName,
  type Clock,
  type DiskNext,
  type DiskOpened,
  type DiskOpenRequest,
  type DiskPieceRequest,
  type DiskReceiptsTaken,
  type DiskSignRequest,
  EdgeError,
  type EventReader,
  LIMITS,
  OBJECT_LANES,
  type Timer,
} from '../contract/index.ts';
import type { CustodyBook } from './custody-book.ts';
import type { DiskIdentity } from './disk-identity.ts';
import { DiskPlan } from './disk-plan.ts';
import type { DiskReceiptDesk } from './disk-receipts.ts';
import { DiskSession, exportEnded } from './disk-session.ts';
import type { EgressGuard } from './egress-guard.ts';
import { LANE_ORDER } from './event-lane.ts';
import type { LinkFiles } from './object-sender.ts';

export type DiskDeskParts = {
  readonly robot: string;
  readonly clock: Clock;
  /** Throws `config.invalid` where this robot has no key of its own. */
  readonly identity: () => DiskIdentity;
  readonly guard: EgressGuard | undefined;
  readonly openReader: (cell: CellName) => EventReader;
  readonly receipted: (cell: CellName) => number;
  /** Undefined: no files go to central. */
  readonly openBook: () => CustodyBook | undefined;
  readonly files: LinkFiles;
  readonly taking: DiskReceiptDesk;
  readonly newId: () => string;
};

/** Exports of this robot to removable disks, one at a time, and the receipts that come back. */
export class DiskDesk {
  readonly #parts: DiskDeskParts;
  #open: { readonly id: string; readonly session: DiskSession } | undefined;
  #idle: Timer | undefined;

  constructor(parts: DiskDeskParts) {
    this.#parts = parts;
  }

  /** Throws `config.invalid`, `schema.invalid`, and what logs throw. */
  open({ lanes, all }: DiskOpenRequest): DiskOpened {
    const { robot, clock, identity, openReader, receipted, openBook, files, guard, newId } = this.#parts;
    const names = LANE_ORDER.map((cell) => `events.${cell}`);
    const wanted = requireLanes(lanes, names);
    const own = identity();
    this.#close();
    const cells = LANE_ORDER.filter((cell) => wanted.has(`events.${cell}`));
    const readers = cells.map((cell) => ({
      ...{ cell, reader: openReader(cell) },
      from: all ? 0 : receipted(cell),
    }));
    const fileLanes = OBJECT_LANES.filter((lane) => wanted.has(lane));
    let book: CustodyBook | undefined;
    const close = () => {
      for (const { reader } of readers) reader.close();
      book?.close();
    };
    try {
      book = fileLanes.length > 0 ? openBook() : undefined;
      const plan = new DiskPlan({
        ...{ robot, fileLanes, guard, lanes: readers },
        files: book && { book, files, all },
      });
      const session = new DiskSession({ robot, clock, identity: own, plan, close });
      const id = newId();
      this.#open = { id, session };
      this.#stayOpen();
      const totals = Object.entries(book?.totals() ?? {})
        .filter(([lane]) => wanted.has(lane))
        .map(([, of]) => ({
          files: of.waiting + (all ? of.held : 0),
          bytes: of.waiting_bytes + (all ? of.held_bytes : 0),
        }));
      return {
        ...{ session: id, robot, events: plan.events },
        files: totals.reduce((sum, one) => sum + one.files, 0),
        file_bytes: totals.reduce((sum, one) => sum + one.bytes, 0),
      };
    } catch (error) {
      close();
      throw error;
    }
  }

  async next(id: string): Promise<DiskNext> {
    return await this.#session(id).next();
  }

  async piece({ session, item, part }: DiskPieceRequest): Promise<Buffer> {
    return await this.#session(session).piece(item, part);
  }

  sign({ session, items }: DiskSignRequest): Buffer {
    return this.#session(session).sign(items);
  }

  async receipts(body: unknown): Promise<DiskReceiptsTaken> {
    return await this.#parts.taking.take(body);
  }

  close(): void {
    this.#close();
  }

  #session(id: string): DiskSession {
    this.#stayOpen();
    if (this.#open?.id === id) return this.#open.session;
    throw exportEnded();
  }

  /** A client that went away holds no logs open. */
  #stayOpen(): void {
    this.#idle?.cancel();
    this.#idle = this.#parts.clock.after(LIMITS.LINK_DISK_IDLE_MS, () => this.#close());
  }

  #close(): void {
    this.#idle?.cancel();
    this.#idle = undefined;
    this.#open?.session.close();
    this.#open = undefined;
  }
}

/** `events` stands for all logs; none: all lanes. */
function requireLanes(lanes: readonly string[], events: readonly string[]): ReadonlySet<string> {
  const known = [...events, ...OBJECT_LANES];
  const unknown = lanes.find((lane) => lane !== 'events' && !known.includes(lane));
  if (unknown !== undefined)
    throw new EdgeError('schema.invalid', {
      ...{ operation: 'export to disk', subject: 'lanes' },
      message: `/lanes: expected some of events, ${known.join(', ')}, found ${JSON.stringify(unknown.slice(0, 64))}`,
    });
  if (lanes.length === 0) return new Set(known);
  return new Set(lanes.flatMap((lane) => (lane === 'events' ? events : [lane])));
}
