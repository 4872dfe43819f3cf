import { access, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type DropReason, EdgeError, type EventPayload } from '../../../contract/core.ts';
import { planRepair, type Summary } from '../../../formats/mcap/index.ts';
import { HandleReadable } from '../../../io/file-readable.ts';
import { ledgerTopics } from './accounts.ts';
import {
  bagOf,
  pendingNotes,
  readSummary,
  relist,
  segmentNumber,
  topicCounts,
  unlistedBags,
  unsealedSegments,
  writeNote,
} from './bag-folder.ts';
import { FileHasher } from './file-hasher.ts';
import { syncFolder, writeAgain, writeAll } from './files.ts';
import { type Leftover, type Reasons, readLeftovers, removeIntake } from './intake.ts';
import type { FromThread, Sealed, ThreadOptions } from './protocol.ts';
import { Repairs } from './repairs.ts';
import { ACTIVE } from './segment.ts';
import { pendingTombstones } from './tombstones.ts';

type Post = (message: FromThread) => void;
type Repaired = {
  readonly path: string;
  readonly summary: Summary;
  readonly bytes: number;
  readonly sha256: string;
};

/**
 * What former lives left behind: unsealed segments are repaired and sealed, what was lost with them is
 * counted from the intake, sealed ones that metadata.yaml may lack are entered, and events that may not have reached
 * the log are reported again. A file that cannot be repaired is reported and stays as it is; these paths are resolved
 * to. To be called while no segment is open.
 */
export async function settleLeftovers(
  options: ThreadOptions,
  post: Post,
  isStart: boolean,
  repairs = new Repairs(),
): Promise<readonly string[]> {
  const repaired: Repaired[] = [];
  const broken: string[] = [];
  for (const path of await unsealedSegments(options.dataDir)) {
    // Whether a sync failed in that life is unknown.
    if (isStart) repairs.suspect(path, 0);
    try {
      repaired.push(await repair(options, path, repairs, post));
    } catch (error) {
      broken.push(path);
      const { message } = EdgeError.from(error, 'recorder.failed', 'repair', path);
      post({ t: 'report', level: 'error', message: `segment ${path} could not be repaired: ${message}` });
    }
  }
  const crashed = new Map<string, EventPayload<'losses.recorded'>>();
  for (const leftover of readLeftovers(options.intakeDir, options.session)) {
    const losses = await lossesOf(options.dataDir, leftover, repaired);
    if (losses?.segment !== undefined) crashed.set(losses.segment, losses);
    removeIntake(options.intakeDir, leftover.session);
  }
  for (const segment of repaired) {
    await seal(options, segment, crashed.get(segment.path), post);
    crashed.delete(segment.path);
  }
  for (const losses of crashed.values()) post({ t: 'crashed', losses });
  // While running, a note belongs to events that are on their way to the log.
  if (!isStart) return broken;
  const told = new Set(repaired.map(({ path }) => path));
  for (const bag of await unlistedBags(options.dataDir)) await list(options.dataDir, bag, post);
  for (const sealed of await pendingNotes(options.dataDir)) {
    if (!told.has(sealed.segment.path)) post({ t: 'sealed', ...sealed });
  }
  for (const tombstone of await pendingTombstones(options.dataDir)) post({ t: 'evicted', tombstone });
  return broken;
}

/** Repairs metadata.yaml of a bag. A disk that refuses does not prevent recording. */
async function list(dataDir: string, bag: string, post: Post): Promise<void> {
  try {
    await relist(dataDir, bag);
  } catch (error) {
    const { message } = EdgeError.from(error, 'recorder.failed', 'write metadata.yaml', bag);
    post({ t: 'report', level: 'warn', message: `metadata.yaml of ${bag} may lack segments: ${message}` });
  }
  post({ t: 'progress' });
}

