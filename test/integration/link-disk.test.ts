import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { openInvitations } from '../../central/invitations.ts';
import { type RunningCentral, startCentral as start } from '../../central/start-central.ts';
import { DiskExport } from '../../cli/link/disk-export.ts';
import { CELL_NAMES, type CellName, type LinkStatus, type LinkSyncReply } from '../../contract/index.ts';
import { apiClient } from '../../daemon/client/api-client.ts';
import { enrolRobot } from '../../daemon/compose/link-identity.ts';
import {
  AURAISON,
  auraison,
  auraisonAsync,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { heldAt } from '../support/disk-rig.ts';
import { writeFile } from '../support/mcap-files.ts';
import { noise } from '../support/object-rig.ts';
import { freePort } from '../support/zenoh.ts';

/** Robot, coordinator and the commands between them, as people run them. */
let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
let central: RunningCentral | undefined;
const clock = new SystemClock();
beforeEach(() => {
  directory = freshDir('link-disk');
});
afterEach(async () => {
  await daemon?.stop();
  await endCentral();
  directory.remove();
});

async function startCentral(dataDir: string, port: number): Promise<void> {
  central = await start({
    ...{ dataDir, port, clock, host: '127.0.0.1', auth: 'certificate', tls: {} },
    secrets: new FileSecrets(dataDir, 'test'),
  });
}

async function endCentral(): Promise<void> {
  const running = central;
  central = undefined;
  await running?.stop();
}

function lastOf(dataDir: string, cell: CellName): number {
  const reader = openEventReader(dataDir, cell);
  const last = reader.lastSeq();
  reader.close();
  return last;
}

it('a disk and the network together bring everything to central once, also when the export is killed in the middle', async () => {
  const port = await freePort();
  const dataDir = join(directory.path, 'robot');
  const at = join(directory.path, 'central');
  const disk = join(directory.path, 'disk');
  mkdirSync(disk);
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = auraison([...args, '--json']);
    expect(status, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0);
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
  };
  const robot = ['--data-dir', dataDir];

  await startCentral(at, port);
  const url = `https://localhost:${port}`;
  const desk = await openInvitations(at, new FileSecrets(at, 'cli'), clock);
  const token = await desk.invite('robot', 3_600_000);
  desk.close();
  await enrolRobot({ url, token, robot: 'robot', dataDir, clock, ca: undefined, trustFirst: false });
  daemon = await testDaemon(dataDir, { AURAISON_LINK_CENTRAL_URL: url });
  const it = daemon;
  const status = () => it.api.get<LinkStatus>('/v1/link');
  await until(
    async () => Object.values((await status()).lanes).filter(({ sent }) => sent > 0).length >= 2,
    'some events went over the network',
  );
  // The network is gone, and the robot works on.
  await endCentral();
  const recording = join(directory.path, 'noise.mcap');
  const message = (n: number) => ({ channel: 1, time: BigInt(n + 1), data: noise(1_000_000, n) });
  writeFileSync(recording, writeFile(Array.from({ length: 16 }, (_, n) => [message(n)])).bytes);
  run('bag', 'import', recording, '--compression', 'none', ...robot);
  rmSync(recording);
  await it.api.post('/v1/robot/stop', {});

  const pieces = join(disk, 'auraison-link/robot/pieces');
  const killed = spawn(AURAISON, ['link', 'export', disk, ...robot], { stdio: 'ignore' });
  const gone = once(killed, 'exit');
  await until(() => existsSync(pieces) && readdirSync(pieces).length >= 3, 'some pieces are on the disk');
  killed.kill('SIGKILL');
  expect((await gone)[1]).toBe('SIGKILL');
  const done = run('link', 'export', disk, ...robot);
  expect(done).toMatchObject({ robot: 'robot', files: 1, complete: true, left: [] });
  expect(done['bytes_there']).toBeGreaterThan(0);

  const written = Object.fromEntries(CELL_NAMES.map((cell) => [cell, lastOf(dataDir, cell)]));
  // Both ways at once.
  await startCentral(at, port);
  const [imported, synced] = await Promise.all([
    auraisonAsync(['central', 'import', disk, '--data-dir', at, '--json']),
    it.api.post<LinkSyncReply>('/v1/link/sync', { timeout_ms: 60_000 }, 90_000),
  ]);
  expect(imported.status, imported.stdout + imported.stderr).toBe(0);
  expect(synced).toMatchObject({ state: 'connected', behind: 0 });
  const taken = JSON.parse(imported.stdout.trim().split('\n').at(-1)!).robots[0];
  expect(taken.files + taken.files_known).toBe(1);
  expect(taken.events + taken.events_known).toBe(done['events']);
  run('link', 'import', disk, ...robot);
  await until(async () => (await status()).files?.lanes['bags']?.held === 1, 'central holds the recording');

  const { lanes, objects } = heldAt(at, 'robot');
  expect(objects).toMatchObject([{ held: 1 }]);
  const events = new DatabaseSync(join(at, 'central.db'), { readOnly: true });
  for (const cell of CELL_NAMES) {
    const lane = `events.${cell}`;
    const { rows, ids, last } = lanes.find((one) => one.lane === lane)!;
    expect([lane, rows, ids], 'each once').toEqual([lane, last, last]);
    const own = openEventReader(dataDir, cell);
    const held = events
      .prepare('SELECT hash FROM event e JOIN lane l ON l.id = e.lane_id WHERE lane = ? AND e.seq = ?')
      .get(lane, last);
    // The hash of an event stands for all before it.
    expect(own.read(last - 1, 1)[0]!.hash, lane).toBe(held!['hash']);
    expect(last, lane).toBeGreaterThanOrEqual(written[cell]!);
    own.close();
  }
  events.close();
  await it.stop();
  daemon = undefined;
  const off = { dir: disk, lanes: [], all: false, maxBytes: undefined, onProgress: () => {} };
  await expect(
    DiskExport.run(apiClient(it.settings), { ...off, monotonicMs: () => clock.monotonicMs() }),
  ).rejects.toMatchObject({ hint: expect.stringContaining('start it with: auraison up') });
}, 120_000);
