import {
  type Clock,
  EdgeError,
  LIMITS,
  type LinkCustody,
  linkObjectChecker,
  type ObjectCursor,
  type ObjectStanding,
  pause,
} from '../contract/index.ts';
import { HASH_BYTES, leafHash, merkleRoot } from '../formats/merkle/index.ts';
import { lengthOf, type ObjectFiles } from './object-files.ts';
import { type Fragment, keyOf, missingOf, type Open, objectId, thereOf } from './object-parts.ts';
import type { Content, ObjectRows, ObjectView } from './object-rows.ts';
import type { ReceiptSigner } from './receipt-signer.ts';
import { ANYBODY, type Caller, requireOwn } from './require-own.ts';

/** Contents whose parts are known in memory; those used longest ago go first. */
const OPEN_MAX = 64;

export type ObjectDeskParts = {
  readonly rows: ObjectRows;
  readonly files: ObjectFiles;
  readonly signer: ReceiptSigner;
  readonly clock: Clock;
  /** Bytes that all objects may take; 0: as many as the disk has. */
  readonly quotaBytes: number;
  readonly report: (message: string, error: unknown) => void;
};

/** Takes objects part by part, whatever is repeated, reordered or cut, and says what it holds. LINK.md, "Objects". */
export class ObjectDesk {
  readonly #parts: ObjectDeskParts;
  readonly #open = new Map<string, Open>();

  constructor(parts: ObjectDeskParts) {
    this.#parts = parts;
  }

  /** Throws `schema.invalid`, `link.conflict`, `quota.exceeded`. */
  async offer(body: unknown, by: Caller): Promise<ObjectStanding> {
    const offer = linkObjectChecker.parse(body, 'object');
    requireOwn(offer.robot, by);
    const { bytes, part_bytes } = offer;
    if ((part_bytes & (part_bytes - 1)) !== 0) throw invalid('/part_bytes: a power of two expected');
    if (Math.ceil(bytes / part_bytes) > LIMITS.LINK_PARTS_MAX)
      throw invalid(`/part_bytes: at most ${LIMITS.LINK_PARTS_MAX} parts expected`);
    const id = objectId(offer);
    const known = this.#parts.rows.content(offer.robot, offer.sha256);
    if (known?.isHeld && known.bytes !== bytes)
      throw refusal('link.conflict', offer.robot, `${offer.sha256} is known with ${known.bytes} bytes`);
    if (!known?.isHeld) await this.#requireRoom(bytes - (known ? thereOf(known) : 0));
    const { partBytes, root } = known ?? {};
    const isOther =
      known && !known.isHeld && (known.bytes !== bytes || partBytes !== part_bytes || root !== offer.root);
    if (!known || isOther) {
      this.#open.delete(keyOf(offer));
      this.#forgetEmpty(offer.robot);
      this.#parts.rows.open(offer);
    }
    this.#parts.rows.name(id, offer);
    return await this.#standing(offer);
  }

  /** Throws `api.not_found`, `schema.invalid`. */
  async tree(id: string, leaves: Uint8Array, by: Caller): Promise<ObjectStanding> {
    const { cursor, open } = this.#find(id, by);
    if (open.content.isHeld || open.content.leaves) return await this.#standing(cursor);
    if (leaves.length !== open.have.length * HASH_BYTES)
      throw invalid(`the tree: ${open.have.length} leaves expected, found ${leaves.length / HASH_BYTES}`);
    if (merkleRoot(leaves).toString('hex') !== open.content.root)
      throw invalid('the tree: its root is another');
    this.#parts.rows.setLeaves(open.content, leaves);
    open.content = { ...open.content, leaves };
    return await this.#standing(cursor);
  }

