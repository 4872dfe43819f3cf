import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import type {
  Application,
  Harness,
  NewEvent,
  QuotaMetric,
  QuotaRule,
  QuotaWindow,
  Tool,
} from '../../contract/index.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { quotaGovernance } from '../support/quota-governance.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';
import { uuid } from '../support/tiny-log.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const RUN = uuid(1);
const ruled = (metric: QuotaMetric, window: QuotaWindow, limit: number): QuotaRule => ({
  ...{ tenant: 'lab', metric, window, limit },
});
const at = (iso: string) => BigInt(Date.parse(iso)) * 1_000_000n;

/** A daemon that is started again and again over the same log. */
class Lives {
  readonly clock: ManualClock;
  readonly #rules: readonly QuotaRule[];
  readonly #disk = new MemoryLogDisk();
  #log!: MemoryEventLog;
  #book!: QuotaBook;

  constructor(start: string, rules: readonly QuotaRule[]) {
    this.clock = new ManualClock(at(start));
    this.#rules = rules;
  }

  async start(): Promise<void> {
    this.#disk.writer = undefined;
    this.#log = new MemoryEventLog({ cell: 'runtime', clock: this.clock, disk: this.#disk });
    // As the host of the cell does, before anything is read.
    const told = { pid: 1, attempt: 0, reason: 'start', version: '1' };
    await this.#log.append([{ kind: 'cell.started', payload: told }]);
    const time = new LatestTime(this.clock);
    this.#book = new QuotaBook(this.#rules, time, () => 'lab');
    const governance = quotaGovernance(this.clock, time, this.#book);
    await governance.begin(this.#log.reader(), {} as never, async () => {});
    await governance.end();
  }

  async emit(...events: NewEvent[]): Promise<void> {
    this.#book.observe(await this.#log.append(events));
  }

  quotas() {
    return this.#book.quotas('lab').map(({ used, left, renews_ts }) => ({
      ...{ used, left },
      renews: renews_ts && new Date(Number(BigInt(renews_ts) / 1_000_000n)).toISOString(),
    }));
  }
}

const called = (n: number, deadline_ms = 2 * HOUR): NewEvent => ({
  kind: 'tool.called',
  run_id: RUN,
  payload: {
    ...{ call_id: uuid(n), tool: 'robot.navigate', args: {}, deadline_ms },
    ...{ effect: 'actuate', replay: 'probe' },
  },
});
const returned = (n: number, duration_ms: number): NewEvent => ({
  kind: 'tool.returned',
  run_id: RUN,
  payload: { call_id: uuid(n), tool: 'robot.navigate', ok: true, result: {}, duration_ms },
});
const begun = (attempt: number): NewEvent => ({ kind: 'run.started', run_id: RUN, payload: { attempt } });
const accepted = (n: number): NewEvent => ({
  kind: 'intent.accepted',
  run_id: uuid(n),
  payload: {
    app: 'x',
    intent: {
      ...{ intent_id: uuid(1_000 + n), type: 'test/run', params: {} },
      ...{ policy_ctx: PERSON, targets: [], priority: 5 },
    },
  },
});

/** An application whose agent has one tool. */
const agentApp = (tool: Tool): Application => ({
  ...flowApp(
    'sweep',
    oneState(async () => ({ event: 'ok', reason: '' })),
  ),
  harness: 'pi',
  agent: { instructions: '', prompt: () => '', tools: ['arm.*'], turnsMax: 1 },
  tools: [tool],
});

