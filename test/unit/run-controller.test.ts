import { describe, expect, it } from 'vitest';
import { type ControllerView, EdgeError, LIMITS, METHODS } from '../../contract/index.ts';
import { runController } from '../../daemon/runtime/robot/run-controller.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const { execution } = METHODS;
const ORDER = { controller: 'pick_place', seconds: 20, until: '/task/success' };

/** The execution cell as far as controllers go. */
function rig() {
  const clock = new ManualClock();
  const asked: { method: string; body: unknown }[] = [];
  const world = {
    view: { name: 'pick_place', state: 'running', reason: '', steps: 40, starved: 2, policy_hash: 'abc' },
    done: false as boolean | number,
    refuses: undefined as EdgeError | undefined,
    begins: undefined as Promise<void> | undefined,
    stops: undefined as Promise<unknown> | undefined,
  };
  const answers: Record<string, () => unknown> = {
    [execution.controllerStart]: () => {
      if (world.refuses) throw world.refuses;
      return world.begins ? world.begins.then(() => world.view) : world.view;
    },
    [execution.controllerList]: () => [
      { name: 'other', state: 'idle' },
      world.view as unknown as ControllerView,
    ],
    [execution.controllerStop]: () => world.stops,
    [execution.robotState]: () => ({ signals: { '/task/success': world.done } }),
  };
  const bus = {
    request: async <T>(_cell: string, method: string, body: unknown): Promise<T> => {
      asked.push({ method, body });
      return answers[method]!() as T;
    },
  };
  const stop = new AbortController();
  const result = (order = ORDER) => runController({ bus: bus as never, clock }, order, 'call-1', stop.signal);
  const count = (method: string) => asked.filter((one) => one.method === method).length;
  return { clock, world, asked, stop, result, count };
}

describe('a controller that a run lets act', () => {
  it('is stopped as soon as the signal is true, and says what it took', async () => {
    const { clock, world, asked, result, count } = rig();
    const motion = result();
    await clock.advance(950);
    expect(count(execution.controllerStop)).toBe(0);
    world.done = true;
    await clock.advance(200);
    expect(await motion).toMatchObject({ outcome: 'succeeded', steps: 40, starved: 2, policy_sha256: 'abc' });
    expect(count(execution.controllerStop)).toBe(1);
    expect(asked[0]).toEqual({
      method: execution.controllerStart,
      body: { controller: 'pick_place', seconds: 20, motionId: 'call-1' },
    });
    // Its own motion is named: another one that has begun meanwhile goes on.
    expect(asked.find(({ method }) => method === execution.controllerStop)).toMatchObject({
      body: { controller: 'pick_place', motionId: 'call-1' },
    });
  });

  it('has succeeded also where its stop is answered late, or not at all', async () => {
    const slow = rig();
    slow.world.stops = new Promise((resolve) =>
      slow.clock.after(LIMITS.STILL_WAIT_MS, () => resolve(undefined)),
    );
    slow.world.done = true;
    const late = slow.result();
    await slow.clock.advance(LIMITS.STILL_WAIT_MS);
    expect(await late).toMatchObject({ outcome: 'succeeded', reason: '' });
    const deaf = rig();
    deaf.world.stops = new Promise(() => {});
    deaf.world.done = true;
    const never = deaf.result();
    while (deaf.count(execution.controllerStop) === 0) await deaf.clock.advance(1);
    await deaf.clock.advance(LIMITS.ROBOT_STOP_MS + 200);
    const { outcome, reason } = await never;
    expect(outcome).toBe('succeeded');
    expect(reason).toContain('its stop was not confirmed');
  });

  it.each([
    ['idle', 'time_over'],
    ['stopped', 'stopped'],
    ['failed', 'stopped'],
  ] as const)('that is %s by itself is told as %s', async (state, outcome) => {
    const { clock, world, result } = rig();
    const motion = result();
    await clock.advance(150);
    world.view = { ...world.view, state, reason: 'the emergency stop is engaged' };
    await clock.advance(200);
    expect(await motion).toMatchObject({ outcome, reason: 'the emergency stop is engaged' });
  });

  it('is stopped before a cancelled run is told so', async () => {
    const { clock, stop, result, count } = rig();
    const motion = expect(result()).rejects.toMatchObject({ code: 'run.cancelled' });
    await clock.advance(150);
    stop.abort();
    await clock.advance(150);
    await motion;
    expect(count(execution.controllerStop)).toBe(1);
  });

  it('is stopped at once when its run is cancelled while it is being started', async () => {
    const { clock, world, asked, stop, result } = rig();
    const begun = Promise.withResolvers<void>();
    world.begins = begun.promise;
    const motion = expect(result()).rejects.toMatchObject({ code: 'run.cancelled' });
    await clock.advance(50);
    stop.abort();
    await clock.advance(1);
    expect(asked.map(({ method }) => method)).toEqual([execution.controllerStart, execution.controllerStop]);
    begun.reject(new EdgeError('command.refused', { operation: 'start', subject: 'pick_place' }));
    await motion;
  });

  it('that is refused is not stopped: somebody else may have it; one that did not answer is', async () => {
    const refused = rig();
    refused.world.refuses = new EdgeError('policy.denied', { operation: 'start', subject: 'pick_place' });
    await expect(refused.result()).rejects.toMatchObject({ code: 'policy.denied' });
    expect(refused.count(execution.controllerStop)).toBe(0);
    const deaf = rig();
    deaf.world.refuses = new EdgeError('deadline.exceeded', { operation: 'start', subject: 'pick_place' });
    await expect(deaf.result()).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect(deaf.count(execution.controllerStop)).toBe(1);
  });

  it('that is not configured is told with those that are', async () => {
    const { world, result } = rig();
    world.view = { ...world.view, name: 'reach' };
    await expect(result()).rejects.toMatchObject({
      code: 'robot.not_supported',
      message: expect.stringContaining('other, reach'),
    });
  });
});