  /**
   * Takes bytes of one part as they come. `take` may be called until `end`; what it took counts also where `end` is never
   * called. Throws `api.not_found`, `link.gap`, `api.too_large`, `schema.invalid`.
   */
  put(
    id: string,
    offset: number,
    by: Caller,
  ): { take(bytes: Uint8Array): void; end(): Promise<ObjectStanding>; settled(): Promise<void> } {
    const { cursor, open } = this.#find(id, by);
    const { content } = open;
    if (content.isHeld) {
      return { take() {}, end: () => this.#standing(cursor), settled: async () => {} };
    }
    if (!this.#leaves(open)) throw refusal('link.gap', id, 'the tree of this object is not known');
    if (offset >= content.bytes) throw invalid(`/offset: below ${content.bytes} expected`);
    const part = Math.floor(offset / content.partBytes);
    const length = lengthOf(content, part);
    let at = offset - part * content.partBytes;
    if (open.have[part] !== 1 && at > (open.fragments.get(part)?.length ?? 0))
      throw refusal('link.gap', id, `bytes before ${offset} are missing in part ${part}`);
    if (open.have[part] !== 1) this.#requireQuota(length - (open.fragments.get(part)?.length ?? 0));
    let stored: Promise<void> = Promise.resolve();
    return {
      take: (bytes) => {
        if (at + bytes.length > length)
          throw refusal('api.too_large', id, `the bytes go beyond the end of part ${part}`);
        const isWhole = this.#append(open, part, at, bytes);
        at += bytes.length;
        if (isWhole) {
          stored = this.#store(open, part);
          stored.catch(() => {});
        }
      },
      end: async () => {
        await stored;
        await this.#save(open, part);
        return await this.#standing(cursor);
      },
      settled: async () => {
        await stored.catch(() => {});
        await this.#save(open, part);
      },
    };
  }

  /** What is held of a robot, as one value that moves with each object. Throws `api.forbidden`, `schema.invalid`. */
  custody(robot: string, head: string, by: Caller): LinkCustody {
    if (!/^[0-9a-f]{64}$|^$/.test(head)) throw invalid('/head: a SHA-256 in hex, or nothing, expected');
    requireOwn(robot, by);
    return this.#parts.rows.custody(robot, head);
  }

  list(robot: string, after: string, limit: number): ObjectView[] {
    return this.#parts.rows.list(robot, after, limit);
  }

  /**
   * Where bytes of an object lie; `from` to below `to`, both within it and there. Throws `api.not_found`.
   */
  locate(id: string, from: number, to?: number): { path: string; bytes: number; from: number; to: number } {
    const { open } = this.#find(id, ANYBODY);
    const { content } = open;
    const end = Math.min(to ?? content.bytes, content.bytes);
    const { partBytes } = content;
    for (let part = Math.floor(from / partBytes); part * partBytes < end; part++)
      if (!content.isHeld && open.have[part] !== 1)
        throw refusal('api.not_found', id, `bytes from ${part * partBytes} on are not there yet`);
    if (from >= end) throw refusal('api.not_found', id, `it has ${content.bytes} bytes`);
    return { path: this.#parts.files.path(content), bytes: content.bytes, from, to: end };
  }

  /** Waits for checks that run. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ checking }) => checking));
  }

  /** True where the part is complete with these bytes. Bytes that are there already are passed over. */
  #append(open: Open, part: number, at: number, bytes: Uint8Array): boolean {
    if (open.have[part] === 1) return false;
    const length = lengthOf(open.content, part);
    const fragment = open.fragments.get(part) ?? { bytes: Buffer.allocUnsafe(length), length: 0, saved: 0 };
    const fresh = bytes.subarray(Math.max(0, fragment.length - at));
    // Another request of the same part was dropped meanwhile.
    if (at > fragment.length) throw refusal('link.gap', 'part', `bytes are missing in part ${part}`);
    if (fresh.length === 0 || fragment.length === length) return false;
    fragment.bytes.set(fresh, fragment.length);
    fragment.length += fresh.length;
    open.fragments.delete(part);
    open.fragments.set(part, fragment);
    if (fragment.length === length) return true;
    this.#dropFragments();
    return false;
  }

  /** A start that a killed coordinator finds again; what a power cut takes of it differs from its leaf. */
  async #save(open: Open, part: number): Promise<void> {
    const fragment = open.fragments.get(part);
    const { rows, files } = this.#parts;
    if (!fragment || fragment.length === fragment.saved || fragment.length === fragment.bytes.length) return;
    const { length, saved } = fragment;
    await files.write(
      open.content,
      part * open.content.partBytes + saved,
      fragment.bytes.subarray(saved, length),
    );
    fragment.saved = length;
    if (open.fragments.get(part) === fragment && open.have[part] !== 1)
      rows.setFragment(open.content, part, length);
  }

  async #store(open: Open, part: number): Promise<void> {
    const { content, fragments, have } = open;
    const { bytes } = fragments.get(part)!;
    const leaf = this.#leaves(open)!.subarray(part * HASH_BYTES, (part + 1) * HASH_BYTES);
    if (!leafHash(bytes).equals(leaf)) {
      fragments.delete(part);
      throw refusal(
        'link.refused',
        `${content.robot}/${content.sha256}`,
        `part ${part} differs from its leaf`,
      );
    }
    try {
      await this.#parts.files.write(content, part * content.partBytes, bytes);
      have[part] = 1;
      this.#parts.rows.setParts(content, have);
    } finally {
      fragments.delete(part);
      this.#parts.rows.setFragment(content, part, 0);
    }
  }

