import type { CellName, EventKind, EventReader, Nanoseconds } from '../../contract/core.ts';
import { acknowledgedOf } from '../../history/acknowledged.ts';
import { eachEvent } from '../../history/each-event.ts';
import type { Hold } from './log-keeper.ts';

const DAY_MS = 86_400_000;
/** No window of a quota but `total` is longer. */
const WINDOW_MS_MAX = 32 * DAY_MS;

export type LogHoldParts = {
  /** Whether this robot has a central. */
  readonly linked: boolean;
  readonly quotaWindows: readonly string[];
  readonly schedules: readonly string[];
  /** Names of the exporters of traces. */
  readonly exporters: readonly string[];
  openReader(cell: CellName): EventReader;
  /** Sequence of the newest event of this kind whose payload has `value` in `field`; 0: no such event. */
  newest(cell: CellName, kind: EventKind, field: string, value: string): number;
  /** Sequence up to which the traces of a cell are exported. */
  exported(exporter: string, cell: CellName): number;
  now(): Nanoseconds;
};

/** Who still needs what of a log. `lastBefore`: the last event that is older than so many milliseconds. */
export function logHolds(parts: LogHoldParts, cell: CellName, lastBefore: (ms: number) => number): Hold[] {
  return [
    ...linkHolds(parts, cell),
    ...quotaHolds(parts, cell, lastBefore),
    ...scheduleHolds(parts, cell),
    ...grantHolds(parts, cell),
    ...traceHolds(parts, cell),
  ];
}

/** Where there is a central, what it has not acknowledged stays. */
function linkHolds({ linked, ...parts }: LogHoldParts, cell: CellName): Hold[] {
  return linked ? [{ who: 'central', through: acknowledgedOf(parts, cell) }] : [];
}

/** What a quota counts, it counts from the log. */
function quotaHolds(
  { quotaWindows }: LogHoldParts,
  cell: CellName,
  lastBefore: (ms: number) => number,
): Hold[] {
  if (quotaWindows.length === 0 || cell === 'memory' || cell === 'link') return [];
  const isTotal = quotaWindows.includes('total');
  return [{ who: isTotal ? 'a quota in total' : 'quotas', through: isTotal ? 0 : lastBefore(WINDOW_MS_MAX) }];
}

/** A schedule continues from when it fired last. */
function scheduleHolds({ schedules, newest }: LogHoldParts, cell: CellName): Hold[] {
  if (cell !== 'runtime') return [];
  return schedules.flatMap((name) => {
    const seq = newest(cell, 'schedule.fired', 'schedule', name);
    return seq === 0 ? [] : [{ who: `schedule ${name}`, through: seq - 1 }];
  });
}

/** From the first state of a grant whose time is not over: one that was revoked since is not installed again. */
function grantHolds({ openReader, now }: LogHoldParts, cell: CellName): Hold[] {
  if (cell !== 'runtime') return [];
  const reader = openReader(cell);
  try {
    const at = now();
    for (const { payload, seq } of eachEvent(reader, { kinds: ['grant.state'] }))
      if (BigInt(payload.expires_ns) > at) return [{ who: `grant ${payload.grant_id}`, through: seq - 1 }];
    return [];
  } finally {
    reader.close();
  }
}

/** Traces that are not exported yet. */
function traceHolds({ exporters, exported }: LogHoldParts, cell: CellName): Hold[] {
  if (cell !== 'runtime' && cell !== 'execution') return [];
  return exporters.map((name) => ({ who: `traces (${name})`, through: exported(name, cell) }));
}