describe('motion after a restart', () => {
  it('that began in the window before counts where it ended', async () => {
    const lives = new Lives('2026-05-01T10:05:00Z', [ruled('actuation_seconds', 'hour', 1_800)]);
    await lives.start();
    await lives.emit(called(2));
    await lives.clock.advance(58 * MINUTE);
    await lives.emit(returned(2, 58 * MINUTE));
    const live = lives.quotas();
    expect(live).toEqual([{ used: 3_480, left: 0, renews: '2026-05-01T12:00:00.000Z' }]);
    await lives.start();
    expect(lives.quotas()).toEqual(live);
    // Paid for once, in its window.
    await lives.clock.advance(HOUR);
    await lives.start();
    expect(lives.quotas()).toMatchObject([{ used: 0, left: 1_800 }]);
  });

  it('that was under way in the window before and ends after the restart counts', async () => {
    const lives = new Lives('2026-05-01T10:50:00Z', [ruled('actuation_seconds', 'hour', 1_800)]);
    await lives.start();
    await lives.emit(called(2));
    await lives.clock.advance(20 * MINUTE);
    await lives.start();
    await lives.emit(returned(2, 20 * MINUTE));
    expect(lives.quotas()).toMatchObject([{ used: 1_200 }]);
  });

  it('counts before and after the cut where it was repeated, and never beyond its deadline each time', async () => {
    const lives = new Lives('2026-05-01T10:00:00Z', [ruled('actuation_seconds', 'day', 10_000)]);
    await lives.start();
    await lives.emit(begun(1), called(2, 5 * MINUTE));
    await lives.clock.advance(2 * MINUTE);
    await lives.start();
    await lives.emit(begun(2));
    expect(lives.quotas()).toMatchObject([{ used: 120 }]);
    // The next cut comes while it is repeated, and the robot is without power for a night.
    await lives.clock.advance(8 * HOUR);
    await lives.start();
    await lives.emit(begun(3), returned(2, MINUTE));
    expect(lives.quotas()).toMatchObject([{ used: 120 + 300 + 60 }]);
    await lives.start();
    expect(lives.quotas()).toMatchObject([{ used: 120 + 300 + 60 }]);
    // A clock that was set back cannot tell how long it was: as long as it may have been.
    await lives.emit(called(3, 10 * MINUTE));
    lives.clock.jumpWall(-at('1970-01-01T01:00:00Z'));
    await lives.emit(begun(4), returned(3, 0));
    expect(lives.quotas()).toMatchObject([{ used: 480 + 600 }]);
  });
});

describe('a motion that a kill cut off', () => {
  type Setup = { readonly replay: 'never' | 'probe'; readonly stays?: boolean };

  /** An agent calls a tool that moves the robot for 100 s; before its answer is written everything dies. */
  async function killed({ replay, stays = true }: Setup): Promise<{ used: number; ends: number[] }> {
    const clock = new ManualClock();
    const tool: Tool = {
      spec: {
        ...{ name: 'arm.sweep', description: '', origin: 'app', effect: 'actuate', replay },
        ...{ input: Type.Object({}, { additionalProperties: false }), deadlineMs: 300_000 },
      },
      run: async () => {
        await clock.advance(100_000);
        return { result: {} };
      },
      probe: async () => ({ result: {} }),
    };
    const app = agentApp(tool);
    const harness: Harness = {
      kind: 'pi',
      execute: async ({ toolBox }) => {
        await toolBox.call('arm.sweep', {}, { originId: 'call_1' }).catch(() => {});
        return { status: 'succeeded', reason: '', summary: {} };
      },
    };
    const disk = new MemoryLogDisk();
    const life = (more: { cut?: Cut; apps?: boolean } = {}) => {
      const time = new LatestTime(clock);
      const book = new QuotaBook([ruled('actuation_seconds', 'total', 10_000)], time, () => 'lab');
      const governance = quotaGovernance(clock, time, book);
      const { cut, apps = true } = more;
      const rig = new RuntimeRig({
        ...{ apps: apps ? [app] : [], robot: new FakeRobot({ cells: 2 }), disk, clock },
        ...(cut ? { cut } : {}),
        options: { governance, harnesses: { pi: () => harness } },
      });
      return { rig, book };
    };
    const first = life({ cut: { append: await appendOfEnd(), when: 'before' } });
    await first.rig.cell.start();
    void first.rig.cell.submit({ type: 'sweep/go' }, PERSON).catch(() => {});
    await first.rig.finished();
    expect(first.rig.of('tool.returned')).toEqual([]);
    // It is started again soon: what drives the robot may not have heard of the cut.
    clock.skip(20_000);
    const second = life({ apps: stays });
    await second.rig.cell.start();
    await second.rig.finished();
    const ends = second.rig.of('tool.returned').map(({ payload }) => payload.duration_ms);
    const used = second.book.quotas('lab')[0]!.used;
    // One that reads all of it later knows the same.
    const later = new QuotaBook(
      [ruled('actuation_seconds', 'total', 10_000)],
      new LatestTime(clock),
      () => 'lab',
    );
    await later.load(new MemoryEventLog({ cell: 'runtime', clock, disk: reopened(disk) }).reader());
    expect(later.quotas('lab')[0]!.used).toBe(used);
    return { used, ends };

    /** Which append holds the end of the call, where nothing is cut. */
    async function appendOfEnd(): Promise<number> {
      const whole = new RuntimeRig({
        ...{ apps: [app], robot: new FakeRobot({ cells: 2 }), clock: new ManualClock() },
        options: { harnesses: { pi: () => harness } },
      });
      await whole.cell.start();
      await whole.cell.submit({ type: 'sweep/go' }, PERSON);
      await whole.finished();
      const end = whole.events.findIndex(({ kind }) => kind === 'tool.returned');
      let seen = 0;
      return (
        1 +
        whole.appends.findIndex((size) => {
          seen += size;
          return seen > end;
        })
      );
    }
  }

  it.each([
    ['that may have happened and is not repeated', { replay: 'never' }],
    ['that the world says is done', { replay: 'probe' }],
    ['whose application is gone', { replay: 'probe', stays: false }],
  ] as const)('%s costs what it drove until the robot is stopped', async (_what, setup) => {
    const { used, ends } = await killed(setup);
    expect(ends).toHaveLength(1);
    expect(used).toBeGreaterThanOrEqual(120);
    expect(used).toBeLessThan(130);
  });
});