  async #standing(cursor: ObjectCursor): Promise<ObjectStanding> {
    let open = this.#load(cursor.robot, cursor.sha256);
    if (open.content.isHeld && !(await this.#isThere(open.content)))
      open = this.#load(cursor.robot, cursor.sha256);
    if (!open.content.isHeld && !open.have.includes(0)) await this.#checked(open);
    const { content } = open;
    if (content.isHeld) {
      const { robot, epoch, lane, seq, sha256 } = cursor;
      const held = { robot, epoch, lane, seq, sha256, bytes: content.bytes, root: content.root };
      return { state: 'held', receipt: this.#parts.signer.signObject(held) };
    }
    if (open.checking) return { state: 'verifying' };
    if (!this.#leaves(open)) return { state: 'open', tree: true };
    const missing = missingOf(open);
    return missing.length === 0 ? { state: 'verifying' } : { state: 'open', missing };
  }

  /** Before a receipt is signed again: a file that was deleted or truncated starts from nothing. */
  async #isThere(content: Content): Promise<boolean> {
    const { rows, files, report } = this.#parts;
    if ((await files.size(content)) === content.bytes) return true;
    report('a held object is not there', refusal('api.not_found', content.sha256, files.path(content)));
    const { robot, sha256, bytes, partBytes, root } = content;
    rows.open({ robot, sha256, bytes, part_bytes: partBytes, root }, true);
    this.#open.delete(`${robot}/${sha256}`);
    return false;
  }

  /** Starts the check of a whole object where none runs, and waits for it a while. */
  async #checked(open: Open): Promise<void> {
    const { clock, report } = this.#parts;
    open.checking ??= this.#check(open)
      .catch((error: unknown) => report('object not checked', error))
      .finally(() => {
        open.checking = undefined;
      });
    const waiting = new AbortController();
    await Promise.race([open.checking, pause(clock, LIMITS.CENTRAL_VERIFY_WAIT_MS, waiting.signal)]);
    waiting.abort();
  }

  async #check(open: Open): Promise<void> {
    const { rows, files } = this.#parts;
    const { bad, isWhole } = await files.check(open.content, this.#leaves(open)!);
    if (isWhole) {
      const { robot, sha256 } = open.content;
      const held = rows.hold(open.content) ? rows.content(robot, sha256) : undefined;
      if (held) open.content = held;
      else this.#open.delete(keyOf(open.content));
      return;
    }
    // Lost in a power cut, or what the robot announced was never true: all of it comes again.
    for (const part of bad.length > 0 ? bad : open.have.keys()) open.have[part] = 0;
    rows.setParts(open.content, open.have);
  }

  #leaves({ content, have }: Open): Uint8Array | undefined {
    return content.leaves ?? (have.length === 1 ? Buffer.from(content.root, 'hex') : undefined);
  }

