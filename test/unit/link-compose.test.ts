import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { SqliteEventLog } from '../../adapters/event-log/index.ts';
import { CustodyReader } from '../../central-link/custody-book.ts';
import { type CellContext, type LinkSyncReply, METHODS, type NewEvent, pause } from '../../contract/index.ts';
import { composeLink } from '../../daemon/compose/link.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';
import { CentralRig, noise } from '../support/object-rig.ts';

let central: CentralRig;
let dataDir: string;
const logs: SqliteEventLog[] = [];
beforeEach(async () => {
  central = await new CentralRig().start();
  dataDir = mkdtempSync(join(tmpdir(), 'robot-'));
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  await central.stop();
  rmSync(dataDir, { recursive: true });
});

it('where link.db cannot be opened the link of a daemon starts without files, and says so', async () => {
  mkdirSync(join(dataDir, 'link.db'));
  const clock = new SystemClock();
  const own = await SqliteEventLog.open({ dataDir, cell: 'link', clock, thread: 'caller' });
  logs.push(own);
  const toml = `[link]
central_url = "${central.running.url}"
token_file = "${join(central.dataDir, 'token')}"`;
  const { config } = readConfig(toml, 'test.toml', {});
  const reports: string[] = [];
  const context: CellContext = {
    ...{ name: 'link', clock, log: own, dataDir, attempt: 0, startReason: 'test' },
    report: (level, message) => void reports.push(`${level} ${message}`),
    bus: {
      request: () => Promise.reject(new Error('none')),
      handle: () => {},
      broadcast: () => {},
      onBroadcast: () => {},
    },
    emit: async (events) => void (await own.append(events)),
  };
  const cell = await composeLink({ config, dataDir } as Settings, context);
  await cell.start();
  await cell.stop();
  expect(reports).toContain('error no files go to central');
});

it('the link of a daemon sends the recordings that its log names, and the recorder learns what central holds', async () => {
  const clock = new SystemClock();
  const open = async (cell: 'execution' | 'link') => {
    const log = await SqliteEventLog.open({ dataDir, cell, clock, thread: 'caller' });
    logs.push(log);
    return log;
  };
  const [execution, own] = [await open('execution'), await open('link')];
  const content = noise(300_000, 1);
  const path = 'bags/run/run_0.mcap';
  mkdirSync(join(dataDir, 'bags/run'), { recursive: true });
  writeFileSync(join(dataDir, path), content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const facts = { messages: 1, start_ns: '1', end_ns: '2', topics: { '/t': 1 }, repaired: false };
  const payload = { bag: 'run', path, sha256, bytes: content.length, ...facts };
  await execution.append([{ kind: 'segment.sealed', payload } satisfies NewEvent]);
  const toml = `[link]
central_url = "${central.running.url}"
token_file = "${join(central.dataDir, 'token')}"
[[link.networks]]
interface = "lo"
bandwidth = "10 MB"
hours = ["00:00-23:59", "23:59-00:00"]
[intents]
central = true
[daemon]
name = "tb1"`;
  const { config } = readConfig(toml, 'test.toml', {});
  const handlers = new Map<string, Parameters<CellContext['bus']['handle']>[1]>();
  const context: CellContext = {
    ...{ name: 'link', clock, log: own, dataDir, attempt: 0, startReason: 'test', report: () => {} },
    bus: {
      request: () => Promise.reject(new Error('none')),
      handle: (method, answer) => void handlers.set(method, answer as never),
      broadcast: () => {},
      onBroadcast: () => {},
    },
    emit: async (events) => void (await own.append(events)),
  };
  const cell = await composeLink({ config, dataDir } as Settings, context);
  await cell.start();
  const custody = new CustodyReader(join(dataDir, 'link.db'));
  try {
    for (let i = 0; i < 600 && custody.state(path) !== 'held'; i++) await pause(clock, 50);
    expect(custody.state(path)).toBe('held');
    const status = (await handlers.get(METHODS.link.status)!({}, 'runtime', 0, 0)) as LinkSyncReply;
    expect(status.files).toMatchObject({
      lanes: { bags: { waiting: 0, held: 1, held_bytes: 300_000 } },
      reason: '',
    });
    expect(await central.list()).toMatchObject([{ name: path, state: 'held', sha256 }]);
  } finally {
    custody.close();
    await cell.stop();
  }
});