function reopened(disk: MemoryLogDisk): MemoryLogDisk {
  disk.writer = undefined;
  return disk;
}

it('costs what a motion drove that its run left under way at its end', async () => {
  const clock = new ManualClock();
  const time = new LatestTime(clock);
  const book = new QuotaBook([ruled('actuation_seconds', 'total', 1_000)], time, () => 'lab');
  const { promise: moving, resolve: begun } = Promise.withResolvers<void>();
  const tool: Tool = {
    spec: {
      ...{ name: 'arm.sweep', description: '', origin: 'app', effect: 'actuate', replay: 'never' },
      ...{ input: Type.Object({}, { additionalProperties: false }), deadlineMs: 300_000 },
    },
    run: () => {
      begun();
      return new Promise<never>(() => {});
    },
  };
  const harness: Harness = {
    kind: 'pi',
    execute: async ({ toolBox }) => {
      void toolBox.call('arm.sweep', {}).catch(() => {});
      await moving;
      await clock.advance(40_000);
      return { status: 'succeeded', reason: '', summary: {} };
    },
  };
  const rig = new RuntimeRig({
    ...{ apps: [agentApp(tool)], robot: new FakeRobot({ cells: 2 }), clock },
    options: { governance: quotaGovernance(clock, time, book), harnesses: { pi: () => harness } },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'sweep/go' }, PERSON);
  await rig.finished();
  expect(rig.of('tool.returned')).toHaveLength(1);
  expect(book.quotas('lab')).toMatchObject([{ used: 40 }]);
});

