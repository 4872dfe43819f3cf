import { invalid } from './info.ts';

/** Frames of one episode: an hour at 50 Hz. Longer ones are no attempts. */
export const FRAMES_MAX = 180_000;

/** When one input was measured: nanoseconds, rising. */
export type Track = {
  readonly times: readonly bigint[];
  /** An older sample is stale: the frame that needs it is left out. Milliseconds. */
  readonly maxAgeMs: number;
  /** What was commanded, not measured: a frame takes the last one before the next frame. */
  readonly isAction: boolean;
};

export type PlannedFrame = {
  readonly time: bigint;
  /** By track: which of its samples. */
  readonly pick: Readonly<Record<string, number>>;
};

export type DroppedSpan = {
  /** Nanoseconds: of the first and the last frame left out. */
  readonly from: bigint;
  readonly to: bigint;
  readonly frames: number;
  /** The track whose sample was too old, and its age in milliseconds at worst. */
  readonly track: string;
  readonly ageMs: number;
};

export type FramePlan = {
  readonly frames: readonly PlannedFrame[];
  readonly dropped: readonly DroppedSpan[];
};

export type ResampleOptions = {
  readonly fps: number;
  /** A sample this much later than a frame still belongs to it: cameras and drivers jitter. Milliseconds. */
  readonly slopMs: number;
};

/**
 * Puts asynchronous inputs on one grid. The grid starts when every input is there and ends when the first of them
 * ends. A frame at time t takes of what was measured the newest sample not later than t + slop; of what was
 * commanded the last one before the next frame, since the answer to an observation comes after it. A frame with an
 * input older than it may be is left out and counted in `dropped`; nothing is repeated silently. Throws
 * `schema.invalid` for a grid of more frames than an episode has: a clock that was set makes one of half a century.
 */
export function planFrames(
  tracks: Readonly<Record<string, Track>>,
  { fps, slopMs }: ResampleOptions,
  source = 'recording',
): FramePlan {
  const entries = Object.entries(tracks);
  if (entries.length === 0 || entries.some(([, { times }]) => times.length === 0))
    return { frames: [], dropped: [] };
  const slop = BigInt(Math.round(slopMs * 1e6));
  const measured = entries.filter(([, { isAction }]) => !isAction);
  const grid = measured.length > 0 ? measured : entries;
  const begin = sorted(grid.map(([, { times }]) => times[0]!)).at(-1)!;
  const end = sorted(grid.map(([, { times }]) => times.at(-1)!))[0]! + slop;
  const seconds = Number(end - begin) / 1e9;
  if (seconds * fps > FRAMES_MAX)
    throw invalid(
      source,
      `${Math.round(seconds)} s at ${fps} fps exceed the limit of ${FRAMES_MAX} frames per episode`,
      'was the clock set while it was recorded?',
    );
  const at = new Map(entries.map(([name]) => [name, -1]));
  const frames: PlannedFrame[] = [];
  const dropped: DroppedSpan[] = [];
  for (let k = 0; ; k++) {
    const time = begin + frameOffsetNs(k, fps);
    if (time > end) break;
    const next = begin + frameOffsetNs(k + 1, fps);
    const pick: Record<string, number> = {};
    let stale: { track: string; ageMs: number } | undefined;
    let isEarly = false;
    for (const [name, { times, maxAgeMs, isAction }] of entries) {
      let index = at.get(name)!;
      while (index + 1 < times.length && isDue(times[index + 1]!, isAction, time, next, slop)) index += 1;
      at.set(name, index);
      pick[name] = index;
      if (index < 0) isEarly = true;
      else {
        const ageMs = Number(time - times[index]!) / 1e6;
        if (ageMs > maxAgeMs && ageMs > (stale?.ageMs ?? 0)) stale = { track: name, ageMs };
      }
    }
    // Before the first command there is nothing to learn: no frame, and nothing lost either.
    if (isEarly) continue;
    if (stale) addDropped(dropped, time, stale, 1.5e9 / fps);
    else frames.push({ time, pick });
  }
  return { frames, dropped };
}

/** Nanoseconds from the first frame to frame `k`; the same rounding wherever frames become time. */
export function frameOffsetNs(k: number, fps: number): bigint {
  return BigInt(Math.round((k * 1e9) / fps));
}

function sorted(times: bigint[]): bigint[] {
  return times.sort((a, b) => Number(a - b));
}

function isDue(sample: bigint, isAction: boolean, time: bigint, next: bigint, slop: bigint): boolean {
  return isAction ? sample < next - slop : sample <= time + slop;
}

function addDropped(
  dropped: DroppedSpan[],
  time: bigint,
  { track, ageMs }: { track: string; ageMs: number },
  gapNs: number,
): void {
  const last = dropped.at(-1);
  if (last && last.track === track && Number(time - last.to) < gapNs) {
    dropped[dropped.length - 1] = {
      ...last,
      to: time,
      frames: last.frames + 1,
      ageMs: Math.max(last.ageMs, ageMs),
    };
  } else dropped.push({ from: time, to: time, frames: 1, track, ageMs });
}
