import { describe, expect, it } from 'vitest';
import type { MotionResult, Sample, Twist2d } from '../../contract/index.ts';
import { CORE_DEFAULTS } from '../../daemon/execution/control/control-core.ts';
import type { FromControl, ToControl } from '../../daemon/execution/control/messages.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { runControlWorker } from '../../daemon/execution/control/worker.ts';
import { FlatWorld, type Wall } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STEP_MS = 50;
const YEARS_MS = 1e12;
/** Robots know the year; simulations count from zero. */
const TODAY = 1_700_000_000_000_000_000n;
/** A corridor with a wall at its end. */
const walls = (length: number): Wall[] => [
  [0, 0, length, 0],
  [0, 0, 0, 2],
  [length, 0, length, 2],
  [0, 2, length, 2],
];

/** A base that a person drives at full speed, its senses over a link of any lateness; the thread goes by its own clock. */
class Rig {
  readonly world: FlatWorld;
  readonly clock = new ManualClock();
  readonly stopped: string[] = [];
  /** Why it stands, as of the last step. */
  standing = '';
  readonly answers: MotionResult[] = [];
  readonly commands: Twist2d[] = [];
  steers = true;
  hasBumper = false;
  /** How late samples come, and how far the clock of this host is ahead of the robot's, milliseconds. */
  lateMs = 10;
  aheadMs = 0;
  readonly #travelling: { readonly at: number; readonly sample: Sample }[] = [];
  #tell: (message: ToControl) => void = () => {};

  constructor(length: number, control: Partial<typeof CORE_DEFAULTS.control> = {}, beginsAt = TODAY) {
    this.world = new FlatWorld({ walls: walls(length), start: { x: 0.6, y: 1, yaw: 0 }, seed: 3 });
    this.world.time = beginsAt;
    const port = {
      on: (_: string, listen: (message: never) => void) => {
        this.#tell = listen as (message: ToControl) => void;
      },
      postMessage: (message: unknown) => this.#hear(message as FromControl),
    };
    const options = { ...CORE_DEFAULTS, control: { ...CORE_DEFAULTS.control, ...control } };
    void runControlWorker(port, { policy: new PursuitPolicy(), clock: this.clock, options });
  }

  get last(): number {
    return this.commands.at(-1)?.linear ?? 0;
  }

  ask(message: ToControl): void {
    this.#tell(message);
  }

  /** `each` is called before each step with the seconds since the beginning of this run. */
  async run(seconds: number, each: (seconds: number) => void = () => {}): Promise<void> {
    for (let ms = 0; ms < seconds * 1_000; ms += STEP_MS) {
      each(ms / 1_000);
      for (const sample of this.world.advance()) {
        if (sample.topic === '/bumper' && !this.hasBumper) continue;
        const at = this.clock.monotonicMs() + STEP_MS + this.lateMs;
        const received = sample.stamp + BigInt(Math.round((this.lateMs + this.aheadMs) * 1e6));
        // A bumper has no stamp of its own: it is that of its receipt.
        const stamp = sample.topic === '/bumper' ? received : sample.stamp;
        this.#travelling.push({ at, sample: { ...sample, stamp, received } });
      }
      if (this.steers)
        this.#tell({
          kind: 'steer',
          twist: { linear: 1, angular: 0 },
          lease: 1,
          madeAtMs: this.clock.monotonicMs(),
        });
      for (let i = 0; i < STEP_MS; i += 10) {
        await this.clock.advance(10);
        const now = this.clock.monotonicMs();
        while (this.#travelling[0] && this.#travelling[0].at <= now)
          this.#tell({ kind: 'sample', sample: this.#travelling.shift()!.sample });
      }
    }
  }

  #hear(message: FromControl): void {
    if (message.kind === 'answer') this.answers.push(message.value as MotionResult);
    if (message.kind !== 'ticked') return;
    this.standing = message.result.standing ?? '';
    const { command, receipts } = message.result;
    if (command) {
      this.commands.push(command);
      this.world.command = command;
    }
    for (const receipt of receipts) if (receipt.kind === 'safety.stopped') this.stopped.push(receipt.reason);
  }
}

