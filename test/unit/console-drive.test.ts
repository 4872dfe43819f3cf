import { describe, expect, it } from 'vitest';
import { Driver, type DriverState } from '../../console/src/drive/driver.ts';
import { stickOfGamepad, stickOfKeys, stickOfPad } from '../../console/src/drive/hold.ts';

/** Steering by hand from a page: what is held moves the robot, and everything else is a stop. */
class Robot {
  nowMs = 0;
  readonly sent: string[] = [];
  /** Settles commands; absent: they are answered at once. */
  held: { resolve: () => void; reject: (error: Error) => void }[] | undefined;
  fault: Error | undefined;
  #work: (() => void) | undefined;
  readonly states: DriverState[] = [];
  readonly driver = new Driver(
    {
      take: async () => ({ lease_id: 7 }),
      renew: async () => void this.sent.push('renew'),
      giveBack: async () => void this.sent.push('return'),
      command: async (_lease, { linear, angular }) => {
        this.sent.push(`${linear} ${angular}`);
        if (this.fault) throw this.fault;
        if (this.held && linear !== 0)
          await new Promise<void>((resolve, reject) => this.held!.push({ resolve, reject }));
      },
      every: (_ms, work) => {
        this.#work = work;
        return () => {
          this.#work = undefined;
        };
      },
      nowMs: () => this.nowMs,
    },
    (state) => void this.states.push(state),
  );

  async turn(ms = 100): Promise<void> {
    this.nowMs += ms;
    this.#work?.();
    await settled();
  }

  get at(): string {
    return this.driver.state.at;
  }
}
const settled = () => new Promise((resolve) => setImmediate(resolve));
const FORWARD = { forward: 1, turn: 0 };

async function steering(): Promise<Robot> {
  const robot = new Robot();
  await robot.driver.start();
  robot.sent.length = 0;
  return robot;
}

