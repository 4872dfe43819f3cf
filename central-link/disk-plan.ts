import {
  type AgentEvent,
  type CellName,
  type DiskEvents,
  type DiskLeft,
  type DiskObject,
  EdgeError,
  type EventReader,
  LIMITS,
  type LinkObject,
  OBJECT_LANES,
  type ObjectLaneName,
  partBytesOf,
} from '../contract/core.ts';
import { HASH_BYTES, leafHash } from '../formats/merkle/index.ts';
import { cutBatch } from './batch.ts';
import type { CustodyBook, Waiting } from './custody-book.ts';
import type { EgressGuard } from './egress-guard.ts';
import { FileTree } from './file-tree.ts';
import type { LinkFiles } from './object-sender.ts';

export type DiskLane = {
  readonly cell: CellName;
  readonly reader: EventReader;
  /** The last event that central acknowledged in this log; 0: none. */
  readonly from: number;
};

export type DiskPlanParts = {
  readonly robot: string;
  /** In the order in which they go. */
  readonly lanes: readonly DiskLane[];
  readonly files:
    | { readonly book: Pick<CustodyBook, 'nextFile'>; readonly files: LinkFiles; readonly all: boolean }
    | undefined;
  readonly fileLanes: readonly ObjectLaneName[];
  readonly guard: EgressGuard | undefined;
};

export type DiskItem =
  | { readonly kind: 'events'; readonly entry: DiskEvents; readonly body: Buffer }
  | { readonly kind: 'file'; readonly entry: DiskObject; readonly tree: FileTree; readonly path: string };

export type DiskStep =
  | { readonly state: 'item'; readonly item: DiskItem }
  | { readonly state: 'working'; readonly read: number }
  | { readonly state: 'end' };

/** Parts that are hashed in one step. */
const PARTS_PER_STEP = 8;

type Following = { readonly lane: DiskLane; readonly epoch: string; readonly last: number; at: number };

type Hashing = { readonly file: Waiting; readonly tree: FileTree };

/** What goes to a disk, one item after the other in the order of the lanes, and what stays and why. */
export class DiskPlan {
  readonly #parts: DiskPlanParts;
  readonly #following: Following[];
  readonly #fileLanes: ObjectLaneName[];
  readonly #left = new Map<string, DiskLeft>();
  #after: Pick<Waiting, 'seq' | 'path'> = { seq: 0, path: '' };
  #hashing: Hashing | undefined;

