import {
  cacheDirectory,
  installDucklakeExtension,
  LakePlaces,
  RestingLake,
  searchDirectories,
} from '../../adapters/ducklake/index.ts';

import { openEventReader } from '../../adapters/event-log/index.ts';
import { recordedOnUse, segmentsOnUse } from '../../adapters/rosbag/on-use.ts';
import { type Cell, type CellContext, topicTables } from '../../contract/core.ts';
import { remotePlaceOf } from '../lake-place.ts';
import { MemoryCell } from '../memory/memory-cell.ts';
import type { Settings } from '../settings.ts';
import { makeLogKeeper } from './log-keeping.ts';
import { makeRecall } from './recall.ts';

/** Until then other cells start, milliseconds. */
const OPEN_AFTER_MS = 2_000;

/** An idle lake gives its memory back after this, milliseconds. */
const REST_AFTER_MS = 30_000;

/** The memory cell. Where DuckLake's extension is missing it is looked for in the background, once. */
export async function composeMemory(settings: Settings, context: CellContext): Promise<Cell> {
  const { config, dataDir } = settings;
  const { clock } = context;
  const logKeeper = makeLogKeeper(settings, context);
  const extensionDirectories = config.lake.engine === 'duckdb' ? [] : searchDirectories(dataDir);
  // Recordings are read when a segment is sealed or a table of messages is asked for: nothing of it is loaded before.
  const openRecorded = recordedOnUse(dataDir);
  const topics = topicTables(config.lake.topics, config.lake.default_topics);
  const commits = { count: 0 };
  const lake = {
    topics,
    dataDir,
    clock,
    extensionDirectories,
    openRecorded,
    report: context.report,
    commits,
  };
  const remote = remotePlaceOf(settings);
  const places = new LakePlaces(lake, remote);
  return new MemoryCell(context, {
    openAfterMs: OPEN_AFTER_MS,
    // One on servers, or one that may move there, stays open.
    openLake: (anew) =>
      remote
        ? places.open(anew)
        : RestingLake.open((first) => places.open(first), clock, REST_AFTER_MS, anew),
    openReader: (cell) => openEventReader(dataDir, cell),
    openSegment: segmentsOnUse(dataDir),
    recall: makeRecall(settings, context),
    ...(logKeeper ? { logKeeper } : {}),
    ...(config.lake.engine === 'duckdb'
      ? {}
      : {
          moves: places,
          async upgrade() {
            const installed = await installDucklakeExtension({ directory: cacheDirectory(), clock });
            context.report('info', 'DuckLake extension installed', installed);
            return true;
          },
        }),
  });
}