async function driving(rig: Rig): Promise<Rig> {
  await rig.run(1.5);
  expect(rig.last).toBeGreaterThan(0.4);
  rig.stopped.length = 0;
  return rig;
}

/** It drives on undisturbed, and stands before the wall once its senses come too late. */
async function drivesUntilLate(rig: Rig): Promise<void> {
  await driving(rig);
  await rig.run(3);
  expect(rig.stopped).toEqual([]);
  expect(rig.last).toBeGreaterThan(0.4);
  rig.lateMs = 600;
  await rig.run(8);
  expect(rig.world.contacts).toBe(0);
  expect(rig.last).toBe(0);
}

describe('a base whose senses come late', () => {
  it('stands, and says so, when the link becomes late by more than it may see', async () => {
    const rig = await driving(new Rig(4));
    rig.lateMs = 600;
    await rig.run(8);
    expect(rig.world.contacts).toBe(0);
    expect(rig.last).toBe(0);
    expect(rig.stopped.length).toBeGreaterThan(0);
    expect(rig.standing).toMatch(/samples arrive 600 ms late/);
    // The link is well again.
    const { driven } = rig.world;
    rig.lateMs = 10;
    await rig.run(3);
    expect(rig.standing).toBe('');
    expect(rig.world.driven - driven).toBeGreaterThan(0.3);
  });

  it('does not set out over a link that is late from the beginning', async () => {
    const rig = new Rig(4);
    rig.lateMs = 600;
    rig.steers = false;
    await rig.run(1);
    rig.steers = true;
    await rig.run(5);
    expect(rig.world.driven).toBe(0);
    expect(rig.stopped).toEqual([
      expect.stringMatching(/^the newest scan is \d+ ms old: samples arrive 600 ms late, or /),
    ]);
  });

  it('tells who asked it to go somewhere why it gets nowhere', async () => {
    const rig = new Rig(4);
    rig.steers = false;
    await rig.run(1);
    rig.lateMs = 600;
    await rig.run(1);
    const goal = { pose: { x: 1.5, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 };
    rig.ask({ kind: 'ask', id: 1, ask: { op: 'navigate', motionId: 'm', goal, lease: 1 } });
    await rig.run(12);
    expect(rig.answers).toMatchObject([
      {
        outcome: 'stuck',
        message: expect.stringMatching(/: the newest scan is .* samples arrive 600 ms late/),
      },
    ]);
  });

  it('stands when the link becomes later little by little', async () => {
    const rig = await driving(new Rig(6));
    await rig.run(10, (seconds) => {
      rig.lateMs = 10 + Math.min(1_000, seconds * 200);
    });
    expect(rig.world.contacts).toBe(0);
    expect(rig.last).toBe(0);
  });

  it.each([100, 200, 250, 300])(
    'does not reach the wall with senses that come %i ms late',
    async (lateMs) => {
      const rig = new Rig(3);
      rig.lateMs = lateMs;
      await rig.run(12);
      expect(rig.world.driven).toBeGreaterThan(1);
      expect(rig.world.contacts).toBe(0);
    },
  );

  it.each([
    ['years ahead of', YEARS_MS],
    ['years behind', -YEARS_MS],
  ])(
    'drives where the clock of this host is %s that of the robot, and still sees that it is late',
    async (_, ms) => {
      const rig = new Rig(8);
      rig.aheadMs = ms;
      await drivesUntilLate(rig);
    },
  );

  it('is not led astray by a bumper, whose messages bear the time of this host', async () => {
    const rig = new Rig(8);
    rig.hasBumper = true;
    rig.aheadMs = YEARS_MS;
    await driving(rig);
    await rig.run(2);
    expect(rig.stopped).toEqual([]);
    rig.lateMs = 600;
    await rig.run(8);
    expect(rig.world.contacts).toBe(0);
  });

  it('is not stopped for ever by a clock that was set', async () => {
    const rig = new Rig(60);
    rig.aheadMs = YEARS_MS;
    await driving(rig);
    rig.aheadMs += 5_000;
    await rig.run(3);
    expect(rig.last).toBe(0);
    await rig.run(70);
    expect(rig.last).toBeGreaterThan(0.4);
  });

  it('is told that time is simulated: at another rate than here, nobody knows how late it is', async () => {
    const rig = await driving(new Rig(30, { simulated: true }));
    await rig.run(20, () => {
      rig.aheadMs += 2 * STEP_MS;
    });
    expect(rig.last).toBeGreaterThan(0.4);
    expect(rig.stopped).toEqual([]);
  });
});

describe('a base with a clock of its own', () => {
  const differing = [
    ['seconds ahead of', 3_000],
    ['seconds behind', -3_000],
    ['years ahead of', YEARS_MS],
    ['years behind', -YEARS_MS],
  ] as const;

  it.each(differing)(
    'drives where the clock of this host is %s it, until the link is late',
    async (_, ms) => {
      const rig = new Rig(8, { ownClock: true });
      rig.aheadMs = ms;
      await drivesUntilLate(rig);
    },
  );

  it('is seen late too where it counts from its start, as a board without a calendar does', async () => {
    const rig = new Rig(8, { ownClock: true }, 0n);
    rig.aheadMs = 1.7e12;
    await driving(rig);
    rig.lateMs = 600;
    await rig.run(8);
    expect(rig.world.contacts).toBe(0);
    expect(rig.last).toBe(0);
  });

  it('is told which key says so, and only where the difference stays', async () => {
    const offset = new Rig(4);
    offset.aheadMs = 3_000;
    await offset.run(2);
    expect(offset.world.driven).toBe(0);
    expect(offset.stopped[0]).toMatch(
      / 30\d\d ms late, .*clocks.* differ.*: synchronise.*robot\.clock = "own"$/,
    );
    const late = await driving(new Rig(8));
    late.lateMs = 800;
    await late.run(4);
    expect(late.stopped.join()).not.toMatch(/robot\.clock/);
  });
});

describe('a simulation that nobody said is one', () => {
  it('drives on at a rate below that of our clock', async () => {
    const rig = new Rig(60, {}, 0n);
    rig.aheadMs = 1.7e12;
    await driving(rig);
    await rig.run(60, () => {
      rig.aheadMs += STEP_MS / 50;
    });
    expect(rig.stopped).toEqual([]);
    expect(rig.last).toBeGreaterThan(0.4);
  });
});

describe('a base whose time waits for samples that came late', () => {
  it('brakes in each step', async () => {
    const rig = await driving(new Rig(8, { scanStaleMs: 2_000 }));
    rig.lateMs = 400;
    // They are missed for as long as they are late, and then time waits.
    await rig.run(0.45);
    expect(rig.last).toBeGreaterThan(0.4);
    rig.steers = false;
    const from = rig.commands.length;
    rig.ask({ kind: 'ask', id: 1, ask: { op: 'stop', reason: 'robot.stop' } });
    await rig.run(0.25);
    const speeds = rig.commands.slice(from).map(({ linear }) => linear);
    for (const [i, speed] of speeds.entries()) expect(speed).toBeLessThan(i === 0 ? 0.42 : speeds[i - 1]!);
    await rig.run(0.2);
    expect(rig.last).toBe(0);
  });

  it('ends what a person asked for who let go', async () => {
    const rig = await driving(new Rig(8, { scanStaleMs: 5_000 }));
    rig.lateMs = 900;
    await rig.run(0.95);
    expect(rig.last).toBeGreaterThan(0.4);
    rig.steers = false;
    await rig.run(0.8);
    expect(rig.last).toBe(0);
  });
});
