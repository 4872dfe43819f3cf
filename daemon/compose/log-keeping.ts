import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import {
  checkpointKey,
  eventsDirectory,
  KEEP_EVENTS,
  LogCutter,
  logPath,
  openEventReader,
} from '../../adapters/event-log/index.ts';
import type { AgentEvent, CellContext, CellName, EventKind, Nanoseconds } from '../../contract/core.ts';
import { type Hold, LogKeeper } from '../memory/log-keeper.ts';
import type { Settings } from '../settings.ts';

/** Intents may come again with their key for so long, whatever the size of the log, milliseconds. */
const YOUNG_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** No window of a quota but `total` is longer. */
const WINDOW_MS_MAX = 32 * DAY_MS;
const PAGE_EVENTS = 500;

/** Undefined where nothing is ever removed. */
export function makeLogKeeper(settings: Settings, context: CellContext): LogKeeper | undefined {
  const { config, dataDir } = settings;
  const { keep, max_bytes, archive } = config.log;
  if (keep === 0 && max_bytes === 0) return undefined;
  return new LogKeeper({
    context,
    rules: { keepMs: keep, bytesMax: max_bytes, youngMs: YOUNG_MS },
    keepEvents: KEEP_EVENTS,
    open: (cell) => {
      const cutter = LogCutter.open(logPath(dataDir, cell));
      if (!cutter) return undefined;
      return {
        size: () => cutter.size(),
        lastBefore: (ns) => cutter.lastBefore(ns),
        wholeRuns: (through) => cutter.wholeRuns(through),
        get cut() {
          return cutter.cut;
        },
        checkpoint: (through) => cutter.checkpoint(through, checkpointKey(dataDir), context.clock.now()),
        step: () => cutter.step(),
        archive: async (after, through) => {
          if (archive) await archiveEvents(dataDir, cell, after, through);
        },
        close: () => cutter.close(),
      };
    },
    holds: (cell, cutter) => [
      ...linkHolds(settings, cell),
      ...quotaHolds(settings, cell, (ms) => cutter.lastBefore(context.clock.now() - BigInt(ms) * 1_000_000n)),
      ...scheduleHolds(settings, cell),
      ...grantHolds(settings, cell, context.clock.now()),
      ...traceHolds(settings, cell),
    ],
  });
}

/** Where there is a central, what it has not acknowledged stays. */
function linkHolds({ config, dataDir }: Settings, cell: CellName): Hold[] {
  if (config.link.central_url === '') return [];
  const seq = newest(dataDir, 'link', 'link.receipt', 'lane', `events.${cell}`);
  const reader = openEventReader(dataDir, 'link');
  try {
    const [event] = seq === 0 ? [] : reader.read(seq - 1, 1);
    // A receipt for a log that was set aside says nothing of this one.
    const isOurs = event?.kind === 'link.receipt' && event.payload.epoch === epochOf(dataDir, cell);
    const through = isOurs ? event.payload.seq : 0;
    return [{ who: 'central', through }];
  } finally {
    reader.close();
  }
}

function epochOf(dataDir: string, cell: CellName): string | undefined {
  const reader = openEventReader(dataDir, cell);
  try {
    return reader.read(0, 1)[0]?.event_id;
  } finally {
    reader.close();
  }
}

/** What a quota counts, it counts from the log. */
function quotaHolds({ config }: Settings, cell: CellName, lastBefore: (ms: number) => number): Hold[] {
  if (config.policy.quotas.length === 0 || cell === 'memory' || cell === 'link') return [];
  const isTotal = config.policy.quotas.some(({ window }) => window === 'total');
  return [{ who: isTotal ? 'a quota in total' : 'quotas', through: isTotal ? 0 : lastBefore(WINDOW_MS_MAX) }];
}

/** A schedule goes on from when it fired last. */
function scheduleHolds({ config, dataDir }: Settings, cell: CellName): Hold[] {
  if (cell !== 'runtime') return [];
  return config.schedules.flatMap(({ name }) => {
    const seq = newest(dataDir, cell, 'schedule.fired', 'schedule', name);
    return seq === 0 ? [] : [{ who: `schedule ${name}`, through: seq - 1 }];
  });
}

/** From the first state of a grant whose time is not over: one that was revoked since is not installed again. */
function grantHolds({ dataDir }: Settings, cell: CellName, now: Nanoseconds): Hold[] {
  if (cell !== 'runtime') return [];
  const reader = openEventReader(dataDir, cell);
  try {
    for (let at = 0; ; ) {
      const page = reader.read(at, PAGE_EVENTS, { kinds: ['grant.state'] }) as AgentEvent<'grant.state'>[];
      const first = page.find(({ payload }) => BigInt(payload.expires_ns) > now);
      if (first) return [{ who: `grant ${first.payload.grant_id}`, through: first.seq - 1 }];
      if (page.length === 0) return [];
      at = page.at(-1)!.seq;
    }
  } finally {
    reader.close();
  }
}

/** Traces that are not exported yet. */
function traceHolds({ config, dataDir }: Settings, cell: CellName): Hold[] {
  const { endpoint, file, sample_percent } = config.telemetry;
  if (sample_percent === 0 || (cell !== 'runtime' && cell !== 'execution')) return [];
  const names = [...(endpoint === '' ? [] : ['otlp']), ...(file ? ['file'] : [])];
  return names.map((name) => ({
    who: `traces (${name})`,
    through: exported(join(dataDir, 'telemetry', `${name}-${cell}.json`)),
  }));
}

function exported(path: string): number {
  try {
    const { from } = JSON.parse(readFileSync(path, 'utf8')) as { from?: unknown };
    return typeof from === 'number' ? from : 0;
  } catch {
    return 0;
  }
}

function newest(dataDir: string, cell: CellName, kind: EventKind, field: string, value: string): number {
  return LogCutter.newestOf(logPath(dataDir, cell), kind, field, value);
}

/** `events/archive/<cell>-<first>-<last>.ndjson.gz`: whole and durable under its name, or not there. */
async function archiveEvents(dataDir: string, cell: CellName, after: number, through: number): Promise<void> {
  const folder = join(eventsDirectory(dataDir), 'archive');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${cell}-${after + 1}-${through}.ndjson.gz`);
  const reader = openEventReader(dataDir, cell);
  const gzip = createGzip();
  const file = createWriteStream(`${path}.new`, { flush: true });
  gzip.pipe(file);
  try {
    for (let at = after; at < through; ) {
      const page = reader.read(at, PAGE_EVENTS).filter(({ seq }) => seq <= through);
      const last = page.at(-1);
      if (!last) break;
      at = last.seq;
      const text = page.map((event) => `${JSON.stringify(event)}\n`).join('');
      if (!gzip.write(text)) await once(gzip, 'drain');
    }
    gzip.end();
    await once(file, 'close');
    renameSync(`${path}.new`, path);
  } finally {
    reader.close();
    gzip.destroy();
  }
}
