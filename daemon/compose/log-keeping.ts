import { join } from 'node:path';
import {
  archiveEvents,
  checkpointKey,
  KEEP_EVENTS,
  LogCutter,
  logPath,
  openEventReader,
} from '../../adapters/event-log/index.ts';
import { loadPlace } from '../../adapters/telemetry/export-place.ts';
import { hasCentral } from '../../central-link/link-identity.ts';
import type { CellContext } from '../../contract/core.ts';
import { type LogHoldParts, logHolds } from '../memory/log-holds.ts';
import { LogKeeper } from '../memory/log-keeper.ts';
import type { Settings } from '../settings.ts';

/** Intents may come again with their key for so long, whatever the size of the log, milliseconds. */
const YOUNG_MS = 3_600_000;

/** Undefined where nothing is ever removed. */
export function makeLogKeeper(settings: Settings, context: CellContext): LogKeeper | undefined {
  const { config, dataDir } = settings;
  const { keep, max_bytes, archive } = config.log;
  if (keep === 0 && max_bytes === 0) return undefined;
  const holds = holdParts(settings, context);
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
    holds: (cell, cutter) =>
      logHolds(holds, cell, (ms) => cutter.lastBefore(context.clock.now() - BigInt(ms) * 1_000_000n)),
  });
}

function holdParts({ config, dataDir }: Settings, { clock }: CellContext): LogHoldParts {
  const { endpoint, file, sample_percent } = config.telemetry;
  return {
    get linked() {
      return hasCentral(config.link, dataDir);
    },
    quotaWindows: config.policy.quotas.map(({ window }) => window),
    schedules: config.schedules.map(({ name }) => name),
    exporters: sample_percent === 0 ? [] : [...(endpoint === '' ? [] : ['otlp']), ...(file ? ['file'] : [])],
    openReader: (cell) => openEventReader(dataDir, cell),
    newest: (cell, kind, field, value) => LogCutter.newestOf(logPath(dataDir, cell), kind, field, value),
    exported: (name, cell) => loadPlace(join(dataDir, 'telemetry', `${name}-${cell}.json`))?.from ?? 0,
    now: () => clock.now(),
  };
}
