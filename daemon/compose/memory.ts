import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LakeProcess } from '../../adapters/ducklake/lake-process.ts';
import { STAYS } from '../../adapters/ducklake/no-servers.ts';
import { RestingLake } from '../../adapters/ducklake/resting-lake.ts';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { recordedOnUse, segmentsOnUse } from '../../adapters/rosbag/on-use.ts';
import { type Cell, type CellContext, topicTables } from '../../contract/core.ts';
import { remotePlaceOf } from '../lake-place.ts';
import { MemoryCell } from '../memory/memory-cell.ts';
import type { Settings } from '../settings.ts';
import { CELL_FLAGS, LAKE_ENV } from './cell-flags.ts';
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
  const topics = topicTables(config.lake.topics, config.lake.default_topics);
  const isPlain = config.lake.engine === 'duckdb';
  const commits = { count: 0 };
  const { report } = context;
  const parts = { clock, report, commits, spawn: spawnLake };
  const remote = remotePlaceOf(settings);
  const places = remote && (await makePlaces());
  const openIn = (ends: AbortSignal) => (anew: boolean) =>
    LakeProcess.open({ ...parts, ends }, { dataDir, isPlain, topics }, anew);
  return new MemoryCell(context, {
    openAfterMs: OPEN_AFTER_MS,
    // A lake on servers, or one that may move there, stays open, and in this process.
    openLake: (anew, ends) =>
      places ? places.open(anew) : RestingLake.open(openIn(ends), clock, REST_AFTER_MS, anew),
    openReader: (cell) => openEventReader(dataDir, cell),
    openSegment: segmentsOnUse(dataDir),
    recall: makeRecall(settings, context),
    ...(logKeeper ? { logKeeper } : {}),
    ...(isPlain
      ? {}
      : {
          moves: places ?? STAYS,
          async upgrade() {
            report('info', 'DuckLake extension installed', await LakeProcess.install(parts));
            return true;
          },
        }),
  });

  async function makePlaces() {
    const { LakePlaces, searchDirectories } = await import('../../adapters/ducklake/index.ts');
    // Recordings are read when a segment is sealed or a table of messages is asked for: nothing of it is loaded before.
    const openRecorded = recordedOnUse(dataDir);
    const extensionDirectories = isPlain ? [] : searchDirectories(dataDir);
    const lake = { topics, dataDir, clock, extensionDirectories, openRecorded, report, commits };
    return new LakePlaces(lake, remote);
  }
}

function spawnLake() {
  return fork(fileURLToPath(new URL('./lake-main.ts', import.meta.url)), [], {
    serialization: 'advanced',
    execArgv: [...CELL_FLAGS],
    env: { ...process.env, ...LAKE_ENV },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}
