import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeError, type LeaseView, type RunDetails, type Submitted } from '../../contract/index.ts';
import { seeded } from '../fakes/grid-world.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { simHostPid } from '../support/processes.ts';
import { notingCommands, type SimCommand, simCommands } from '../support/sim-commands.ts';

/** A person takes the robot over from a mission; what moved is counted where it arrives, in the simulator. */
const SEEDS = Array.from({ length: 8 }, (_, i) => i + 1);
/** A lease that nobody renews lives this long, milliseconds. */
const TTL_MS = 1_500;
/** What is waited after a hand let go, milliseconds of this host. */
const LET_GO_MS = 700;
/** A hand that let go counts for 300 ms of robot time, and then the base brakes: it stands by then, seconds of the world. */
const STANDS_S = 1;

const directory = freshDir('takeover');
const file = join(directory.path, 'commands');
let daemon: TestDaemon;
let runId = '';

beforeAll(async () => {
  daemon = await testDaemon(join(directory.path, 'data'), {
    AURAISON_SIM_SPEED: '3',
    AURAISON_SIM_WIDTH: '8',
    AURAISON_SIM_HEIGHT: '8',
    ...notingCommands(file),
  });
}, 120_000);
afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const moves = ({ linear, angular }: SimCommand) => Math.abs(linear) > 1e-9 || Math.abs(angular) > 1e-9;
/** The person of these tests only turns to the left: what else moves is a program's. */
const isAutonomous = ({ linear, angular }: SimCommand) => Math.abs(linear) > 1e-9 || angular < -1e-9;
const since = (ms: number, until = Infinity) =>
  simCommands(file).filter(({ atMs }) => atMs >= ms && atMs <= until);
/** Moving commands from when the base had to stand; `letGo` is the last one that the simulator had then. */
const lateAfter = (letGo: SimCommand) =>
  since(letGo.atMs).filter((one) => moves(one) && Math.abs(one.worldS - letGo.worldS) > STANDS_S);
const newest = () => simCommands(file).at(-1)!;
const details = () => daemon.api.get<RunDetails>(`/v1/runs/${runId}`);
const finished = ({ run }: RunDetails) => ['succeeded', 'failed', 'cancelled'].includes(run.status);

/** The robot is back at the entrance of its maze. */
async function newWorld(): Promise<void> {
  const before = simHostPid(daemon.child.pid);
  if (before !== undefined) process.kill(before, 'SIGKILL');
  await until(async () => {
    const now = simHostPid(daemon.child.pid);
    const { robot } = await daemon.status();
    return now !== undefined && now !== before && robot.available && robot.connected;
  }, 'the simulator is back');
}

/** A mission that drives: a new one where the last has reached its exit, and resumed where a trial left it paused. */
async function driving(): Promise<void> {
  if (runId !== '' && finished(await details())) {
    await newWorld();
    runId = '';
  }
  if (runId === '') await submit();
  if ((await details()).run.status === 'paused') return resume();
  const from = Date.now();
  await until(() => since(from).some(moves), 'the robot drives');
}

async function submit(): Promise<void> {
  const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  runId = run.run_id;
}

/** Asked for again where the order may be old because the host held the daemon up, as its hint says. */
const take = () =>
  until(
    () =>
      daemon.api.post<LeaseView>('/v1/lease', { ttl_ms: TTL_MS }).catch((thrown: unknown) => {
        if (EdgeError.from(thrown, 'internal.fault', 'take', 'lease').code === 'command.expired')
          return undefined;
        throw thrown;
      }),
    'the lease is taken',
  );

/** Resolves with the lease that holds then: on a busy host a hand may be later than its lease, and takes another. */
async function steer(lease: LeaseView, times: number): Promise<LeaseView> {
  let held = lease;
  for (let i = 0; i < times; i++) {
    const order = { lease_id: held.lease_id, twist: { linear: 0, angular: 0.5 } };
    const refused = await daemon.api.post('/v1/teleop', order).then(
      () => undefined,
      (thrown: unknown) => EdgeError.from(thrown, 'internal.fault', 'steer', 'lease'),
    );
    // A hand steers on: one command that is too old is no end.
    if (refused && !['lease.lost', 'command.expired'].includes(refused.code)) throw refused;
    if (refused) i--;
    if (refused?.code === 'lease.lost') held = await take();
    await wait(50);
  }
  return held;
}