describe('a driver', () => {
  it('sends what is held, and zero at once when it is released', async () => {
    const robot = new Robot();
    robot.driver.hold('keys', FORWARD);
    await robot.driver.start();
    await robot.turn();
    // What was held before the lease does not count, and the robot knows that nothing is held.
    expect(robot.sent.splice(0)).toEqual(['0 0']);
    robot.driver.hold('keys', FORWARD);
    await settled();
    await robot.turn();
    expect(robot.sent).toEqual(['0.2 0', '0.2 0']);
    robot.driver.hold('keys', undefined);
    expect(robot.sent.at(-1)).toBe('0 0');
    expect(robot.at).toBe('ready');
    await robot.turn();
    expect(robot.sent.slice(2)).toEqual(['0 0']);
  });

  it('sends another zero after a command that was on its way when all was released', async () => {
    const robot = await steering();
    robot.held = [];
    robot.driver.hold('pad', FORWARD);
    robot.driver.release();
    expect(robot.sent).toEqual(['0.2 0', '0 0']);
    robot.held[0]!.resolve();
    await settled();
    expect(robot.sent).toEqual(['0.2 0', '0 0', '0 0']);
  });

  it('moves again after all was released only when what is still held was let go', async () => {
    const robot = await steering();
    robot.driver.hold('pad', FORWARD);
    await settled();
    robot.driver.release();
    robot.driver.hold('pad', { forward: 0.5, turn: 0 });
    await robot.turn();
    expect([robot.at, robot.sent.at(-1)]).toEqual(['ready', '0 0']);
    robot.driver.hold('keys', FORWARD);
    expect(robot.at).toBe('moving');
    robot.driver.hold('keys', undefined);
    robot.driver.hold('pad', undefined);
    await settled();
    robot.driver.hold('pad', FORWARD);
    expect(robot.at).toBe('moving');
  });

  it('keeps its lease while nothing is held, and gives it back at the end', async () => {
    const robot = await steering();
    for (let i = 0; i < 11; i++) await robot.turn();
    expect(robot.sent).toEqual(['renew', 'renew']);
    robot.driver.hold('gamepad', FORWARD);
    robot.driver.end('the page was hidden');
    expect(robot.sent.slice(-2)).toEqual(['0 0', 'return']);
    await robot.turn(5_000);
    robot.driver.hold('gamepad', FORWARD);
    expect(robot.sent.slice(-2)).toEqual(['0 0', 'return']);
    expect(robot.driver.state).toEqual({ at: 'idle', reason: 'the page was hidden' });
  });

  it('steers no longer after a refusal or a connection that is lost, whatever is held', async () => {
    const refused = await steering();
    refused.fault = new Error('ada has the lease');
    refused.driver.hold('keys', FORWARD);
    await settled();
    expect(refused.driver.state).toEqual({ at: 'lost', reason: 'ada has the lease' });
    refused.fault = undefined;
    await refused.turn();
    expect(refused.sent).toEqual(['0.2 0', 'return']);

    const silent = await steering();
    silent.held = [];
    silent.driver.hold('keys', FORWARD);
    await silent.turn(900);
    expect(silent.at).toBe('moving');
    await silent.turn(200);
    expect(silent.driver.state).toMatchObject({
      at: 'lost',
      reason: expect.stringContaining('does not answer'),
    });
    expect(silent.sent).toEqual(['0.2 0', 'return']);
  });

  it('keeps its lease when somebody stops the robot, and moves it again by a new press alone', async () => {
    const robot = await steering();
    robot.driver.hold('keys', FORWARD);
    await settled();
    robot.fault = Object.assign(new Error('the robot was stopped'), { code: 'robot.preempted' });
    await robot.turn();
    robot.fault = undefined;
    expect(robot.driver.state).toEqual({ at: 'ready', reason: 'the robot was stopped' });
    robot.driver.hold('keys', FORWARD);
    await robot.turn();
    expect(robot.sent).toEqual(['0.2 0', '0.2 0', '0 0']);
    robot.driver.hold('keys', undefined);
    robot.driver.hold('keys', FORWARD);
    expect(robot.at).toBe('moving');
  });

  it('gives a lease back that comes after the person left', async () => {
    const robot = new Robot();
    const starting = robot.driver.start();
    robot.driver.end();
    await starting;
    expect(robot.sent).toEqual(['return']);
    expect(robot.at).toBe('idle');
  });
});

describe('what is held', () => {
  it('is a sum of keys, and nothing without one that steers', () => {
    expect(stickOfKeys(new Set())).toBeUndefined();
    expect(stickOfKeys(new Set(['KeyX']))).toBeUndefined();
    expect(stickOfKeys(new Set(['KeyW', 'ArrowLeft']))).toEqual({ forward: 1, turn: 1 });
    expect(stickOfKeys(new Set(['KeyW', 'KeyS']))).toEqual({ forward: 0, turn: 0 });
    expect(stickOfKeys(new Set(['KeyW', 'ArrowUp']))).toEqual({ forward: 1, turn: 0 });
  });

  it('is of a gamepad only with its hold button, and rests near the middle', () => {
    const buttons = (pressed: number) => Array.from({ length: 17 }, (_, i) => ({ pressed: i === pressed }));
    expect(stickOfGamepad({ axes: [0, -1, 0, 0], buttons: buttons(0) })).toBeUndefined();
    expect(stickOfGamepad({ axes: [0.05, -1, 0, 0], buttons: buttons(4) })).toEqual({ forward: 1, turn: 0 });
    expect(stickOfGamepad({ axes: [0, 0, 0.5, 0], buttons: buttons(5) })).toEqual({ forward: 0, turn: -0.5 });
    expect(stickOfGamepad({ axes: [], buttons: buttons(5) })).toEqual({ forward: 0, turn: 0 });
    expect(stickOfPad(-3, 0.04)).toEqual({ forward: 0, turn: 1 });
  });
});
