import {
  type Clock,
  type DiskEvents,
  type DiskManifest,
  type DiskObject,
  EdgeError,
  LIMITS,
  type ObjectStanding,
  parseJson,
  pause,
} from '../contract/index.ts';
import { HASH_BYTES } from '../formats/merkle/index.ts';
import type { RobotDisk } from '../io/robot-disk.ts';
import type { Coordinator } from './coordinator.ts';
import type { DiskReceiptWriter } from './disk-receipts.ts';
import { LaneRefusal } from './lane-store.ts';
import type { ObjectDesk } from './object-desk.ts';
import { objectId } from './object-parts.ts';
import type { Caller } from './require-own.ts';

export type DiskProgress = { readonly robot: string; readonly bytes: number; readonly of: number };

/** What became of one disk of one robot. `events`, `files`: new here; `known`: the coordinator had them already. */
export type DiskTaken = {
  readonly robot: string;
  readonly complete: boolean;
  readonly events: number;
  readonly events_known: number;
  readonly files: number;
  readonly files_known: number;
  readonly receipts: number;
  readonly refused: readonly { readonly what: string; readonly code: string; readonly message: string }[];
};

export type DiskIntakeParts = {
  readonly coordinator: Coordinator;
  readonly objects: ObjectDesk;
  readonly clock: Clock;
  readonly onProgress: (progress: DiskProgress) => void;
};

/** An object that central lacks again and again is not what the disk says. */
const ROUNDS_MAX = 4;

/** Takes what a manifest lists, item by item, exactly as if the robot had sent it over HTTP. */
export class DiskIntake {
  readonly #parts: DiskIntakeParts;

  constructor(parts: DiskIntakeParts) {
    this.#parts = parts;
  }