  #find(id: string, by: Caller): { cursor: ObjectCursor; open: Open } {
    const cursor = this.#parts.rows.cursor(id);
    if (!cursor) throw refusal('api.not_found', id, 'no such object');
    requireOwn(cursor.robot, by);
    return { cursor, open: this.#load(cursor.robot, cursor.sha256) };
  }

  #load(robot: string, sha256: string): Open {
    const key = `${robot}/${sha256}`;
    let open = this.#open.get(key);
    const isOld = open && !open.content.isHeld && !open.checking && this.#parts.rows.isHeld(robot, sha256);
    if (!open || isOld) {
      const content = this.#parts.rows.content(robot, sha256)!;
      const fragments = content.isHeld ? new Map() : this.#fragmentsOf(content);
      open = { content, have: Uint8Array.from(content.have), fragments, checking: undefined };
    }
    this.#open.delete(key);
    this.#open.set(key, open);
    for (const [old, { checking }] of this.#open)
      if (this.#open.size > OPEN_MAX && !checking) this.#open.delete(old);
    return open;
  }

  /** What a former life of the coordinator has of parts that are not complete. */
  #fragmentsOf(content: Content): Map<number, Fragment> {
    const fragments = new Map<number, Fragment>();
    for (const { part, bytes } of this.#parts.rows.fragments(content)) {
      const length = lengthOf(content, part);
      const found = this.#parts.files.readNow(content, part * content.partBytes, Math.min(bytes, length - 1));
      const kept: Fragment = { bytes: Buffer.allocUnsafe(length), length: found.length, saved: found.length };
      kept.bytes.set(found);
      if (found.length > 0) fragments.set(part, kept);
    }
    return fragments;
  }

  /** Starts are bounded in bytes: those of the content used longest ago are sent again. */
  #dropFragments(): void {
    let bytes = 0;
    for (const open of [...this.#open.values()].reverse())
      for (const [part, fragment] of [...open.fragments].reverse()) {
        bytes += fragment.bytes.length;
        if (bytes > LIMITS.CENTRAL_FRAGMENT_BYTES_MAX && fragment.length < fragment.bytes.length)
          open.fragments.delete(part);
      }
  }

  async #requireRoom(bytes: number): Promise<void> {
    const { rows, files, quotaBytes } = this.#parts;
    if (quotaBytes > 0 && rows.bytes() + bytes > quotaBytes) this.#dropStale();
    this.#requireQuota(bytes);
    await files.requireRoom(bytes);
  }

  #requireQuota(bytes: number): void {
    const { rows, quotaBytes } = this.#parts;
    if (quotaBytes > 0 && rows.bytes() + bytes > quotaBytes)
      throw refusal('quota.exceeded', 'quota', `objects may take ${quotaBytes} bytes at this coordinator`);
  }

  /** Starts of objects that no robot continues. */
  #dropStale(): void {
    const { rows, clock } = this.#parts;
    const beforeNs = clock.now() - BigInt(LIMITS.CENTRAL_STALE_MS) * 1_000_000n;
    for (const content of rows.stale(beforeNs)) this.#drop(content);
  }

  /** Announcing costs a robot nothing: what it announced first, and sent nothing of, it announces again. */
  #forgetEmpty(robot: string): void {
    const { rows } = this.#parts;
    if (rows.countOpen(robot) < LIMITS.CENTRAL_OPEN_OBJECTS_MAX) return;
    const oldest = rows.oldestEmpty(robot);
    if (!oldest) throw refusal('quota.exceeded', robot, 'it has too many objects that are not complete');
    this.#drop(oldest);
  }

  #drop(content: Pick<Content, 'robot' | 'sha256'>): void {
    const key = keyOf(content);
    if (this.#open.get(key)?.checking) return;
    this.#open.delete(key);
    const { rows, files } = this.#parts;
    rows.forget(content, () => files.remove(content));
  }
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'take object', subject: 'object', message });
}

function refusal(
  code: 'link.conflict' | 'link.gap' | 'link.refused' | 'quota.exceeded' | 'api.not_found' | 'api.too_large',
  subject: string,
  message: string,
): EdgeError {
  return new EdgeError(code, { operation: 'take object', subject, message });
}
