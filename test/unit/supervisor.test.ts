import { describe, expect, it } from 'vitest';
import type { CellName } from '../../contract/index.ts';
import type { FromCell, ToCell } from '../../daemon/cell/wire.ts';
import type { CarrierEvents, SpawnCell } from '../../daemon/supervisor/cell-process.ts';
import { beat, judge, newborn, restartDelayMs } from '../../daemon/supervisor/liveness.ts';
import { START_ORDER, Supervisor } from '../../daemon/supervisor/supervisor.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** Cells that answer by script: what a real process would send, without one. */
class FakeCells {
  readonly received: { cell: CellName; message: ToCell }[] = [];
  readonly spawned: CellName[] = [];
  readonly stopped: CellName[] = [];
  readonly #events = new Map<CellName, CarrierEvents>();
  readonly #alive = new Set<CellName>();
  readonly #clock: ManualClock;
  failing = new Set<CellName>();
  deafToStop = new Set<CellName>();
  deafToStart = new Set<CellName>();
  /** Crash as soon as they are told to start. */
  dying = new Set<CellName>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  readonly spawn: SpawnCell = (name, events) => {
    this.spawned.push(name);
    this.#events.set(name, events);
    this.#alive.add(name);
    const heart = this.#clock.every(250, () => {
      if (this.#alive.has(name) && !this.hung.has(name))
        events.onMessage({ t: 'heartbeat', work: this.work.get(name) ?? [], rssBytes: 1 });
    });
    queueMicrotask(() => events.onMessage({ t: 'booted' }));
    return {
      pid: this.spawned.length,
      post: (message) => this.#obey(name, message, events),
      kill: () => {
        heart.cancel();
        this.die(name, 'signal SIGKILL');
      },
    };
  };

  readonly hung = new Set<CellName>();
  readonly work = new Map<CellName, { name: string; done: number; waiting: number }[]>();

  say(name: CellName, message: FromCell): void {
    this.#events.get(name)!.onMessage(message);
  }

  die(name: CellName, reason: string): void {
    if (!this.#alive.delete(name)) return;
    this.#events.get(name)!.onExit(reason);
  }

  #obey(name: CellName, message: ToCell, events: CarrierEvents): void {
    this.received.push({ cell: name, message });
    if (message.t === 'start' && this.dying.has(name)) queueMicrotask(() => this.die(name, 'signal SIGSEGV'));
    else if (message.t === 'start' && !this.deafToStart.has(name)) {
      const error = {
        code: 'host.missing',
        operation: 'start',
        subject: name,
        message: 'no',
        hint: '',
        retryable: true,
      } as const;
      queueMicrotask(() =>
        events.onMessage(this.failing.has(name) ? { t: 'failed', error } : { t: 'started' }),
      );
    }
    if (message.t === 'stop' && !this.deafToStop.has(name)) {
      this.stopped.push(name);
      queueMicrotask(() => this.die(name, 'exit code 0'));
    }
  }
}

function setup() {
  const clock = new ManualClock();
  const cells = new FakeCells(clock);
  const told: string[] = [];
  const supervisor = new Supervisor({
    clock,
    spawn: cells.spawn,
    notify: {
      ready: () => told.push('ready'),
      status: () => {},
      reloading: () => told.push('reloading'),
      watchdog: () => told.push('watchdog'),
      stopping: () => told.push('stopping'),
    },
    report: () => {},
    watchdogMs: 5_000,
  });
  const state = (name: CellName) => supervisor.reports().find((r) => r.name === name)!;
  return { clock, cells, supervisor, told, state };
}