/** A lease that has expired meanwhile is given back as well. */
const giveBack = (lease: LeaseView) =>
  daemon.api.post('/v1/lease/return', { lease_id: lease.lease_id }).catch((thrown: unknown) => {
    if (EdgeError.from(thrown, 'internal.fault', 'return', 'lease').code !== 'lease.lost') throw thrown;
  });

/** The run is paused with the name of the person, and stays so; the answer says who that is. */
async function paused(holder: string | undefined): Promise<void> {
  const { run, reason } = await until(async () => {
    const now = await details();
    return now.run.status === 'running' ? undefined : now;
  }, 'the run is paused');
  expect(`${run.status}: ${reason}`).toBe(`paused: taken over by ${holder} (teleoperation)`);
}

async function resume(): Promise<void> {
  const from = Date.now();
  await daemon.api.post(`/v1/runs/${runId}/resume`, {});
  await until(() => since(from).some(moves), 'the robot drives on');
}

describe('a person who takes the robot over from a mission', () => {
  it.each(SEEDS)('has it alone until the run is resumed (seed %i)', { timeout: 120_000 }, async (seed) => {
    const random = seeded(seed);
    await driving();
    await wait(Math.round(50 + 1_200 * random()));
    let lease: LeaseView;
    for (;;) {
      lease = await take();
      if (!finished(await details())) break;
      // The mission reached its exit in this moment: another one, another try.
      await giveBack(lease);
      await driving();
    }
    const granted = Date.now();
    await wait(Math.round(400 * random()));
    const steered = Date.now();
    expect(since(granted, steered).filter(moves)).toEqual([]);
    lease = await steer(lease, 2 + Math.round(4 * random()));
    expect(since(steered).some(moves)).toBe(true);
    // Half of them give the lease back, half lose their connection.
    const returns = random() < 0.5;
    if (returns) await giveBack(lease);
    const letGo = newest();
    await wait(LET_GO_MS + (returns ? 0 : TTL_MS));
    await paused(lease.holder);
    expect((await daemon.api.get<LeaseView>('/v1/lease')).state).toBe('free');
    await wait(Math.round(500 * random()));
    const now = Date.now();
    expect(lateAfter(letGo)).toEqual([]);
    expect(since(granted, now).filter(isAutonomous)).toEqual([]);
    await resume();
  });

  it('leaves the run as it was: it finds the exit after all that', { timeout: 240_000 }, async () => {
    const { run, reason } = await until(
      async () => {
        const now = await details();
        return finished(now) ? now : undefined;
      },
      'the run ends',
      220_000,
    );
    expect(`${run.status}: ${reason}`).toBe('succeeded: the exit is reached');
    expect(run.attempt).toBe(1);
  });

  it('is not disturbed by a mission that starts meanwhile: it waits', { timeout: 120_000 }, async () => {
    await newWorld();
    const lease = await take();
    const granted = Date.now();
    await submit();
    await until(async () => (await details()).run.status === 'paused', 'the new run is paused');
    await paused(lease.holder);
    await wait(TTL_MS + LET_GO_MS);
    expect(since(granted).filter(moves)).toEqual([]);
    await resume();
  });

  it.each(['runtime', 'execution'] as const)(
    'also when the %s cell is killed',
    {
      timeout: 180_000,
    },
    async (cell) => {
      await driving();
      let lease = await take();
      const granted = Date.now();
      lease = await steer(lease, 2);
      await paused(lease.holder);
      const pid = await daemon.pidOf(cell);
      process.kill(pid, 'SIGKILL');
      const killed = newest();
      await until(async () => (await daemon.pidOf(cell)) !== pid, `the ${cell} cell is up again`);
      await wait(TTL_MS + 2 * LET_GO_MS);
      await paused(lease.holder);
      expect(since(granted).filter(isAutonomous)).toEqual([]);
      expect(lateAfter(killed)).toEqual([]);
      await until(async () => {
        await resume();
        return true;
      }, 'resumed');
    },
  );

  it('keeps the lease when the run is cancelled', { timeout: 180_000 }, async () => {
    await driving();
    const lease = await take();
    await paused(lease.holder);
    await daemon.api.post(`/v1/runs/${runId}/cancel`, { reason: 'test' });
    await until(async () => finished(await details()), 'the run is cancelled');
    // The end of a run stops what the run moves: the person steers on.
    const renewed = await daemon.api
      .post<LeaseView>('/v1/lease/renew', { lease_id: lease.lease_id })
      .catch((thrown: unknown) => EdgeError.from(thrown, 'internal.fault', 'renew', 'lease').code);
    expect(renewed).toMatchObject({ state: 'held', holder: lease.holder });
  });
});
