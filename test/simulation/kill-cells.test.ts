import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../contract/index.ts';
import {
  allEvents,
  auraison,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
} from '../support/daemon.ts';
import { Rampage, type Victim } from '../support/rampage.ts';
import { readersPython } from '../support/readers.ts';
import { accountOf, bagsOf, firstTrueTwist, foreignCount } from '../support/recordings.ts';

/** kill -9 of everything that can die, in turn, while a robot is under way in a maze. */
const ROUND: readonly Victim[] = ['execution', 'runtime', 'memory', 'link', 'sim'];
/** Cells along each side: large enough for a run to be under way most of the time, small enough for its end to come soon. */
const SIDE = '7';
const KILLS = 15;

const directory = freshDir('kill-cells');
let daemon: TestDaemon;
let rampage: Rampage;
let runId: string;

beforeAll(async () => {
  readersPython();
  daemon = await testDaemon(directory.path, {
    AURAISON_SIM_SPEED: '5',
    AURAISON_SIM_WIDTH: SIDE,
    AURAISON_SIM_HEIGHT: SIDE,
    // A central that never answers: without one the link would be no process that could be killed.
    AURAISON_LINK_CENTRAL_URL: 'http://127.0.0.1:1',
  });
  rampage = new Rampage(daemon);
});
afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

/** Why each cell was started, each time. */
async function startReasons(): Promise<string[]> {
  const starts = (await allEvents(daemon.api)).filter(
    (event): event is AgentEvent<'cell.started'> => event.kind === 'cell.started',
  );
  return starts.map(({ payload }) => payload.reason);
}

describe('a daemon under kill -9', () => {
  it(`survives ${KILLS} kills of its parts in turn; the others do not notice`, {
    timeout: 600_000,
  }, async () => {
    const told: string[] = [];
    runId = await rampage.ensureRun(undefined);
    for (let i = 0; i < KILLS; i++) {
      runId = await rampage.ensureRun(runId);
      const { victim, upAgainMs, othersGapMaxMs } = await rampage.kill(ROUND[i % ROUND.length]!);
      told.push(
        `kill ${i + 1}: ${victim} up again after ${upAgainMs.toFixed(0)} ms, longest silence of the others ${othersGapMaxMs} ms`,
      );
      // As an intent is acknowledged while everything is being killed, so it has to be there at the end.
      if (victim === 'execution') await rampage.submit();
    }
    console.log(told.join('\n'));
    // Each of them came back, and no other was started again; how soon depends on what else this machine does.
    expect((await startReasons()).filter((reason) => reason.startsWith('no heartbeat'))).toEqual([]);
  });

  it('detects a cell that hangs and starts it again', { timeout: 300_000 }, async () => {
    const told: string[] = [];
    for (const victim of ['execution', 'runtime', 'memory', 'link'] as const) {
      const { upAgainMs } = await rampage.kill(victim, 'SIGSTOP');
      told.push(`${victim} stopped: up again after ${upAgainMs.toFixed(0)} ms`);
    }
    console.log(told.join('\n'));
    const reasons = await startReasons();
    expect(reasons.filter((reason) => reason.startsWith('no heartbeat for'))).toHaveLength(4);
    expect(reasons.filter((reason) => reason === 'signal SIGKILL').length).toBeGreaterThanOrEqual(
      (KILLS / ROUND.length) * 4,
    );
  });

  it('finds the exit in the end: the run continued, attempt by attempt', { timeout: 300_000 }, async () => {
    // Back at the entrance: how long the rest takes is then that of any other run.
    await rampage.kill('sim');
    for (const id of rampage.accepted)
      if (id !== runId) await daemon.api.post(`/v1/runs/${id}/cancel`, { reason: 'not needed any more' });
    const { run, reason } = await finishedRun(daemon.api, runId, 240_000);
    expect(`${run.status}: ${reason}`).toBe('succeeded: the exit is reached');
    const events = await allEvents(daemon.api);
    const attempts = events.filter((event) => event.kind === 'run.started' && event.run_id === runId);
    expect(attempts.length).toBe(run.attempt);
    const everyRunEnded = [...rampage.accepted].filter(
      (id) => !events.some((event) => event.kind === 'run.finished' && event.run_id === id),
    );
    expect(everyRunEnded).toEqual([]);
    console.log(`run ${runId}: ${run.attempt} attempts; ${rampage.accepted.size} intents`);
  });

  it('kept every event it ever told, and every intent it accepted', async () => {
    const events = await allEvents(daemon.api);
    expect(rampage.broken(events)).toEqual([]);
    const opened = new Set(events.filter(({ kind }) => kind === 'intent.accepted').map((e) => e.run_id));
    expect([...rampage.accepted].filter((id) => !opened.has(id))).toEqual([]);
    const verdict = auraison(['log', 'verify', '--json', '--data-dir', directory.path]);
    expect(JSON.parse(verdict.stdout)).toMatchObject({ ok: true });
    console.log(`${rampage.promised.size} events were promised, ${events.length} are there`);
  });

  it('recorded everything but the open chunk of each kill of its own', { timeout: 120_000 }, async () => {
    expect(await daemon.stop()).toBe(0);
    // A daemon without a robot has a look: nothing of the former ones is left unsealed or untold.
    const later = await testDaemon(directory.path, { AURAISON_ROBOT_SOURCE: 'none' });
    const events = await allEvents(later.api);
    await later.stop();
    const { received, written, dropped } = accountOf(events);
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    expect(received).toBe(written + lost);
    expect(Object.keys(dropped).filter((reason) => reason !== 'crash')).toEqual([]);
    expect(await foreignCount(directory.path)).toBe(written);
    const own = rampage.kills.filter(({ victim }) => victim === 'execution').length;
    console.log(
      `recorder: received ${received} = written ${written} + lost ${lost} in ${own} kills of its own: ${(lost / own).toFixed(0)} messages each`,
    );
    // A chunk is open for 200 ms; five times real time these are some 150 messages, more on a busy machine.
    expect(lost / own).toBeLessThan(1_500);
  });

  it('the robot stood still whenever a new execution cell met it', async () => {
    const twists = (await Promise.all(bagsOf(directory.path).map(firstTrueTwist))).filter(
      (twist) => twist !== undefined,
    );
    expect(twists.length).toBeGreaterThanOrEqual(KILLS / ROUND.length);
    for (const { linear, angular } of twists) {
      expect(linear).toBeLessThan(0.03);
      expect(angular).toBeLessThan(0.1);
    }
  });
});