describe('quotas after a clock that was in the future', () => {
  it.each([
    ['eight hours', 8 * HOUR],
    ['nine years', 9 * 365 * 24 * HOUR],
  ])('%s renew as the right clock says', async (_how, ahead) => {
    const lives = new Lives('2026-05-01T10:00:00Z', [ruled('runs', 'hour', 5)]);
    lives.clock.jumpWall(BigInt(ahead) * 1_000_000n);
    await lives.start();
    await lives.emit(accepted(10), accepted(11), accepted(12));
    lives.clock.jumpWall(BigInt(-ahead) * 1_000_000n);
    await lives.clock.advance(HOUR);
    await lives.emit(accepted(13));
    await lives.start();
    // When the first three were nobody knows: they count now, where a restart must not hide them.
    expect(lives.quotas()).toEqual([{ used: 4, left: 1, renews: '2026-05-01T12:00:00.000Z' }]);
    await lives.clock.advance(HOUR);
    expect(lives.quotas()).toEqual([{ used: 0, left: 5, renews: '2026-05-01T13:00:00.000Z' }]);
    await lives.emit(accepted(14));
    expect(lives.quotas()).toMatchObject([{ used: 1, left: 4 }]);
  });

  it('do not charge the days since to this one', async () => {
    const rules = [ruled('runs', 'day', 3), ruled('runs', 'total', 100)];
    const lives = new Lives('2026-05-01T10:00:00Z', rules);
    lives.clock.jumpWall(at('1979-01-01T00:00:00Z'));
    await lives.start();
    await lives.emit(accepted(10));
    lives.clock.jumpWall(-at('1979-01-01T00:00:00Z'));
    for (let day = 0; day < 5; day++) {
      await lives.clock.advance(24 * HOUR);
      await lives.emit(accepted(20 + day));
    }
    await lives.start();
    expect(lives.quotas()).toMatchObject([
      { used: 2, left: 1, renews: '2026-05-07T00:00:00.000Z' },
      { used: 6, left: 94 },
    ]);
  });
});

describe('quotas of a host that boots with the clock of its image', () => {
  const IMAGE = at('2024-03-01T00:00:00Z');

  /** Three runs a day for twenty days; then it is past ten in the morning of the last. */
  async function used(): Promise<Lives> {
    const lives = new Lives('2026-05-01T10:00:00Z', [ruled('runs', 'day', 10)]);
    for (let day = 0; day < 20; day++) {
      if (day > 0) await lives.clock.advance(24 * HOUR);
      await lives.start();
      for (let run = 0; run < 3; run++) await lives.emit(accepted(10 + 3 * day + run));
    }
    return lives;
  }

  it.each([
    ['once', 1],
    ['again and again', 4],
  ])('%s count as before, also when it is set', async (_how, boots) => {
    const lives = await used();
    const right = lives.clock.now();
    for (let boot = 0; boot < boots; boot++) {
      lives.clock.jumpWall(IMAGE - lives.clock.now());
      await lives.start();
      expect(lives.quotas()).toEqual([{ used: 3, left: 7, renews: '2026-05-21T00:00:00.000Z' }]);
      await lives.clock.advance(MINUTE);
    }
    lives.clock.jumpWall(right - lives.clock.now());
    expect(lives.quotas()).toMatchObject([{ used: 3, left: 7 }]);
  });

  it('renew by the time that it was up, where nobody ever sets it', async () => {
    const lives = await used();
    const found: number[] = [];
    for (let boot = 0; boot < 7; boot++) {
      lives.clock.jumpWall(IMAGE - lives.clock.now());
      await lives.start();
      found.push(lives.quotas()[0]!.used);
      for (let run = 0; run < 3; run++) await lives.emit(accepted(100 + 3 * boot + run));
      await lives.clock.advance(8 * HOUR);
      await lives.emit({ kind: 'cell.stopped', payload: { reason: 'off' } });
    }
    expect(found).toEqual([3, 6, 0, 3, 6, 0, 3]);
  });

  it('find what was spent on both sides of a boot of today', async () => {
    for (let boots = 1; boots <= 12; boots++) {
      const lives = await used();
      const right = lives.clock.now();
      lives.clock.jumpWall(IMAGE - lives.clock.now());
      for (let boot = 0; boot < boots; boot++) await lives.start();
      await lives.emit(accepted(80));
      lives.clock.jumpWall(right - lives.clock.now());
      await lives.emit(accepted(81));
      await lives.start();
      expect(lives.quotas()).toMatchObject([{ used: 5, left: 5 }]);
    }
  });
});