describe('the supervisor', () => {
  it('starts the cells in order, says ready, and stops them in reverse', async () => {
    const { supervisor, cells, told } = setup();
    await supervisor.start();
    expect(cells.received.filter((r) => r.message.t === 'start').map((r) => r.cell)).toEqual(START_ORDER);
    expect(told).toEqual(['ready']);
    await supervisor.stop();
    expect(cells.stopped).toEqual([...START_ORDER].reverse());
    expect(supervisor.reports().every((r) => r.state === 'stopped')).toBe(true);
  });

  it('brings a killed cell back within a second and leaves the others alone', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    cells.die('memory', 'signal SIGKILL');
    expect(state('memory').state).toBe('down');
    await clock.advance(1_000);
    expect(state('memory')).toMatchObject({ state: 'up', restarts: 1 });
    expect(cells.spawned.filter((n) => n !== 'memory')).toHaveLength(3);
  });

  it('starts a cell anew when asked: stopped first, back at once, killed if it does not end', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    const [report] = await supervisor.renew(['memory'], 'the configuration changed');
    expect(report).toMatchObject({ name: 'memory', state: 'up', restarts: 1 });
    expect(cells.stopped).toEqual(['memory']);
    expect(cells.received.filter((r) => r.message.t === 'start').at(-1)?.message).toEqual({
      t: 'start',
      attempt: 1,
      reason: 'the configuration changed',
    });
    cells.deafToStop.add('memory');
    const renewed = supervisor.renew(['memory'], 'again');
    await clock.advance(6_000);
    expect(await renewed).toMatchObject([{ name: 'memory', state: 'up', restarts: 2 }]);
    // It came by order, not by a crash: the next crash is the first of its back-off.
    cells.die('memory', 'signal SIGKILL');
    await clock.advance(300);
    expect(state('memory').state).toBe('up');
  });

  it('stops everything while a cell is started anew', async () => {
    const { supervisor, cells } = setup();
    await supervisor.start();
    const renewed = supervisor.renew(['memory', 'runtime'], 'the configuration changed');
    await supervisor.stop();
    await renewed;
    expect(supervisor.reports().every((r) => r.state === 'stopped')).toBe(true);
    expect(cells.spawned.filter((name) => name === 'runtime')).toHaveLength(1);
  });

  it('tells the restarted cell why it was started', async () => {
    const { supervisor, cells, clock } = setup();
    await supervisor.start();
    cells.die('runtime', 'signal SIGSEGV');
    await clock.advance(1_000);
    const orders = cells.received
      .filter((r) => r.cell === 'runtime' && r.message.t === 'start')
      .map((r) => r.message);
    expect(orders.at(-1)).toEqual({ t: 'start', attempt: 1, reason: 'signal SIGSEGV' });
  });

  it('kills a cell whose event loop hangs and starts it again', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    cells.hung.add('execution');
    await clock.advance(2_600);
    cells.hung.delete('execution');
    await clock.advance(1_000);
    expect(state('execution')).toMatchObject({ state: 'up', restarts: 1 });
  });

  it('kills a cell that beats but whose waiting work stands still', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    cells.work.set('execution', [{ name: 'recorder', done: 5, waiting: 3 }]);
    await clock.advance(9_000);
    expect(state('execution').restarts).toBe(0);
    await clock.advance(2_000);
    cells.work.clear();
    await clock.advance(1_000);
    expect(state('execution').restarts).toBe(1);
  });

  it('doubles the delay of a cell that keeps dying, and is ready all the same', async () => {
    const { supervisor, cells, clock, told, state } = setup();
    cells.failing.add('memory');
    await supervisor.start();
    expect(told).toEqual(['ready']);
    await clock.advance(3_000);
    // 200, 400, 800 ms and 1.6 s: four tries fit into three seconds.
    expect(cells.spawned.filter((n) => n === 'memory')).toHaveLength(5);
    cells.failing.delete('memory');
    await clock.advance(4_000);
    expect(state('memory').state).toBe('up');
  });

  it('carries requests and answers, and answers for the dead at once', async () => {
    const { supervisor, cells } = setup();
    await supervisor.start();
    const request = { t: 'request', from: 'runtime', to: 'execution', madeAtMs: 0 } as const;
    cells.say('runtime', { ...request, id: 7, method: 'robot.state', body: 1n });
    expect(cells.received.at(-1)).toMatchObject({
      cell: 'execution',
      message: { t: 'request', method: 'robot.state', body: 1n },
    });
    cells.die('execution', 'signal SIGKILL');
    const answer = cells.received.filter((r) => r.message.t === 'response').at(-1);
    expect(answer).toMatchObject({
      cell: 'runtime',
      message: { t: 'response', id: 7, ok: false, body: { code: 'cell.restarted' } },
    });
    cells.say('runtime', { ...request, id: 8, method: 'robot.state', body: {} });
    expect(cells.received.filter((r) => r.message.t === 'response').at(-1)).toMatchObject({
      message: { id: 8, body: { code: 'cell.unavailable' } },
    });
  });

  it('gives the answer to a dead process to nobody: its successor asks other questions', async () => {
    const { supervisor, cells, clock } = setup();
    await supervisor.start();
    const ask = (method: string) =>
      cells.say('runtime', {
        t: 'request',
        id: 1,
        from: 'runtime',
        to: 'execution',
        method,
        body: {},
        madeAtMs: 0,
      });
    const asked = () =>
      cells.received.flatMap(({ cell, message }) =>
        cell === 'execution' && message.t === 'request' ? [message] : [],
      );
    const answer = (n: number, body: string) =>
      cells.say('execution', { t: 'response', id: asked()[n]!.id, to: 'runtime', ok: true, body });
    const heard = () =>
      cells.received.flatMap(({ cell, message }) =>
        cell === 'runtime' && message.t === 'response' ? [`${message.id} ${message.body}`] : [],
      );
    ask('plan.infer');
    cells.die('runtime', 'signal SIGKILL');
    await clock.advance(1_000);
    ask('estop.state');
    expect(asked().map(({ method }) => method)).toEqual(['plan.infer', 'estop.state']);
    answer(0, 'a plan');
    expect(heard()).toEqual([]);
    answer(1, 'released');
    answer(1, 'released twice');
    // Only who was asked may answer.
    ask('robot.state');
    cells.say('memory', { t: 'response', id: asked()[2]!.id, to: 'runtime', ok: true, body: 'forged' });
    expect(heard()).toEqual(['1 released']);
  });

  it('kills what does not stop within the shutdown limit', async () => {
    const { supervisor, cells, clock } = setup();
    await supervisor.start();
    cells.deafToStop.add('runtime');
    let done = false;
    void supervisor.stop().then(() => {
      done = true;
    });
    await clock.advance(5_000);
    expect(done).toBe(true);
    expect(cells.stopped).toEqual(['link', 'memory', 'execution']);
  });

  it('lets nobody keep the robot from its stop: runs end although the link does not', async () => {
    const { supervisor, cells, clock } = setup();
    await supervisor.start();
    cells.deafToStop.add('link');
    let done = false;
    void supervisor.stop().then(() => {
      done = true;
    });
    await clock.advance(100);
    expect(cells.stopped).toEqual(['runtime', 'memory', 'execution']);
    await clock.advance(4_900);
    expect(done).toBe(true);
  });

  it('starts the other cells although one dies while it boots, dies in its start, or never starts', async () => {
    const { supervisor, cells, clock, told, state } = setup();
    cells.dying.add('memory');
    cells.deafToStart.add('runtime');
    const started = supervisor.start();
    cells.die('execution', 'signal SIGKILL');
    await clock.advance(25_000);
    await started;
    expect(told).toContain('ready');
    expect(state('link').state).toBe('up');
    expect(state('execution')).toMatchObject({ state: 'up', restarts: 1 });
    expect(state('memory').restarts).toBeGreaterThan(3);
    cells.dying.delete('memory');
    await clock.advance(30_000);
    expect(state('memory').state).toBe('up');
  });

  it('does not take its own pause for the silence of the cells', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    await clock.advance(1_000);
    // Nothing of this process runs for a minute: neither heartbeats nor looks.
    clock.skip(60_000);
    await clock.advance(1_000);
    expect(cells.spawned).toHaveLength(4);
    expect(state('execution')).toMatchObject({ state: 'up', restarts: 0 });
  });

  it('tells the longest silence of a cell, and that it was killed for one', async () => {
    const { supervisor, cells, clock, state } = setup();
    await supervisor.start();
    await clock.advance(2_000);
    expect(state('memory').beatGapMaxMs).toBe(250);
    cells.hung.add('memory');
    await clock.advance(1_500);
    cells.hung.delete('memory');
    await clock.advance(500);
    expect(state('memory')).toMatchObject({ restarts: 0, beatGapMaxMs: 1_750 });
    cells.hung.add('memory');
    await clock.advance(2_100);
    expect(state('memory').reason).toMatch(/no heartbeat for \d+ ms/);
  });

  it('starves the watchdog when the execution cell does not come back, and only then', async () => {
    const { supervisor, cells, clock, told } = setup();
    await supervisor.start();
    const meals = () => told.filter((t) => t === 'watchdog').length;
    cells.failing.add('memory');
    cells.die('memory', 'signal SIGKILL');
    await clock.advance(200_000);
    expect(meals()).toBe(40);
    cells.failing.add('execution');
    cells.die('execution', 'signal SIGKILL');
    await clock.advance(200_000);
    const then = meals();
    expect(then).toBeGreaterThan(40);
    await clock.advance(60_000);
    expect(meals()).toBe(then);
  });

  it('feeds the watchdog in a single restart, however often it was reloaded before', async () => {
    const { supervisor, cells, clock, told } = setup();
    await supervisor.start();
    for (let n = 0; n < 20; n++) {
      const renewed = supervisor.renew(['execution'], 'reload');
      await clock.advance(1_000);
      await renewed;
    }
    await clock.advance(4_900);
    const before = told.filter((t) => t === 'watchdog').length;
    cells.dying.add('execution');
    cells.die('execution', 'signal SIGKILL');
    await clock.advance(5_000);
    expect(told.filter((t) => t === 'watchdog').length).toBe(before + 1);
  });

  it('feeds the watchdog while cells live', async () => {
    const { supervisor, clock, told } = setup();
    await supervisor.start();
    await clock.advance(11_000);
    expect(told.filter((t) => t === 'watchdog')).toHaveLength(2);
  });
});

describe('liveness', () => {
  it('forgives idle counters and judges standing ones', () => {
    let state = newborn(0);
    state = beat(state, 100, [{ name: 'ticks', done: 1, waiting: 0 }]);
    state = beat(state, 20_000, [{ name: 'ticks', done: 1, waiting: 0 }]);
    expect(judge(state, 20_100)).toEqual({ alive: true });
    state = beat(state, 20_200, [{ name: 'ticks', done: 1, waiting: 4 }]);
    state = beat(state, 40_000, [{ name: 'ticks', done: 1, waiting: 4 }]);
    expect(judge(state, 40_000)).toMatchObject({ alive: false, reason: expect.stringContaining('ticks') });
    state = beat(state, 40_100, [{ name: 'ticks', done: 2, waiting: 4 }]);
    expect(judge(state, 40_100)).toEqual({ alive: true });
  });

  it('backs off from 200 ms to 30 s and no further', () => {
    expect([1, 2, 3, 4, 9, 100].map(restartDelayMs)).toEqual([200, 400, 800, 1_600, 30_000, 30_000]);
  });
});
