import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logPath, openEventReader, SqliteEventLog, verifyLogFile } from '../../adapters/event-log/index.ts';
import type { AgentEvent, CellContext, CellName, LogCut, NewEvent } from '../../contract/index.ts';
import { makeLogKeeper } from '../../daemon/compose/log-keeping.ts';
import { loadSettings } from '../../daemon/settings.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** Logs of a daemon as it is configured: what goes, what stays and for whom. */
const EVENTS = 4_000;
const HOUR_MS = 3_600_000;

let dataDir: string;
let clock: ManualClock;
let log: SqliteEventLog;
let reports: string[];
let events: readonly AgentEvent[];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-keep-'));
  clock = new ManualClock();
  reports = [];
  log = await open('runtime');
  events = await log.append(phases(EVENTS));
});
afterEach(async () => {
  await log.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const open = (cell: CellName) => SqliteEventLog.open({ dataDir, cell, clock, thread: 'caller' });

function phases(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'run.phase',
    payload: { phase: 'load', reason: String(i) },
  }));
}

/** Two hours later, by this configuration. */
async function trimmed(config: string): Promise<LogCut | undefined> {
  const file = join(dataDir, 'robot.toml');
  writeFileSync(file, config);
  const settings = loadSettings(file, { AURAISON_DAEMON_DATA_DIR: dataDir });
  const context = {
    clock,
    emit: async () => {},
    report: (_level: string, message: string, facts: object) =>
      reports.push(`${message} ${JSON.stringify(facts)}`),
  } as unknown as CellContext;
  const keeper = makeLogKeeper(settings, context);
  if (!keeper) return undefined;
  let isOver = false;
  const cut = keeper.trim('runtime', log.lastSeq + 1).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return cut;
}

describe('the log of a daemon', () => {
  it('loses what is older than log.keep, and nothing else', async () => {
    await clock.advance(2 * HOUR_MS);
    await log.append(phases(2_000));
    expect(await trimmed('[log]\nkeep = "1 h"\n')).toMatchObject({ through: EVENTS });
    expect(verifyLogFile(logPath(dataDir, 'runtime'))).toMatchObject({ ok: true, lastSeq: EVENTS + 2_000 });
  });

  it('loses nothing where the configuration says so, or by its defaults within 90 days', async () => {
    await clock.advance(2 * HOUR_MS);
    expect(await trimmed('[log]\nkeep = "0 s"\nmax_bytes = "0 B"\n')).toBeUndefined();
    expect(await trimmed('')).toBeUndefined();
    expect(log.lastSeq).toBe(EVENTS);
  });

  it('is written to an archive before, whole', async () => {
    await clock.advance(2 * HOUR_MS);
    await log.append(phases(2_000));
    await trimmed('[log]\nkeep = "1 h"\narchive = true\n');
    const folder = join(dataDir, 'events', 'archive');
    expect(readdirSync(folder)).toEqual([`runtime-2-${EVENTS}.ndjson.gz`]);
    const lines = gunzipSync(readFileSync(join(folder, `runtime-2-${EVENTS}.ndjson.gz`))).toString();
    const kept = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AgentEvent);
    expect(kept).toEqual(JSON.parse(JSON.stringify(events.slice(1))));
  });

  it('keeps what central has not acknowledged', async () => {
    const central = '[log]\nkeep = "1 h"\n[link]\ncentral_url = "http://127.0.0.1:9"\n';
    await clock.advance(2 * HOUR_MS);
    await log.append(phases(2_000));
    expect(await trimmed(central)).toBeUndefined();
    expect(reports.join()).toContain('central');
    const link = await open('link');
    const receipt = { epoch: log.epoch!, sha256: 'a'.repeat(64), receipt: 'x' };
    const former = { ...receipt, epoch: events[9]!.event_id };
    await link.append([{ kind: 'link.receipt', payload: { lane: 'events.runtime', seq: 3_900, ...former } }]);
    expect(await trimmed(central)).toBeUndefined();
    await link.append([
      { kind: 'link.receipt', payload: { lane: 'events.runtime', seq: 1_500, ...receipt } },
      { kind: 'link.receipt', payload: { lane: 'events.execution', seq: 3_000, ...receipt } },
    ]);
    expect(await trimmed(central)).toMatchObject({ through: 1_500 });
    await link.close();
  });

  it('keeps a grant that was revoked until it would be over: the same one is not installed again', async () => {
    const state = (to: 'issued' | 'renewed' | 'revoked', hours: number): NewEvent => {
      const expires_ns = String(clock.now() + BigInt(hours * HOUR_MS) * 1_000_000n);
      const who = { grant_id: 'g1', principal: 'ada' };
      return { kind: 'grant.state', payload: { ...who, state: to, expires_ns, grants: {}, reason: '' } };
    };
    // That of before the renewal ends later.
    await log.append([state('issued', 5), state('renewed', 3), state('revoked', 3), ...phases(2_000)]);
    await clock.advance(2 * HOUR_MS);
    await log.append(phases(2_000));
    expect(await trimmed('[log]\nkeep = "1 h"\n')).toMatchObject({ through: EVENTS });
    await clock.advance(2 * HOUR_MS);
    expect(await trimmed('[log]\nkeep = "1 h"\n')).toBeUndefined();
    expect(reports.join()).toContain('grant g1');
    await clock.advance(2 * HOUR_MS);
    expect(await trimmed('[log]\nkeep = "1 h"\n')).toMatchObject({ through: log.lastSeq - 1_024 });
  });

  it('keeps the keys of the intents of the last hour, however short log.keep is', async () => {
    await clock.advance(HOUR_MS / 2);
    await log.append(phases(2_000));
    expect(await trimmed('[log]\nkeep = "1 min"\n')).toBeUndefined();
    await clock.advance(HOUR_MS * 0.6);
    expect(await trimmed('[log]\nkeep = "1 min"\n')).toMatchObject({ through: EVENTS });
  });

  it('keeps what a quota in total counts, and when a schedule fired last', async () => {
    await log.append([
      {
        kind: 'schedule.fired',
        payload: { schedule: 'patrol', due_ns: '0', action: 'run', missed: 0, reason: '' },
      },
    ]);
    await clock.advance(2 * HOUR_MS);
    await log.append(phases(2_000));
    const quota = '[[policy.quotas]]\nmetric = "runs"\nwindow = "total"\nlimit = 9\n';
    expect(await trimmed(`[log]\nkeep = "1 h"\n${quota}`)).toBeUndefined();
    expect(reports.join()).toContain('a quota in total');
    const schedule = '[[schedules]]\nname = "patrol"\ncron = "0 3 * * *"\nintent = "maze/find_exit"\n';
    expect(await trimmed(`[log]\nkeep = "1 h"\n${schedule}`)).toMatchObject({ through: EVENTS });
    const reader = openEventReader(dataDir, 'runtime');
    expect(reader.read(0, 5, { kinds: ['schedule.fired'] })).toHaveLength(1);
    reader.close();
  });
});