/** Makes the file whole under its unsealed name. */
async function repair(options: ThreadOptions, path: string, repairs: Repairs, post: Post): Promise<Repaired> {
  const active = join(options.dataDir, path + ACTIVE);
  const onProgress = () => post({ t: 'progress' });
  const handle = await open(active, 'r+');
  try {
    const suspectFrom = repairs.suspectFrom(path);
    // Before it is read: what is then found whole is what the sync below puts on the disk.
    if (suspectFrom !== undefined) await writeAgain(handle, suspectFrom, onProgress);
    const header = { profile: 'ros2', library: options.library };
    const plan = await planRepair(
      new HandleReadable(handle, path),
      header,
      new Map([['session', options.session]]),
    );
    onProgress();
    let bytes = plan.keepBytes;
    if (!plan.complete) {
      // Written over the damaged end before the rest is truncated: a kill in between loses nothing more.
      writeAll(handle.fd, plan.append, plan.keepBytes);
      for (const { at, bytes: patch } of plan.patches) writeAll(handle.fd, [patch], at);
      bytes += plan.append.reduce((sum, buffer) => sum + buffer.length, 0);
      await handle.truncate(bytes);
    }
    try {
      await handle.sync();
    } catch (error) {
      repairs.suspect(path, 0);
      throw error;
    }
    repairs.trust(path);
    onProgress();
    const sha256 = await (await FileHasher.open(active)).digest(bytes, onProgress);
    return { path, summary: plan.summary, bytes, sha256 };
  } finally {
    await handle.close();
  }
}

async function seal(
  options: ThreadOptions,
  { path, summary, bytes, sha256 }: Repaired,
  losses: EventPayload<'losses.recorded'> | undefined,
  post: Post,
): Promise<void> {
  const bag = bagOf(path);
  const sealed = sealedEvents({ bag, path, summary, bytes, sha256, repaired: true }, losses);
  await writeNote(options.dataDir, sealed);
  const final = join(options.dataDir, path);
  await rename(final + ACTIVE, final);
  await syncFolder(join(options.dataDir, 'bags', bag));
  await relist(options.dataDir, bag);
  post({ t: 'sealed', ...sealed });
}

/** The events of a sealed segment; without a ledger of its own, one that says what it holds. */
export function sealedEvents(
  facts: {
    readonly bag: string;
    readonly path: string;
    readonly summary: Summary;
    readonly bytes: number;
    readonly sha256: string;
    readonly repaired: boolean;
  },
  losses: EventPayload<'losses.recorded'> | undefined,
): Sealed {
  const { bag, path, summary, bytes, sha256, repaired } = facts;
  const topics = topicCounts(path, summary);
  return {
    segment: {
      bag,
      path,
      sha256,
      bytes,
      messages: summary.messages,
      start_ns: summary.startTime.toString(),
      end_ns: summary.endTime.toString(),
      topics,
      repaired,
    },
    losses: losses ?? { bag, segment: path, topics: ledgerTopics(topics, new Map()) },
  };
}

/** What a killed session accepted and neither wrote nor reported; undefined when nothing is missing. */
async function lossesOf(
  dataDir: string,
  leftover: Leftover,
  repaired: readonly Repaired[],
): Promise<EventPayload<'losses.recorded'> | undefined> {
  const { bag, through } = leftover.account;
  const written = new Map<string, number>();
  const folder = join(dataDir, 'bags', bag);
  const names = await readdir(folder).catch(() => [] as string[]);
  let last: { path: string; counts: Record<string, number> } | undefined;
  for (const name of names) {
    const path = `bags/${bag}/${name.replace(ACTIVE, '')}`;
    const number = segmentNumber(name);
    if (number === undefined || number <= through) continue;
    const known = repaired.find((one) => one.path === path);
    const summary = known?.summary ?? (await readSummary(join(folder, name)).catch(() => undefined));
    if (!summary) continue;
    const counts = topicCounts(path, summary);
    for (const [topic, count] of Object.entries(counts))
      written.set(topic, (written.get(topic) ?? 0) + count);
    if (known) last = { path, counts };
  }
  const drops = await untoldDrops(dataDir, leftover);
  for (const [topic, accepted] of leftover.accepted) {
    const lost = accepted - (leftover.accounted.get(topic) ?? 0) - (written.get(topic) ?? 0);
    if (lost > 0) drops.set(topic, { ...drops.get(topic), crash: lost });
  }
  if (drops.size === 0) return undefined;
  return { bag, segment: last?.path ?? `bags/${bag}`, topics: ledgerTopics(last?.counts ?? {}, drops) };
}

/** Drops of a killed session that no ledger reports: one in a segment with its final name does, by its note. */
async function untoldDrops(dataDir: string, { account }: Leftover): Promise<Map<string, Reasons>> {
  const drops = new Map<string, Reasons>();
  for (const { segment, topics } of account.drops ?? []) {
    if (segment !== undefined && (await isThere(join(dataDir, segment)))) continue;
    for (const [topic, reasons] of Object.entries(topics)) {
      const sums = { ...drops.get(topic) };
      for (const [reason, count] of Object.entries(reasons) as [DropReason, number][])
        sums[reason] = (sums[reason] ?? 0) + count;
      drops.set(topic, sums);
    }
  }
  return drops;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
