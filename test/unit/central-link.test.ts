import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutBatch } from '../../central-link/batch.ts';
import { type AgentEvent, EdgeError, LIMITS, METHODS } from '../../contract/index.ts';
import { FakeCentral, type Mood, SlowCentral } from '../fakes/fake-central.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeLinkRig } from '../support/link-rig.ts';
import { TinyLog } from '../support/tiny-log.ts';

const LANES = ['events.runtime', 'events.execution', 'events.memory', 'events.link'];
const kinds = (events: readonly AgentEvent[]) => events.map((event) => event.kind);

async function started(central: FakeCentral | undefined, fill = 0, clock = new ManualClock()) {
  const rig = makeLinkRig(clock, central);
  for (const log of Object.values(rig.logs)) log.fill(fill);
  await rig.cell.start();
  /** Lets time pass in small steps, and after each lets everything run that does not wait for time. */
  const pass = async (ms: number) => {
    for (let rest = ms; rest > 0; rest -= 250) {
      await setImmediate();
      await clock.advance(Math.min(rest, 250));
    }
    await setImmediate();
  };
  const complete = () => {
    for (const lane of LANES) {
      const cell = lane.slice(7);
      const own = cell === 'link' ? rig.own.events : rig.logs[cell as 'runtime'].events;
      const held = central!.held(lane);
      expect(`${lane} ${held.length}`).toBe(`${lane} ${own.length}`);
      expect(held.every((event, i) => event.hash === own[i]!.hash)).toBe(true);
    }
  };
  return { clock: { advance: pass }, settle: () => pass(50), complete, ...rig };
}

