import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeError, type RunDetails, type Submitted } from '../../contract/index.ts';
import { allEvents, auraison, finishedRun, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { imageFolder, LoopImage, loopMountFault } from '../support/loop-image.ts';
import { readersPython } from '../support/readers.ts';
import { accountOf, foreignCount } from '../support/recordings.ts';

/** A whole daemon on a disk that runs full while its robot drives, and that has space again later. */
const fault = loopMountFault();
const MiB = 1024 * 1024;

if (fault !== undefined) {
  const loud = `DISK FULL OF A WHOLE DAEMON NOT TESTED on this host: ${fault}`;
  process.stderr.write(`\n${loud}\n`);
  it(loud, ({ skip }) => {
    if (process.env['CI'] && process.getuid?.() === 0) expect.fail(loud);
    skip(loud);
  });
}

describe.runIf(fault === undefined)('a disk that runs full under a daemon', () => {
  let folder: string;
  let disk: LoopImage;
  let daemon: TestDaemon;
  let runId: string;
  let before: Awaited<ReturnType<typeof allEvents>>;

  beforeAll(async () => {
    readersPython();
    folder = imageFolder();
    disk = LoopImage.create(folder, 'disk', 192);
    daemon = await testDaemon(disk.mountPoint, {
      AURAISON_SIM_SPEED: '3',
      AURAISON_RECORDER_FREE_SPACE_FLOOR: '4 MiB',
    });
  });
  afterAll(async () => {
    await daemon?.stop();
    disk?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Metres. */
  const driven = async () => {
    const { robot } = await daemon.status();
    return (robot.available && robot.distance) || 0;
  };
  const ballast = () => join(disk.mountPoint, 'ballast');
  /** Leaves nothing: what is freed by others meanwhile is taken too. */
  function fill(): void {
    const handle = openSync(ballast(), 'a');
    for (const size of [MiB, 65_536, 4_096, 512]) {
      const block = Buffer.alloc(size, 7);
      try {
        while (writeSync(handle, block) === size);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'ENOSPC' });
      }
    }
    closeSync(handle);
  }

  it('fails the recorder with its reason and counts; nothing is acknowledged that is not durable', async () => {
    runId = (await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' })).run.run_id;
    await until(async () => {
      const { robot } = await daemon.status();
      return robot.available && (robot.distance ?? 0) > 1;
    }, 'the robot drives');
    before = await allEvents(daemon.api);
    fill();
    const failed = await until(async () => {
      const { recorder } = await daemon.status();
      return recorder.available && recorder.state === 'failed' && recorder.dropped > 0 ? recorder : undefined;
    }, 'the recorder says that it cannot record');
    console.log(`recorder: ${failed.reason}; dropped ${failed.dropped} of ${failed.received}`);
    expect(failed.reason).toMatch(/no space|ENOSPC|below the minimum/i);
    const { robot } = await daemon.status();
    expect(robot).toMatchObject({ degraded: [expect.stringContaining('recorder: ')] });
    // Until an append really needs a page, the log may still take events: both answers are honest.
    let refused: EdgeError | undefined;
    for (let i = 0; i < 200 && !refused; i++) {
      fill();
      try {
        const { run } = await daemon.api.post<Submitted>('/v1/intents', {
          type: 'maze/find_exit',
          params: { max_duration_s: 1 },
        });
        before.push(
          ...(await allEvents(daemon.api)).filter(
            (event) => event.kind === 'intent.accepted' && event.run_id === run.run_id,
          ),
        );
      } catch (thrown) {
        if (!(thrown instanceof EdgeError)) throw thrown;
        refused = thrown;
      }
    }
    console.log(`an intent is refused: ${refused?.code}: ${refused?.message}`);
    expect(refused).toMatchObject({ code: 'log.failed', retryable: true });
    expect(refused!.message).toMatch(/full|space/);
  });

  it('keeps the robot safe: it stands, and every cell is there', async () => {
    await until(
      async () => {
        const { robot } = await daemon.status();
        return robot.available && robot.twist !== undefined && Math.abs(robot.twist.linear) < 0.03;
      },
      'the robot stands',
      90_000,
    );
    const { cells } = await daemon.status();
    expect(cells.map(({ state }) => state)).toEqual(['up', 'up', 'up', 'up']);
  });

  it('goes on by itself when there is space again: recorder, log and run', async () => {
    rmSync(ballast());
    await until(async () => {
      const { recorder } = await daemon.status();
      return recorder.available && recorder.state === 'recording';
    }, 'it records again');
    const went = await driven();
    await until(async () => (await driven()) > went + 1, 'the robot drives on');
    const { run } = await daemon.api.get<RunDetails>(`/v1/runs/${runId}`);
    expect(run.attempt).toBeGreaterThan(1);
    console.log(`the run goes on: attempt ${run.attempt}`);
    await daemon.api.post(`/v1/runs/${runId}/cancel`, { reason: 'seen enough' });
    expect((await finishedRun(daemon.api, runId)).run.status).toBe('cancelled');
    const { run: later } = await until(
      () =>
        daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit', params: { max_duration_s: 1 } }),
      'an intent is taken again',
    );
    await finishedRun(daemon.api, later.run_id);
  });

  it('lost no event that it acknowledged, and counted every sample', async () => {
    const events = await allEvents(daemon.api);
    const there = new Set(events.map(({ hash }) => hash));
    expect(before.filter(({ hash }) => !there.has(hash))).toEqual([]);
    await daemon.api.post('/v1/recorder/seal');
    const { recorder } = await daemon.status();
    expect(await daemon.stop()).toBe(0);
    expect(auraison(['log', 'verify', '--data-dir', disk.mountPoint]).status).toBe(0);
    const next = await testDaemon(disk.mountPoint, { AURAISON_ROBOT_SOURCE: 'none' });
    const account = accountOf(await allEvents(next.api));
    await next.stop();
    const lost = Object.values(account.dropped).reduce((sum, count) => sum + count, 0);
    console.log(
      `received ${account.received} = written ${account.written} + dropped ${JSON.stringify(account.dropped)}`,
    );
    expect(account.received).toBe(account.written + lost);
    // What the status told while the daemon ran is in the log for good, refused events included.
    expect(recorder).toMatchObject({ available: true, dropped: account.dropped['disk_full'] });
    expect(await foreignCount(disk.mountPoint)).toBe(account.written);
  });
});
