import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CUSTODY_FILE, CustodyReader } from '../../central-link/custody-book.ts';
import { hasCentral } from '../../central-link/link-identity.ts';
import { type CellContext, EdgeError, IdSource, type RosApi, toMs } from '../../contract/core.ts';
import type { Config } from '../config.ts';
import type { Ledger } from '../execution/bus/index.ts';
import { Recorder } from '../execution/recorder/index.ts';
import { Recording, type RetentionPolicy, serveClipService } from '../execution/recording/index.ts';
import type { Settings } from '../settings.ts';

/** The bag of the ring: the same in every life, so that the ring continues over a restart. */
export const RING_BAG = 'ring';
/** How the paths of clips start. */
const CLIPS = 'bags/clip-';
/** How soon a service that could not be offered is offered again. */
const OFFER_AGAIN_MS = 2_000;
/** Pieces of a ring: what is deleted at once is about this part of it. */
const RING_SEGMENTS = 8;

/** Recorder and what is around it, in the mode of the configuration; undefined where it is off. */
export function makeRecording(
  { config, dataDir }: Settings,
  context: CellContext,
  ledger: Ledger,
  definitionOf: (type: string) => string | undefined,
  story?: { flush(): void; stop(): void },
): Recording | undefined {
  const { recorder: keys } = config;
  if (!keys.enabled) return undefined;
  const { clock } = context;
  const isRing = keys.mode === 'ring';
  const bag = keys.mode === 'episode' ? 'idle' : keys.bag || (isRing ? RING_BAG : '');
  const recorder = new Recorder({
    clock,
    dataDir,
    bag,
    ledger,
    segmentBytesMax: isRing ? Math.min(keys.segment_size, keys.ring_size / RING_SEGMENTS) : keys.segment_size,
    segmentMs: isRing
      ? Math.min(keys.segment_duration, keys.ring_duration / RING_SEGMENTS)
      : keys.segment_duration,
    syncMs: keys.sync_interval,
    freeSpaceFloorBytes: keys.free_space_floor,
    compression: keys.compression,
    definitionOf,
    emit: (events) => context.emit(events),
    report: (level, message, facts) => context.report(level, message, facts),
  });
  return new Recording({
    clock,
    ids: new IdSource(
      () => toMs(clock.now()),
      (length) => randomBytes(length),
    ),
    dataDir,
    mode: keys.mode,
    recorder,
    policies: policiesOf(config, bag),
    preMs: keys.clip_pre,
    postMs: keys.clip_post,
    triggers: keys.triggers,
    definitionOf,
    ...(story ? { story } : {}),
    mayEvict: mayEvict(config, dataDir),
    report: (level, message, facts) => context.report(level, message, facts),
  });
}

function policiesOf({ recorder: keys }: Config, bag: string): RetentionPolicy[] {
  const policies: RetentionPolicy[] = [];
  if (keys.mode === 'ring')
    policies.push({ kind: 'ring', bag, durationMs: keys.ring_duration, bytesMax: keys.ring_size });
  if (keys.quota > 0) policies.push({ kind: 'quota', bytesMax: keys.quota });
  return policies;
}

/**
 * Without a central, or for what is not to go there, there is nothing to wait for. With one, what it holds is kept elsewhere,
 * and what it does not hold stays, unless the configuration says otherwise.
 */
export function mayEvict(
  { link, recorder }: Config,
  dataDir: string,
): (path: string) => 'no' | 'lost' | 'kept' {
  if (link.bags === 'none') return () => 'lost';
  const file = join(dataDir, CUSTODY_FILE);
  const custody = new CustodyReader(file);
  return (path) => {
    if (!hasCentral(link, dataDir)) return 'lost';
    // A robot that exports to disks only has no book before its first export: that is no fault of a book.
    const isBefore = link.central_url === '' && !existsSync(file);
    const state = isBefore ? 'unknown' : custody.state(path);
    if (state === 'held') return 'kept';
    // The link may not have read yet that there is a new clip.
    const isForCentral = link.bags === 'all' || state !== 'unknown' || path.startsWith(CLIPS);
    return isForCentral && !recorder.evict_unsynced ? 'no' : 'lost';
  };
}

/**
 * Offers the clip service to ROS, again until it is: a session that is not open yet opens (at a start it never is, so
 * that is reported only if it lasts), while a missing package stays missing. What cannot be offered is
 * reported once, and the rest of the cell works on.
 */
export function offerClipService(
  { config }: Pick<Settings, 'config'>,
  { clock, report }: Pick<CellContext, 'clock' | 'report'>,
  ros: Pick<RosApi, 'services'> | undefined,
  recording: Pick<Recording, 'clip'> | undefined,
): { close(): Promise<void> } {
  const name = config.recorder.clip_service;
  if (!ros || !recording || name === '' || config.recorder.mode === 'episode') return { async close() {} };
  let closed = false;
  let told = '';
  let isFirst = true;
  let served: { close(): Promise<void> } | undefined;
  const offer = async (): Promise<void> => {
    try {
      served = await serveClipService(ros.services, recording, name);
      if (closed) await served.close();
      else if (told !== '') report('info', `the ROS service ${name} is offered now`, {});
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'ros.failed', 'offer the service', name);
      if (closed) return;
      const passes = code !== 'sample.unknown_type';
      if (message !== told && !(isFirst && passes)) {
        report('warn', `the ROS service ${name} is not offered: ${message}`, { code });
        told = message;
      }
      isFirst = false;
      if (passes) clock.after(OFFER_AGAIN_MS, () => void (closed || offer()));
    }
  };
  void offer();
  return {
    async close() {
      closed = true;
      await served?.close();
    },
  };
}