describe('link cell', () => {
  it('does nothing where no central is configured', async () => {
    const { cell, ask, own, clock } = await started(undefined, 3);
    await clock.advance(60_000);
    expect(await ask(METHODS.link.status)).toEqual({
      ready: true,
      state: 'off',
      reason: 'no central is configured',
      lanes: {},
    });
    expect(await ask(METHODS.link.sync)).toMatchObject({ state: 'off' });
    expect(own.events).toEqual([]);
    await cell.stop();
  });

  it('ships all logs, its own included, and then falls silent', async () => {
    const central = new FakeCentral();
    const { clock, settle, complete, own, ask, cell } = await started(central, 1_203);
    await settle();
    await clock.advance(20_000);
    complete();
    const status = await ask(METHODS.link.status);
    expect(status.state).toBe('connected');
    expect(status.lanes['events.runtime']).toEqual({ sent: 1_203, last: 1_203 });
    const written = own.events.length;
    const pushes = central.pushes.length;
    await clock.advance(600_000);
    expect(own.events.length).toBe(written);
    expect(central.pushes.length).toBe(pushes);
    expect(kinds(own.events).filter((kind) => kind === 'link.state')).toHaveLength(1);
    await cell.stop();
  });

  it('keeps the newest receipt of every lane in its log', async () => {
    const central = new FakeCentral();
    const { clock, settle, own, logs, grew, cell } = await started(central, 10);
    await settle();
    logs.runtime.fill(5);
    grew();
    await clock.advance(LIMITS.LINK_RECEIPT_EVERY_MS);
    for (const [lane, seq] of [
      ['events.runtime', 15],
      ['events.execution', 10],
      ['events.memory', 10],
    ] as const) {
      const receipts = own.events.filter((e) => e.kind === 'link.receipt' && e.payload.lane === lane);
      expect(receipts.at(-1)?.payload).toMatchObject({ seq, receipt: 'fake' });
    }
    await cell.stop();
  });

  it('writes few receipts under steady load', async () => {
    const central = new FakeCentral();
    const { clock, settle, own, logs, grew, complete, cell } = await started(central, 1);
    await settle();
    for (let i = 0; i < 600; i++) {
      logs.runtime.fill(1);
      grew();
      await clock.advance(50);
    }
    await clock.advance(5_000);
    complete();
    // 30 s: at most one per second for the runtime lane, one per second for the own lane, and the first ones.
    expect(own.events.length).toBeLessThan(75);
    await cell.stop();
  });

  it('waits for a central that is absent and says so once', async () => {
    const central = new FakeCentral();
    central.mood = 'down';
    const { clock, complete, own, ask, cell, grew } = await started(central, 20);
    for (let i = 0; i < 100; i++) {
      grew();
      await clock.advance(6_000);
    }
    expect(kinds(own.events)).toEqual(['link.state']);
    expect(await ask(METHODS.link.status)).toMatchObject({
      state: 'disconnected',
      reason: 'nobody is there',
    });
    expect(cell.work()[0]).toMatchObject({ waiting: 0 });
    central.mood = 'well';
    await clock.advance(LIMITS.LINK_RETRY_MAX_MS + 5_000);
    complete();
    expect(own.events.filter((e) => e.kind === 'link.state').map((e) => e.payload.state)).toEqual([
      'disconnected',
      'connected',
    ]);
    await cell.stop();
  });

  it('does not write about a wire that drops now and then', async () => {
    const central = new FakeCentral();
    const { clock, settle, own, logs, grew, complete, cell } = await started(central, 5);
    await settle();
    for (let i = 0; i < 50; i++) {
      central.mood = i % 4 === 0 ? 'lose-answer' : 'well';
      logs.runtime.fill(1);
      grew();
      await clock.advance(600);
    }
    central.mood = 'well';
    await clock.advance(10_000);
    complete();
    expect(kinds(own.events).filter((kind) => kind === 'link.state')).toHaveLength(1);
    await cell.stop();
  });

  it('tries at once when a person asks, and answers when all is acknowledged', async () => {
    const central = new FakeCentral();
    central.mood = 'down';
    const { clock, settle, ask, logs, cell } = await started(central, 20);
    await clock.advance(120_000);
    central.mood = 'well';
    logs.memory.fill(3);
    const answer = ask(METHODS.link.sync);
    await settle();
    expect((await answer).lanes['events.memory']).toEqual({ sent: 23, last: 23 });
    central.mood = 'deaf';
    logs.memory.fill(1);
    const late = ask(METHODS.link.sync, { timeoutMs: 2_000 });
    await clock.advance(2_001);
    expect((await late).lanes['events.memory']!.sent).toBe(23);
    await cell.stop();
  });

  it('gives up on a deaf central by its deadline and stops in time', async () => {
    const central = new FakeCentral();
    central.mood = 'deaf';
    const { clock, ask, cell } = await started(central, 5);
    await clock.advance(2 * LIMITS.LINK_REQUEST_MS + 10);
    expect(await ask(METHODS.link.status)).toMatchObject({ state: 'disconnected' });
    await clock.advance(LIMITS.LINK_RETRY_FIRST_MS);
    const stopped = cell.stop();
    await clock.advance(1_500);
    await stopped;
    expect(central.closed).toBe(true);
  });

  it('sends again what a central restored from a backup lacks, also while idle', async () => {
    const central = new FakeCentral();
    const { clock, settle, complete, cell } = await started(central, 30);
    await settle();
    for (const events of central.lanes.values()) events.splice(events.length > 12 ? 12 : 1);
    await clock.advance(LIMITS.LINK_PROBE_MS + 5_000);
    complete();
    await cell.stop();
  });

  it('stops only the lane in which central holds other data, and overwrites nothing', async () => {
    const central = new FakeCentral();
    const other = new TinyLog('runtime', 2_000);
    other.append({ kind: 'cell.stopped', payload: { reason: 'another life' } });
    await central.push({
      robot: 'tb1',
      epoch: other.events[0]!.event_id,
      lane: LANES[0]!,
      events: other.events,
    });
    const { clock, settle, own, ask, logs, cell } = await started(central, 30);
    await settle();
    await clock.advance(60_000);
    const { lanes, reason } = await ask(METHODS.link.status);
    expect(lanes['events.runtime']!.fault).toContain('another event 1');
    expect(reason).toContain('events.runtime');
    expect(lanes['events.memory']).toEqual({ sent: 30, last: 30 });
    expect(central.held('events.runtime')).toEqual(other.events);
    const degraded = own.events.filter((e) => e.kind === 'cell.degraded');
    expect(degraded.map((e) => e.payload.error.code)).toEqual(['link.conflict']);
    logs.memory.fill(1);
    await clock.advance(5_000);
    expect(central.held('events.memory')).toHaveLength(31);
    await cell.stop();
  });

  it('stops a lane whose log was set back', async () => {
    const central = new FakeCentral();
    const { clock, settle, ask, logs, cell } = await started(central, 30);
    await settle();
    logs.memory.events.splice(10);
    await clock.advance(LIMITS.LINK_PROBE_MS + 5_000);
    expect((await ask(METHODS.link.status)).lanes['events.memory']!.fault).toContain('set back');
    await cell.stop();
  });

  it('begins a new epoch when a log was replaced', async () => {
    const central = new FakeCentral();
    const { clock, settle, logs, grew, cell } = await started(central, 30);
    await settle();
    logs.memory.events.splice(0, 30, ...new TinyLog('memory', 7_000).fill(45).events);
    grew();
    await clock.advance(5_000);
    expect(central.held('events.memory')).toHaveLength(75);
    await cell.stop();
  });

  it('sends less at once to a central that takes less', async () => {
    const central = new FakeCentral();
    central.eventsMax = 7;
    const { settle, complete, clock, cell } = await started(central, 100);
    await settle();
    await clock.advance(5_000);
    complete();
    await cell.stop();
  });

  it('sends less at once over a line that takes long, more again when it can, and says when it is cut', async () => {
    const clock = new ManualClock();
    const central = new SlowCentral(clock);
    const { clock: time, complete, own, logs, grew } = await started(central, 0, clock);
    const pad = { phase: 'x', reason: '', facts: { pad: 'z'.repeat(100_000) } };
    for (let n = 0; n < 60; n++) logs.runtime.append({ kind: 'run.phase', payload: pad });
    // A push of 4 MB takes 16 s at this rate, and is given up after 10.
    central.bytesPerMs = 250;
    grew();
    await time.advance(180_000);
    complete();
    expect(central.given).toBeLessThan(6);
    // Nothing comes through although the question where it stands is answered: that is an outage.
    central.bytesPerMs = 0.01;
    for (let n = 0; n < 3; n++) logs.runtime.append({ kind: 'run.phase', payload: pad });
    grew();
    await time.advance(120_000);
    const states = () =>
      own.events.flatMap(({ kind, payload }) =>
        kind === 'link.state' ? [(payload as { state: string }).state] : [],
      );
    expect(states()).toEqual(['connected', 'disconnected']);
    central.bytesPerMs = 25_000;
    for (let n = 0; n < 200; n++) logs.runtime.append({ kind: 'run.phase', payload: pad });
    grew();
    await time.advance(120_000);
    complete();
    expect(states()).toEqual(['connected', 'disconnected', 'connected']);
    expect(central.largest).toBeGreaterThan(2_000_000);
  });

  it('is connected for the lanes that go on, where one stands still after a push that got no answer', async () => {
    const clock = new ManualClock();
    const central = new SlowCentral(clock);
    const { clock: time, own, logs, grew } = await started(central, 3, clock);
    await time.advance(1_000);
    const pad = { phase: 'x', reason: '', facts: { pad: 'z'.repeat(100_000) } };
    for (let n = 0; n < 3; n++) logs.runtime.append({ kind: 'run.phase', payload: pad });
    central.bytesPerMs = 15;
    grew();
    await time.advance(15_000);
    expect(central.given).toBeGreaterThan(0);
    // And now it takes nothing of this size at all.
    central.bytesPerMs = Number.POSITIVE_INFINITY;
    central.bytesMost = 50_000;
    await time.advance(60_000);
    logs.memory.fill(5);
    grew();
    await time.advance(60_000);
    expect(central.held('events.memory').length).toBe(logs.memory.events.length);
    const states = own.events.filter(({ kind }) => kind === 'link.state').map(({ payload }) => payload);
    expect(states.at(-1)).toMatchObject({ state: 'connected' });
  });

  it('is connected for the lanes that go on, where one may not leave after a push that got no answer', async () => {
    const clock = new ManualClock();
    const central = new SlowCentral(clock);
    const { clock: time, logs, grew, ask } = await started(central, 3, clock);
    await time.advance(1_000);
    logs.runtime.append({
      kind: 'run.phase',
      payload: { phase: 'x', reason: 'z'.repeat(300_000), facts: {} },
    });
    central.bytesPerMs = 15;
    grew();
    await time.advance(15_000);
    expect(central.given).toBeGreaterThan(0);
    expect(await ask(METHODS.link.status)).toMatchObject({ state: 'disconnected' });
    const push = central.push.bind(central);
    central.push = async (batch) => {
      if (batch.lane !== 'events.runtime') return await push(batch);
      throw new EdgeError('policy.denied', { operation: 'push', subject: batch.lane });
    };
    await time.advance(60_000);
    logs.memory.fill(1);
    grew();
    await time.advance(5_000);
    expect(central.held('events.memory')).toHaveLength(4);
    expect(await ask(METHODS.link.status)).toMatchObject({ state: 'connected', reason: '' });
  });

  it('goes on without a log that cannot be read', async () => {
    const central = new FakeCentral();
    const { settle, logs, complete, clock, cell, ask } = await started(central, 10);
    const { reader } = logs.execution;
    logs.execution.reader = () => {
      throw new EdgeError('log.failed', { operation: 'open', subject: 'execution' });
    };
    await settle();
    expect(central.held('events.memory').length).toBeGreaterThan(0);
    logs.execution.reader = reader;
    await ask(METHODS.link.sync);
    await clock.advance(60_000);
    complete();
    await cell.stop();
  });

  it('delivers each event once whatever happens to central on the way', async () => {
    const mood = fc.constantFrom<Mood>('well', 'well', 'down', 'deaf', 'lose-answer');
    const step = fc.record({
      mood,
      runtime: fc.nat(900),
      execution: fc.nat(60),
      waitMs: fc.integer({ min: 1, max: 40_000 }),
      forget: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const central = new FakeCentral();
        const { clock, logs, grew, complete, cell } = await started(central, 1);
        for (const { mood, runtime, execution, waitMs, forget } of steps) {
          central.mood = mood;
          logs.runtime.fill(runtime);
          logs.execution.fill(execution);
          if (forget > 17) for (const events of central.lanes.values()) events.splice(forget);
          grew();
          await clock.advance(waitMs);
        }
        central.mood = 'well';
        await clock.advance(2 * LIMITS.LINK_REQUEST_MS + LIMITS.LINK_RETRY_MAX_MS * 2 + LIMITS.LINK_PROBE_MS);
        complete();
        await cell.stop();
      }),
      { numRuns: 40 },
    );
  });
});

describe('cutBatch', () => {
  it('keeps batches below the limit of bytes and never sends none', () => {
    const log = new TinyLog('runtime');
    for (let i = 0; i < 40; i++) {
      log.append({
        kind: 'run.phase',
        payload: { phase: 'x', reason: '', facts: { pad: 'z'.repeat(200_000) } },
      });
    }
    const { LINK_BATCH_BYTES_MAX: most } = LIMITS;
    const batch = cutBatch(log.reader(), 0, most);
    expect(batch).toHaveLength(20);
    expect(cutBatch(log.reader(), 39, most)).toHaveLength(1);
    expect(cutBatch(log.reader(), 40, most)).toHaveLength(0);
    expect(cutBatch(log.reader(), 5, 700_000).map((event) => event.seq)).toEqual([6, 7, 8]);
    expect(cutBatch(log.reader(), 5, 1).map((event) => event.seq)).toEqual([6]);
    const small = new TinyLog('runtime').fill(2_000);
    expect(cutBatch(small.reader(), 0, most)).toHaveLength(LIMITS.LINK_BATCH_EVENTS_MAX);
  });
});