  /** Rejects where the disk cannot take receipts, or the coordinator cannot store. */
  async take(manifest: DiskManifest, disk: RobotDisk, receipts: DiskReceiptWriter): Promise<DiskTaken> {
    const { robot, complete } = manifest;
    const by: Caller = { name: robot, mayActFor: (name) => name === robot };
    const refused: DiskTaken['refused'][number][] = [];
    const refuse = (what: string, thrown: unknown) => {
      const { code, message } = faultOf(thrown);
      refused.push({ what, code, message });
      receipts.refused({ what, code, message });
    };
    const of = [...manifest.events, ...manifest.objects.map(({ object }) => object)].reduce(
      (sum, { bytes }) => sum + bytes,
      0,
    );
    let bytes = 0;
    const counts = { events: 0, events_known: 0, files: 0, files_known: 0 };
    const went = (size: number) => {
      bytes += size;
      this.#parts.onProgress({ robot, bytes, of });
    };
    const stopped = new Set<string>();
    for (const batch of manifest.events) {
      const lane = `${batch.epoch} ${batch.lane}`;
      if (!stopped.has(lane)) {
        try {
          const fresh = await this.#push(robot, batch, disk, by);
          counts.events += fresh;
          counts.events_known += batch.to - batch.from + 1 - fresh;
        } catch (error) {
          stopped.add(lane);
          refuse(`${batch.lane} ${batch.from} to ${lastOf(manifest, batch)}`, error);
        }
      }
      went(batch.bytes);
    }
    for (const key of lanesOf(manifest)) {
      const { watermark } = this.#parts.coordinator.watermark(
        new URLSearchParams({ robot, epoch: key.epoch, lane: key.lane }),
        by,
      );
      if (watermark) await receipts.event(watermark);
    }
    await receipts.flush();
    for (const entry of manifest.objects) {
      try {
        const { receipt, isNew } = await this.#object(robot, entry, disk, by);
        counts[isNew ? 'files' : 'files_known'] += 1;
        await receipts.object(receipt);
      } catch (error) {
        refuse(entry.object.name, error);
      }
      went(entry.object.bytes);
    }
    await receipts.close();
    return { robot, complete, ...counts, receipts: receipts.written, refused };
  }

  /** How many of these events are new. */
  async #push(robot: string, batch: DiskEvents, disk: RobotDisk, by: Caller): Promise<number> {
    const { coordinator } = this.#parts;
    const bytes = await disk.piece(batch.piece, batch.bytes);
    if (bytes?.length !== batch.bytes) throw damaged(`piece ${batch.piece} is missing or damaged`);
    const push = parseJson(bytes.toString()) as Record<string, unknown>;
    const { epoch, lane } = batch;
    if (push['robot'] !== robot || push['epoch'] !== epoch || push['lane'] !== lane)
      throw damaged(`piece ${batch.piece} is not of ${robot}, lane ${lane}, as the manifest says`);
    const key = new URLSearchParams({ robot, epoch, lane });
    const before = coordinator.watermark(key, by).watermark?.seq ?? 0;
    return Math.max(0, coordinator.push(push, by).seq - before);
  }

  async #object(robot: string, { object, tree }: DiskObject, disk: RobotDisk, by: Caller) {
    const { objects } = this.#parts;
    if (object.robot !== robot) throw damaged(`it is a file of ${object.robot}`);
    const id = objectId(object);
    let standing = await objects.offer(object, by);
    const isNew = standing.state !== 'held';
    for (let round = 0; round < ROUNDS_MAX; round++) {
      standing = await this.#verified(standing, () => objects.offer(object, by));
      if (standing.state === 'held') return { receipt: standing.receipt, isNew };
      const leaves = await leavesOf(object.bytes, object.part_bytes, object.root, tree, disk);
      if ('tree' in standing) standing = await objects.tree(id, leaves, by);
      while (standing.state === 'open' && 'missing' in standing) {
        const before: string = JSON.stringify(standing.missing);
        for (const [from, to] of standing.missing)
          for (let part = Math.floor(from / object.part_bytes); part * object.part_bytes < to; part++)
            standing = await this.#put(object, leaves, part, disk, by);
        if (JSON.stringify('missing' in standing ? standing.missing : []) === before) break;
      }
    }
    throw damaged('the coordinator lacks bytes of it again and again');
  }

  /** A whole part from its start: what the coordinator has of it already is passed over. */
  async #put(
    object: DiskObject['object'],
    leaves: Uint8Array,
    part: number,
    disk: RobotDisk,
    by: Caller,
  ): Promise<ObjectStanding> {
    const offset = part * object.part_bytes;
    const leaf = Buffer.from(leaves.subarray(part * HASH_BYTES, (part + 1) * HASH_BYTES)).toString('hex');
    const bytes = await disk.piece(leaf, object.part_bytes);
    if (bytes?.length !== Math.min(object.part_bytes, object.bytes - offset))
      throw damaged(`piece ${leaf} (part ${part}) is missing or damaged`);
    const intake = this.#parts.objects.put(objectId(object), offset, by);
    intake.take(bytes);
    return await intake.end();
  }

  /** What became of a check that runs. */
  async #verified(standing: ObjectStanding, ask: () => Promise<ObjectStanding>): Promise<ObjectStanding> {
    const { clock } = this.#parts;
    const end = clock.monotonicMs() + LIMITS.LINK_DISK_VERIFY_MS;
    let now = standing;
    while (now.state === 'verifying') {
      if (clock.monotonicMs() > end) throw damaged('the coordinator did not finish to check it');
      await pause(clock, LIMITS.LINK_VERIFY_POLL_MS);
      now = await ask();
    }
    return now;
  }
}

/** The leaves of a file; of one part the root is its leaf. */
async function leavesOf(
  bytes: number,
  partBytes: number,
  root: string,
  tree: string | undefined,
  disk: RobotDisk,
): Promise<Uint8Array> {
  const parts = Math.ceil(bytes / partBytes);
  if (parts === 1) return Buffer.from(root, 'hex');
  const leaves = tree === undefined ? undefined : await disk.piece(tree, parts * HASH_BYTES);
  if (leaves?.length === parts * HASH_BYTES) return leaves;
  throw damaged(`its tree (piece ${tree ?? 'not named'}) is missing or damaged`);
}

function lanesOf({ events }: DiskManifest): { readonly epoch: string; readonly lane: string }[] {
  return [...new Map(events.map(({ epoch, lane }) => [`${epoch} ${lane}`, { epoch, lane }])).values()];
}

function lastOf({ events }: DiskManifest, { epoch, lane, to }: DiskEvents): number {
  return events.reduce((last, one) => (one.epoch === epoch && one.lane === lane ? one.to : last), to);
}

function faultOf(thrown: unknown): EdgeError {
  if (thrown instanceof LaneRefusal) return thrown.error;
  if (thrown instanceof EdgeError) return thrown;
  // The text of a piece is not JSON, or nested deeper than the stack.
  if (thrown instanceof SyntaxError || thrown instanceof RangeError) return damaged(thrown.message);
  throw thrown;
}

function damaged(message: string): EdgeError {
  return new EdgeError('link.refused', { operation: 'import disk', subject: 'disk', message });
}
