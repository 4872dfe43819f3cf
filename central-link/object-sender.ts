import {
  type Clock,
  EdgeError,
  LIMITS,
  type LinkObject,
  type ObjectCentral,
  type ObjectLaneName,
  type ObjectStanding,
  partBytesOf,
} from '../contract/core.ts';
import type { CustodyBook, Waiting } from './custody-book.ts';
import { CustodyCheck, type CustodyUse } from './custody-check.ts';
import { FileTree } from './file-tree.ts';
import type { LineBudget } from './line-budget.ts';
import { PieceSize } from './piece-size.ts';

/** Files by their path in the data directory. */
export type LinkFiles = {
  /** Bytes of the file; undefined where it is not there. Rejects where the folder of all files is not there. */
  size(path: string): Promise<number | undefined>;
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
};

export type ObjectSenderParts = {
  readonly robot: string;
  readonly clock: Clock;
  readonly book: Pick<CustodyBook, 'first' | 'find' | 'hold' | 'gone' | 'listGone' | 'cameBack' | CustodyUse>;
  readonly files: LinkFiles;
  readonly central: ObjectCentral;
  readonly line: LineBudget;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

export type ObjectStep =
  /** Nothing to do, or nothing may go now. */
  | { readonly kind: 'idle'; readonly reason: string }
  /** Something was done; there may be more. */
  | { readonly kind: 'worked' }
  /** Nothing to do for so many milliseconds. */
  | { readonly kind: 'wait'; readonly ms: number };

export type Range = readonly [from: number, to: number];
/** A file that is being sent. */
type Sending = {
  readonly item: Waiting;
  readonly tree: FileTree;
  standing: ObjectStanding | undefined;
  /** Asked for again not before, by the monotonic clock. */
  notBeforeMs: number;
  /** How often central took bytes for others than the tree says. */
  refusals: number;
  /** Why central has no room for it; empty: it may have. */
  noRoom: string;
  /** How often in turn central knew less of it than it had said. */
  unknowns: number;
};

/** Parts that are hashed in one step: events get their turn in between. */
const PARTS_PER_STEP = 8;
/** Files whose trees are kept. */
const KEPT_MAX = 8;
const REFUSALS_MAX = 3;

/**
 * Sends files one request after the other, the first lane first; without I/O of its own. It remembers nothing that matters:
 * central says what it lacks, and the book keeps the receipts.
 */
export class ObjectSender {
  readonly #parts: ObjectSenderParts;
  readonly #kept = new Map<string, Sending>();
  /** Files that cannot be sent, and why; tried again when a person asks. */
  readonly #faults = new Map<string, string>();
  /** What central asked for, in the order of asking: ranges of bytes of a file. */
  readonly #wanted = new Map<string, readonly Range[]>();
  readonly #piece: PieceSize;
  readonly #custody: CustodyCheck;
  #current: Sending | undefined;
  #reason = '';
  /** A person asked: files that were gone may be there again. */
  #looksForGone = false;

  constructor(parts: ObjectSenderParts) {
    this.#parts = parts;
    this.#piece = new PieceSize(parts.clock);
    this.#custody = new CustodyCheck(parts);
  }

  /** One request at most. Throws what `ObjectCentral` rejects with; the same step is then done again later. */
  async step(): Promise<ObjectStep> {
    const { central, line, files, book } = this.#parts;
    const waitMs = line.waitMs();
    if (waitMs > 0) return { kind: 'wait', ms: waitMs };
    const { lanes, reason } = line.allowed();
    this.#reason = reason;
    if (this.#looksForGone) await this.#lookForGone();
    if (lanes.length > 0) await this.#custody.compare();
    const item = this.#pick(lanes);
    if (!item) return this.#rest(reason);
    const partMax = await central.partBytesMax();
    if (partMax === undefined) return this.#idle('central takes no files: it speaks version 1 of the link');
    const size = await files.size(item.path);
    if (size === undefined) {
      book.gone(item.path);
      this.#forget(item.path);
      return { kind: 'worked' };
    }
    if (size !== item.bytes)
      return this.#setAside(item, `it has ${size} bytes, its event says ${item.bytes}`);
    const sending = this.#sending(item, partMax);
    if (!sending) return this.#setAside(item, 'it is larger than central takes');
    this.#current = sending;
    if (!sending.tree.isComplete) return await this.#hash(sending);
    await this.#advance(sending);
    return { kind: 'worked' };
  }

  /** Central is asked where it stands before anything more is sent. */
  askAgain(): void {
    for (const sending of this.#kept.values()) sending.standing = undefined;
  }

  /** For a request of a person: what was set aside is tried again. */
  retryNow(): void {
    this.#faults.clear();
    this.#looksForGone = true;
    this.#custody.askAgain();
    for (const sending of this.#kept.values()) sending.notBeforeMs = 0;
    this.askAgain();
  }

  /** These bytes go before all other files. Throws `link.refused` where the file is not one that waits or is held. */
  want(path: string, ranges: readonly Range[]): void {
    if (this.#wanted.size >= LIMITS.LINK_WANTED_MAX && !this.#wanted.has(path))
      throw new EdgeError('cell.overloaded', {
        operation: 'fetch',
        subject: path,
        message: `${this.#wanted.size} ranges are on their way already`,
      });
    this.#wanted.set(path, ranges);
  }

  /** Whether central has these bytes, in whole parts that it has checked, as far as it said. */
  has(path: string, ranges: readonly Range[]): boolean {
    if (this.#parts.book.find(path)?.state === 'held') return true;
    const { standing, tree } = this.#kept.get(path) ?? {};
    if (!tree || standing?.state !== 'open' || !('missing' in standing))
      return standing?.state === 'verifying';
    // The list of an answer is bounded: behind its last range nothing is known.
    if (standing.missing.length >= LIMITS.LINK_MISSING_RANGES_MAX) return false;
    return ranges.every(([from, to]) => {
      const end = Math.ceil(to / tree.partBytes) * tree.partBytes;
      return standing.missing.every(([a, b]) => b <= from || a >= end);
    });
  }

  /** What is on its way now, for people. */
  status(): {
    readonly current?: { path: string; lane: string; bytes: number; sent: number; rate: number };
    readonly faults: Readonly<Record<string, string>>;
    readonly reason: string;
  } {
    const { item, standing } = this.#current ?? {};
    const rate = Math.round(this.#piece.bytesPerSecond());
    const current = item && {
      path: item.path,
      lane: item.lane,
      bytes: item.bytes,
      sent: sentOf(item, standing),
      rate,
    };
    return {
      ...(current ? { current } : {}),
      faults: Object.fromEntries(this.#faults),
      reason: this.#reason || this.#noRoom(),
    };
  }

  #noRoom(): string {
    const now = this.#parts.clock.monotonicMs();
    for (const [path, { noRoom, notBeforeMs }] of this.#kept)
      if (noRoom !== '' && notBeforeMs > now) return `${path} waits: ${noRoom}`;
    return '';
  }

  async #lookForGone(): Promise<void> {
    const { book, files } = this.#parts;
    for (const { path, bytes } of book.listGone())
      if ((await files.size(path)) === bytes) book.cameBack(path);
    this.#looksForGone = false;
  }

  #rest(reason: string): ObjectStep {
    this.#current = undefined;
    const now = this.#parts.clock.monotonicMs();
    const soonest = [...this.#kept.values()].map(({ notBeforeMs }) => notBeforeMs).filter((ms) => ms > now);
    return soonest.length > 0 ? { kind: 'wait', ms: Math.min(...soonest) - now } : { kind: 'idle', reason };
  }

  #idle(reason: string): ObjectStep {
    this.#reason = reason;
    this.#current = undefined;
    return { kind: 'idle', reason };
  }

  /** What central asked for, then the first of the first lane. */
  #pick(lanes: readonly ObjectLaneName[]): Waiting | undefined {
    const { book, clock } = this.#parts;
    if (lanes.length === 0) return undefined;
    const now = clock.monotonicMs();
    const skip = new Set(this.#faults.keys());
    for (const [path, { notBeforeMs }] of this.#kept) if (notBeforeMs > now) skip.add(path);
    for (const [path, ranges] of this.#wanted) {
      const found = book.find(path);
      if (found?.state !== 'waiting' || this.has(path, ranges)) this.#wanted.delete(path);
      else if (!skip.has(path)) return found;
    }
    for (const lane of lanes) {
      const found = book.first(lane, skip);
      if (found) return found;
    }
    return undefined;
  }

  #sending(item: Waiting, partMax: number): Sending | undefined {
    const known = this.#kept.get(item.path);
    if (known && known.item.sha256 === item.sha256 && known.tree.partBytes <= partMax) return known;
    const partBytes = partBytesOf(item.bytes, partMax);
    if (partBytes === undefined) return undefined;
    const tree = new FileTree(item.bytes, partBytes);
    const sending: Sending = {
      item,
      tree,
      standing: undefined,
      notBeforeMs: 0,
      refusals: 0,
      noRoom: '',
      unknowns: 0,
    };
    this.#kept.set(item.path, sending);
    const now = this.#parts.clock.monotonicMs();
    for (const [path, { notBeforeMs }] of this.#kept)
      if (this.#kept.size > KEPT_MAX && path !== item.path && notBeforeMs <= now) this.#kept.delete(path);
    return sending;
  }

  async #hash({ item, tree }: Sending): Promise<ObjectStep> {
    const { files } = this.#parts;
    for (let i = 0; i < PARTS_PER_STEP && !tree.isComplete; i++) {
      const { offset, length } = tree.next();
      tree.add(await files.read(item.path, offset, length));
    }
    if (tree.isComplete && tree.sha256 !== item.sha256)
      return this.#setAside(item, 'its bytes are not those that were recorded: the file is damaged');
    return { kind: 'worked' };
  }

  async #advance(sending: Sending): Promise<void> {
    const { central, clock } = this.#parts;
    const object = this.#objectOf(sending);
    const { standing } = sending;
    let waitMs = 0;
    try {
      if (standing === undefined || standing.state === 'verifying')
        sending.standing = await central.offer(object);
      else if (standing.state === 'open' && 'tree' in standing)
        sending.standing = await central.tree(object, sending.tree.leaves);
      else if (standing.state === 'open')
        sending.standing = await this.#put(sending, object, standing.missing);
      sending.noRoom = '';
      if (standing?.state === 'open') sending.unknowns = 0;
    } catch (error) {
      sending.standing = undefined;
      if (this.#hasNoRoom(sending, error)) waitMs = LIMITS.LINK_RETRY_MAX_MS;
      else if (isUnknown(error) && standing?.state === 'open') waitMs = unknownMs(sending);
      else this.#refused(sending, error, standing === undefined || standing.state === 'verifying');
    }
    const now = sending.standing;
    if (now?.state === 'verifying') waitMs = LIMITS.LINK_VERIFY_POLL_MS;
    sending.notBeforeMs = waitMs > 0 ? clock.monotonicMs() + waitMs : 0;
    if (now?.state !== 'held') return;
    this.#parts.book.hold(sending.item.path, now.receipt);
    this.#forget(sending.item.path);
  }

  async #put({ item }: Sending, object: LinkObject, missing: readonly Range[]): Promise<ObjectStanding> {
    const { central, files, line, clock } = this.#parts;
    const [from, to] = this.#nextRange(item.path, missing, object.part_bytes);
    const partEnd = (Math.floor(from / object.part_bytes) + 1) * object.part_bytes;
    const length = Math.min(
      to - from,
      partEnd - from,
      this.#piece.bytes(object.part_bytes, line.restOfDay()),
    );
    const bytes = await files.read(item.path, from, length);
    const startMs = clock.monotonicMs();
    try {
      const { standing, lineBytes } = await central.put(object, from, bytes);
      this.#piece.went(length, clock.monotonicMs() - startMs);
      line.used(lineBytes, true);
      return standing;
    } catch (error) {
      this.#piece.failed(length);
      // How much of it went is not known: counted as all.
      line.used(length, true);
      throw error;
    }
  }

  /** The first missing bytes that central asked for, from the start of their part; else the first of all. */
  #nextRange(path: string, missing: readonly Range[], partBytes: number): Range {
    for (const [from, to] of this.#wanted.get(path) ?? []) {
      const end = Math.ceil(to / partBytes) * partBytes;
      const found = missing.find(([a, b]) => a < end && b > from);
      if (found) return [Math.max(found[0], Math.floor(from / partBytes) * partBytes), found[1]];
    }
    return missing[0]!;
  }

  #objectOf({ item, tree }: Sending): LinkObject {
    const { lane, epoch, seq, sha256, bytes, path } = item;
    const { robot } = this.#parts;
    return {
      robot,
      epoch,
      lane,
      seq,
      sha256,
      bytes,
      part_bytes: tree.partBytes,
      root: tree.root,
      name: path,
    };
  }

  /**
   * Central found other bytes than the tree says: the line damaged them, or the file changed. Throws the rest. `isOffer`: the
   * same offer again would be refused again, so it waits.
   */
  #refused(sending: Sending, error: unknown, isOffer: boolean): void {
    const isRefused = error instanceof EdgeError && error.code === 'link.refused';
    if (!isRefused) {
      if (error instanceof EdgeError && error.code === 'link.conflict')
        this.#setAside(sending.item, error.message);
      else if (isOffer || !isUnknown(error)) throw error;
      return;
    }
    sending.refusals += 1;
    if (sending.refusals >= REFUSALS_MAX) {
      this.#setAside(sending.item, error.message);
      return;
    }
    const { tree } = sending;
    this.#kept.set(sending.item.path, { ...sending, tree: new FileTree(tree.bytes, tree.partBytes) });
  }

  /** A smaller file may have room, so this one waits alone; with a few that wait, false: central is full. */
  #hasNoRoom(sending: Sending, error: unknown): boolean {
    if (!(error instanceof EdgeError) || error.code !== 'quota.exceeded') return false;
    sending.noRoom = error.message;
    const now = this.#parts.clock.monotonicMs();
    const others = [...this.#kept.values()].filter((one) => one.noRoom !== '' && one.notBeforeMs > now);
    return others.length < KEPT_MAX;
  }

  #setAside(item: Waiting, reason: string): ObjectStep {
    this.#faults.set(item.path, reason);
    this.#forget(item.path);
    this.#parts.report('warn', `${item.path} does not go to central: ${reason}`, {
      hint: 'auraison link sync tries again',
    });
    return { kind: 'worked' };
  }

  #forget(path: string): void {
    this.#kept.delete(path);
    if (this.#current?.item.path === path) this.#current = undefined;
  }
}

/** Once is a coordinator that was restarted; again and again, the file waits longer each time. */
function unknownMs(sending: Sending): number {
  sending.unknowns += 1;
  if (sending.unknowns === 1) return 0;
  return Math.min(LIMITS.LINK_RETRY_FIRST_MS * 2 ** sending.unknowns, LIMITS.LINK_RETRY_MAX_MS);
}

/** Central knows less of the object than it said before: it is offered again. */
function isUnknown(error: unknown): boolean {
  return error instanceof EdgeError && (error.code === 'link.gap' || error.code === 'api.not_found');
}

/** Bytes that central has, as far as it said. */
function sentOf({ bytes }: Waiting, standing: ObjectStanding | undefined): number {
  if (standing?.state === 'verifying' || standing?.state === 'held') return bytes;
  if (standing?.state !== 'open' || !('missing' in standing)) return 0;
  const missing = standing.missing.reduce((sum, [from, to]) => sum + to - from, 0);
  return Math.max(0, bytes - missing);
}