  /** What is logged later stays for the next time: an export ends. */
  constructor(parts: DiskPlanParts) {
    this.#parts = parts;
    this.#fileLanes = OBJECT_LANES.filter((lane) => parts.fileLanes.includes(lane));
    this.#following = parts.lanes.flatMap((lane) => {
      const [first] = lane.reader.read(0, 1);
      if (!first) return [];
      const cut = lane.reader.cutThrough?.() ?? 0;
      if (cut > lane.from)
        this.#leave(`events.${lane.cell}`, 'they are no longer in the log', { events: cut - lane.from });
      const at = Math.max(lane.from, cut);
      return [{ lane, epoch: first.event_id, last: lane.reader.lastSeq(), at }];
    });
  }

  /** Events that may go at most. */
  get events(): number {
    return this.#following.reduce((sum, { last, at }) => sum + Math.max(0, last - at), 0);
  }

  get left(): DiskLeft[] {
    return [...this.#left.values()];
  }

  /** Throws what logs and files throw. */
  async step(): Promise<DiskStep> {
    for (let lane = this.#following[0]; lane; lane = this.#following[0]) {
      const item = await this.#events(lane);
      if (item) return { state: 'item', item };
      this.#following.shift();
    }
    for (;;) {
      if (this.#hashing) {
        const step = await this.#hash(this.#hashing);
        if (step) return step;
      }
      const file = this.#nextFile();
      if (!file) return { state: 'end' };
      await this.#start(file);
    }
  }

  async read(path: string, offset: number, length: number): Promise<Uint8Array> {
    return await this.#parts.files!.files.read(path, offset, length);
  }

  /** Undefined: nothing else of this lane goes. */
  async #events(following: Following): Promise<DiskItem | undefined> {
    const { lane, epoch, last, at } = following;
    const name = `events.${lane.cell}`;
    const rest = last - at;
    if (rest <= 0) return undefined;
    const events = cutBatch(lane.reader, at, LIMITS.LINK_BATCH_BYTES_MAX).filter(({ seq }) => seq <= last);
    const [first, end] = [events[0], events.at(-1)];
    if (!first || !end) return undefined;
    const kinds = [...new Set(events.map(({ kind }) => kind))].sort();
    const denied = await this.#denied(name, 'events', { events: events.length, kinds });
    if (denied !== undefined) return this.#leave(name, denied, { events: rest });
    const body = pushOf(this.#parts.robot, epoch, name, events);
    if (body.length > LIMITS.LINK_DISK_PIECE_BYTES_MAX)
      return this.#leave(name, `event ${first.seq} is larger than a piece may be`, { events: rest });
    following.at = end.seq;
    const piece = leafHash(body).toString('hex');
    const entry = { epoch, lane: name, from: first.seq, to: end.seq, sha256: end.hash, piece };
    return { kind: 'events', entry: { ...entry, bytes: body.length }, body };
  }

  #nextFile(): Waiting | undefined {
    const { files } = this.#parts;
    for (let lane = this.#fileLanes[0]; files && lane; lane = this.#fileLanes[0]) {
      const found = files.book.nextFile(lane, this.#after, files.all);
      if (found) {
        this.#after = found;
        return found;
      }
      this.#fileLanes.shift();
      this.#after = { seq: 0, path: '' };
    }
    return undefined;
  }

  async #start(file: Waiting): Promise<void> {
    const { path, lane, bytes } = file;
    const size = await this.#parts.files!.files.size(path);
    const partBytes = partBytesOf(bytes, LIMITS.LINK_PART_BYTES_MAX);
    const fault =
      size === undefined
        ? 'they are not there'
        : size !== bytes
          ? 'they have another size than when they were recorded'
          : partBytes === undefined
            ? 'they are larger than central takes'
            : await this.#denied(lane, 'files', { name: path, bytes });
    if (fault !== undefined || partBytes === undefined) this.#leave(lane, fault ?? '', { files: 1, bytes });
    else this.#hashing = { file, tree: new FileTree(bytes, partBytes) };
  }

  async #hash({ file, tree }: Hashing): Promise<DiskStep | undefined> {
    for (let i = 0; i < PARTS_PER_STEP && !tree.isComplete; i++) {
      const { offset, length } = tree.next();
      tree.add(await this.read(file.path, offset, length));
    }
    if (!tree.isComplete) return { state: 'working', read: tree.next().offset };
    this.#hashing = undefined;
    const { lane, epoch, seq, sha256, bytes, path } = file;
    if (tree.sha256 !== sha256) {
      this.#leave(lane, 'their bytes are not those that were recorded', { files: 1, bytes });
      return undefined;
    }
    const { robot } = this.#parts;
    const cursor = { robot, epoch, lane, seq, sha256 };
    const object: LinkObject = { ...cursor, bytes, part_bytes: tree.partBytes, root: tree.root, name: path };
    const isOne = tree.leaves.length === HASH_BYTES;
    const entry: DiskObject = isOne ? { object } : { object, tree: leafHash(tree.leaves).toString('hex') };
    return { state: 'item', item: { kind: 'file', entry, tree, path } };
  }

  /** The reason of the policy that forbids it; undefined: it may leave. */
  async #denied(
    lane: string,
    kind: 'events' | 'files',
    facts: Parameters<EgressGuard['require']>[2],
  ): Promise<string | undefined> {
    try {
      await this.#parts.guard?.require(lane, kind, facts);
      return undefined;
    } catch (error) {
      if (error instanceof EdgeError && error.code === 'policy.denied') return error.message;
      throw error;
    }
  }

  #leave(
    lane: string,
    reason: string,
    { events = 0, files = 0, bytes = 0 }: { events?: number; files?: number; bytes?: number },
  ): undefined {
    const key = `${lane} ${reason}`;
    const before = this.#left.get(key) ?? { lane, events: 0, files: 0, bytes: 0, reason };
    this.#left.set(key, {
      ...{ lane, reason, events: before.events + events },
      ...{ files: before.files + files, bytes: before.bytes + bytes },
    });
  }
}

/** The body of a push, as over HTTP. */
function pushOf(robot: string, epoch: string, lane: string, events: readonly AgentEvent[]): Buffer {
  return Buffer.from(JSON.stringify({ robot, epoch, lane, events }));
}
