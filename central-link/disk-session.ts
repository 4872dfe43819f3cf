import {
  type Clock,
  canonicalJson,
  type DiskEvents,
  type DiskLeft,
  type DiskManifest,
  type DiskNext,
  type DiskObject,
  diskText,
  EdgeError,
  LIMITS,
} from '../contract/index.ts';
import { HASH_BYTES, leafHash } from '../formats/merkle/index.ts';
import { type DiskIdentity, signText } from './disk-identity.ts';
import type { DiskItem, DiskPlan } from './disk-plan.ts';

export type DiskSessionParts = {
  readonly robot: string;
  readonly clock: Clock;
  readonly identity: DiskIdentity;
  readonly plan: DiskPlan;
  /** Closes the logs and the book that the plan reads. */
  readonly close: () => void;
};

const LIST_FULL = 'the list of one disk is full; hand it over, and export again';

/** One export: it remembers what it gave out, and signs a list of that only. */
export class DiskSession {
  readonly #parts: DiskSessionParts;
  readonly #items: (DiskEvents | DiskObject)[] = [];
  #last: DiskItem | undefined;
  #listBytes = 0;
  #isFull = false;
  #isEnded = false;
  #isClosed = false;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(parts: DiskSessionParts) {
    this.#parts = parts;
  }

  /** One step at a time, also for a client that asks twice. Throws what logs and files throw. */
  next(): Promise<DiskNext> {
    const step = this.#busy.then(() => this.#next());
    this.#busy = step.catch(() => {});
    // Whatever a log that is closed under a step says: the export is over.
    return step.catch((error: unknown) => {
      throw this.#isClosed ? exportEnded() : error;
    });
  }

  /** Throws `api.not_found`: it is not one of the last item; `link.refused`: the file changed meanwhile. */
  async piece(item: number, part: number): Promise<Buffer> {
    const last = this.#last;
    if (!last || item !== this.#items.length) throw notFound(`item ${item} is not the last one`);
    if (last.kind === 'events') {
      if (part === 0) return last.body;
      throw notFound(`item ${item} has one piece`);
    }
    const { tree, path } = last;
    const parts = tree.leaves.length / HASH_BYTES;
    if (part === -1 && parts > 1) return tree.leaves;
    if (!(part >= 0 && part < parts)) throw notFound(`item ${item} has ${parts} parts`);
    const offset = part * tree.partBytes;
    const bytes = await this.#parts.plan.read(path, offset, Math.min(tree.partBytes, tree.bytes - offset));
    if (leafHash(bytes).equals(tree.leaves.subarray(part * HASH_BYTES, (part + 1) * HASH_BYTES)))
      return Buffer.from(bytes);
    throw new EdgeError('link.refused', {
      ...{ operation: 'export to disk', subject: path, message: `${path} changed while it was read` },
      hint: 'export again: what is on the disk is kept, and this file is looked at again',
    });
  }

  /** The signed manifest of the first `items`. */
  sign(items: number): Buffer {
    if (items > this.#items.length) throw notFound(`item ${items} was not given out`);
    const { robot, clock, identity } = this.#parts;
    const listed = this.#items.slice(0, items);
    const manifest: Omit<DiskManifest, 'signature'> = {
      format: 'auraison-link-disk/v1',
      robot,
      made_ns: `${clock.now()}`,
      certificate: identity.certificate,
      complete: this.#isEnded && !this.#isFull && items === this.#items.length,
      events: listed.filter((one) => 'piece' in one),
      objects: listed.filter((one) => 'object' in one),
    };
    const signature = signText(identity.key, diskText(manifest));
    return Buffer.from(canonicalJson({ ...manifest, signature }));
  }

  close(): void {
    this.#isClosed = true;
    this.#last = undefined;
    this.#parts.close();
  }

  async #next(): Promise<DiskNext> {
    if (this.#isClosed) throw exportEnded();
    if (this.#isEnded) return { state: 'end', left: this.#left() };
    if (
      this.#listBytes >= LIMITS.LINK_DISK_LIST_BYTES_MAX ||
      this.#items.length >= LIMITS.LINK_DISK_ITEMS_MAX
    ) {
      this.#isFull = true;
      this.#isEnded = true;
      return { state: 'end', left: this.#left() };
    }
    const step = await this.#parts.plan.step();
    if (step.state === 'working') return step;
    if (step.state === 'end') {
      this.#isEnded = true;
      return { state: 'end', left: this.#left() };
    }
    const { item } = step;
    this.#last = item;
    this.#items.push(item.entry);
    this.#listBytes += Buffer.byteLength(canonicalJson(item.entry));
    return { state: 'item', item: { number: this.#items.length, ...viewOf(item) } };
  }

  #left(): DiskLeft[] {
    const full = { lane: 'all', events: 0, files: 0, bytes: 0, reason: LIST_FULL };
    return [...this.#parts.plan.left, ...(this.#isFull ? [full] : [])];
  }
}

function viewOf(item: DiskItem): Omit<NonNullable<DiskNext['item']>, 'number'> {
  if (item.kind === 'events') {
    const { lane, from, to, bytes, piece } = item.entry;
    return { lane, name: `${from} to ${to}`, bytes, events: to - from + 1, piece };
  }
  const { object, tree } = item.entry;
  const facts = { lane: object.lane, name: object.name, bytes: object.bytes, events: 0 };
  return tree === undefined
    ? { ...facts, piece: object.root }
    : { ...facts, tree, part_bytes: object.part_bytes };
}

/** A client asks an export that another one, its own silence or the end of the daemon has closed. */
export function exportEnded(): EdgeError {
  return new EdgeError('api.not_found', {
    ...{ operation: 'export to disk', subject: 'export' },
    message: 'this export ended: the daemon restarted, or another export started',
    hint: 'run the same command again: it continues with what is on the disk',
  });
}

function notFound(message: string): EdgeError {
  return new EdgeError('api.not_found', { operation: 'export to disk', subject: 'item', message });
}
