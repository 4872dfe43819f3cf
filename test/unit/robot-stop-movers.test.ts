import { describe, expect, it } from 'vitest';
import {
  type CellContext,
  type GoalHandle,
  type GoalResult,
  METHODS,
  type MessageValue,
  type MotionResult,
  type NewEvent,
  type RosActions,
} from '../../contract/index.ts';
import { Actuation } from '../../daemon/execution/actuation.ts';
import { ArmService } from '../../daemon/execution/arm-service.ts';
import { BagPlayer, busSink, type PlayableBag } from '../../daemon/execution/bag-player.ts';
import { LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import { RosGoals } from '../../daemon/execution/ros-goals.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const ASKED = { action: '/spin', type: 'a/action/B', goal: {}, timeoutMs: 60_000 };

/** Action servers of which the test settles everything. */
function servers() {
  const sent: {
    signal: AbortSignal | undefined;
    accept(): void;
    end: PromiseWithResolvers<GoalResult>;
    feedback(value: MessageValue): void;
  }[] = [];
  const cancels: number[] = [];
  const answer = { cancel: async (): Promise<boolean> => true };
  const actions = {
    send: (_: string, __: string, ___: MessageValue, options: Parameters<RosActions['send']>[3]) => {
      const number = sent.length;
      const end = Promise.withResolvers<GoalResult>();
      end.promise.catch(() => {});
      const { promise, resolve, reject } = Promise.withResolvers<GoalHandle>();
      options.signal?.addEventListener('abort', () => reject(new Error('given up by its caller')));
      const cancel = () => {
        cancels.push(number);
        return answer.cancel();
      };
      const accept = () => resolve({ goalId: `${number}`.repeat(32), result: end.promise, cancel });
      const feedback = (value: MessageValue) => options.onFeedback?.(value);
      sent.push({ signal: options.signal, accept, end, feedback });
      return promise;
    },
  } as unknown as RosActions;
  return { actions, sent, cancels, answer };
}

function rig() {
  const clock = new ManualClock();
  const events: NewEvent[] = [];
  const context = {
    name: 'execution',
    clock,
    bus: new FakeBus(clock),
    report: () => {},
    emit: async (more: readonly NewEvent[]) => void events.push(...more),
  } as unknown as CellContext;
  const { actions, ...peers } = servers();
  const goals = new RosGoals(actions, clock);
  const stops: string[] = [];
  const mover = { isMoving: () => goals.isMoving(), stop: () => goals.stop() };
  const actuation = new Actuation(context, [async (reason) => void stops.push(reason)], [mover]);
  const running = async () => {
    const answer = goals.send(ASKED);
    peers.sent.at(-1)!.accept();
    await turn();
    clock.advance(1);
    return await answer;
  };
  return { clock, goals, actuation, stops, running, ...peers };
}

const RESULT: MotionResult = {
  outcome: 'stopped',
  pose: undefined,
  distance: 0,
  durationMs: 0,
  time: 0n,
  message: '',
};

describe('goals sent through the ROS API', () => {
  it('are cancelled by any stop: one asked for between cells, a lost lease, the end of the cell', async () => {
    const { actuation, running, cancels, stops } = rig();
    await running();
    await actuation.stop('asked');
    expect(cancels).toEqual([0]);
    await actuation.lease.acquire('policy', LEASE_PRIORITIES.policy, 1_000);
    await actuation.lease.acquire('person', LEASE_PRIORITIES.teleoperation, 1_000);
    expect(cancels).toEqual([0, 0]);
    // No motion is under way, and still the goal does not outlive the cell.
    await actuation.close();
    expect(cancels).toEqual([0, 0, 0]);
    expect(stops).toHaveLength(3);
  });

  it('that nobody accepted yet are given up by a stop, and do not begin behind it', async () => {
    const { clock, goals, actuation, sent, cancels } = rig();
    const first = goals.send(ASKED);
    await turn();
    await actuation.stop('asked');
    await expect(first).rejects.toThrow('given up');
    expect(sent[0]?.signal?.aborted).toBe(true);
    // The acceptance was on its way already: the goal is cancelled by its id.
    const crossed = goals.send(ASKED);
    sent[1]!.accept();
    const stopped = actuation.stop('asked again');
    await stopped;
    await turn();
    clock.advance(1);
    await crossed;
    expect(cancels).toEqual([1]);
  });

  it('that only the network hid are cancelled too, and one that did not hear it fails the stop', async () => {
    const { goals, actuation, running, sent, cancels, answer } = rig();
    const { goalId } = await running();
    sent[0]!.end.reject(new Error('the action server vanished'));
    await turn();
    expect(goals.view({ goalId }).state).toBe('lost');
    await actuation.stop('asked');
    expect(cancels).toEqual([0]);
    await running();
    answer.cancel = async () => {
      throw new Error('no answer');
    };
    await expect(actuation.stop('asked')).rejects.toMatchObject({ code: 'robot.unreachable' });
  });

  it('keep as much feedback as memory is set aside for, the newest always', async () => {
    const { goals, running, sent } = rig();
    const { goalId } = await running();
    for (let i = 0; i < 50; i++) sent[0]!.feedback({ image: new Uint8Array(100_000) });
    expect(goals.view({ goalId })).toMatchObject({ feedbackSeq: 50, feedback: [{ seq: 49 }, { seq: 50 }] });
    sent[0]!.feedback({ image: new Uint8Array(1_000_000) });
    expect(goals.view({ goalId }).feedback.map(({ seq }) => seq)).toEqual([51]);
  });
});

describe('a motion', () => {
  it('is not begun once the cell stops', async () => {
    const { actuation } = rig();
    await actuation.close();
    let begun = false;
    const late = actuation.move('m', 'runtime', async () => {
      begun = true;
      return RESULT;
    });
    await expect(late).rejects.toMatchObject({ code: 'cell.unavailable' });
    expect(begun).toBe(false);
  });

  it('that is cancelled while it waits for the lease begins cancelled', async () => {
    const { actuation } = rig();
    await actuation.lease.acquire('policy', LEASE_PRIORITIES.policy, 60_000);
    const signals: boolean[] = [];
    const moved = actuation.move('m', 'runtime', async (signal) => {
      signals.push(signal.aborted);
      return RESULT;
    });
    actuation.cancel('m', 'the caller hung up');
    await moved;
    expect(signals).toEqual([true]);
  });
});

describe('a stop', () => {
  /** The robot stands when the test says so, each stop by itself. */
  function slow() {
    const standing: (() => void)[] = [];
    const made = rig();
    const context = {
      name: 'execution',
      clock: made.clock,
      bus: new FakeBus(made.clock),
      report: () => {},
      emit: async () => {},
    } as unknown as CellContext;
    const actuation = new Actuation(context, [() => new Promise((resolve) => standing.push(resolve))]);
    const begun: boolean[] = [];
    const start = async (signal: AbortSignal) => {
      begun.push(signal.aborted);
      return RESULT;
    };
    return { ...made, actuation, context, standing, begun, start };
  }

  it.each(['stop', 'emergency'] as const)(
    'ends what moves and what waits at once, not when all of the robot stands (%s)',
    async (how) => {
      const { actuation, standing } = slow();
      const signals: AbortSignal[] = [];
      const end = Promise.withResolvers<MotionResult>();
      const start = (signal: AbortSignal) => {
        signals.push(signal);
        return end.promise;
      };
      const motions = [actuation.move('a', 'runtime', start), actuation.move('b', 'runtime', start)];
      await turn();
      const stopped = actuation[how]('somebody is in the way');
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
      end.resolve(RESULT);
      await Promise.all(motions);
      for (const stand of standing) stand();
      await stopped;
    },
  );

  it('lets a motion that takes the lease from a weaker holder begin behind it', async () => {
    const { actuation, standing, begun, start } = slow();
    await actuation.lease.acquire('policy', LEASE_PRIORITIES.policy, 60_000);
    const moved = actuation.move('m', 'runtime', start);
    await turn();
    expect(begun).toEqual([]);
    standing[0]!();
    await moved;
    expect(begun).toEqual([false]);
  });

  it('that comes while a motion waits for the lease ends that motion too', async () => {
    const { actuation, standing, begun, start } = slow();
    await actuation.lease.acquire('policy', LEASE_PRIORITIES.policy, 60_000);
    const moved = actuation.move('m', 'runtime', start);
    await turn();
    const stopped = actuation.stop('somebody is in the way');
    standing[0]!();
    await moved;
    expect(begun).toEqual([true]);
    standing[1]!();
    await stopped;
  });

  it.each([
    ['the arm', {}],
    ['the arm in a run', { run: 'r' }],
  ])('of %s names who asked, in the log and to what it ends', async (_, of) => {
    const { actuation, context, standing } = slow();
    const events: NewEvent[] = [];
    (context as { emit: unknown }).emit = async (more: readonly NewEvent[]) => void events.push(...more);
    const reasons: unknown[] = [];
    const gripper = (_opening: number, _effort: number, signal: AbortSignal) =>
      new Promise<MotionResult>((resolve) => {
        const end = () => {
          reasons.push(signal.reason);
          resolve(RESULT);
        };
        signal.addEventListener('abort', end);
      });
    const arm = { gripper, stop: async (reason: string) => void reasons.push(reason) };
    new ArmService(context, arm as never, actuation).register();
    const bus = context.bus as unknown as FakeBus;
    const ask = (method: string, body: unknown) => bus.request('execution', method, body, 60_000);
    const goal = { opening: 0, effort: 1 };
    const moved = ask(METHODS.execution.armGripper, { motionId: 'm', goal, run: 'r' });
    await turn();
    const stopped = ask(METHODS.execution.armStop, { reason: 'pinched', by: 'alice', ...of });
    await turn();
    for (const stand of standing) stand();
    await Promise.all([moved, stopped]);
    const stops = events.filter(({ kind }) => kind === 'safety.stopped').map(({ payload }) => payload);
    expect(stops).toEqual([{ reason: 'arm: pinched', source: 'request', by: 'alice' }]);
    for (const reason of reasons) expect(reason).toMatch(/pinched \(by alice\)$/);
    expect(reasons).not.toEqual([]);
  });

  it('of the arm ends a motion of the arm that waits for the lease', async () => {
    const { actuation, context, standing, begun, start } = slow();
    const follow = (_: unknown, signal: AbortSignal) => start(signal);
    const arm = {
      state: async () => ({ joints: {}, connected: false }),
      followTrajectory: follow,
      gripper: (_: number, ...rest: [number, AbortSignal]) => follow(...rest),
    };
    const bus = context.bus as unknown as FakeBus;
    new ArmService(context, { ...arm, stop: async () => {} } as never, actuation).register();
    const ask = (method: string, body: unknown) => bus.request('execution', method, body, 60_000);
    for (const asked of ['first', 'second']) {
      await actuation.lease.acquire('policy', LEASE_PRIORITIES.policy, 60_000);
      const goal = { points: [{ positions: { j: 1 }, timeFromStartMs: 500 }] };
      const moved = [
        ask(METHODS.execution.armFollow, { motionId: `${asked} follow`, goal }),
        ask(METHODS.execution.armGripper, { motionId: `${asked} grip`, goal: { opening: 0, effort: 1 } }),
      ];
      await turn();
      if (asked === 'first') await ask(METHODS.execution.armStop, { reason: 'pinched' });
      standing.pop()!();
      await Promise.all(moved);
    }
    // What is asked for after the stop begins.
    expect(begun).toEqual([true, true, false, false]);
  });

  it.each(['stop', 'cancel'] as const)(
    'of the robot right behind a motion of the arm ends it (%s)',
    async (how) => {
      const { actuation, context, standing, begun, start } = slow();
      const arm = {
        state: async () => ({ joints: {}, connected: false }),
        followTrajectory: (_: unknown, signal: AbortSignal) => start(signal),
        stop: async () => {},
      };
      let follow: (body: unknown, from: 'runtime', madeAtMs: number) => unknown = () => {};
      const handle = (method: string, answer: typeof follow) => {
        if (method === METHODS.execution.armFollow) follow = answer;
      };
      new ArmService({ ...context, bus: { handle } } as never, arm as never, actuation).register();
      const goal = { points: [{ positions: { j: 1 }, timeFromStartMs: 500 }] };
      // Both were read in one piece: nothing that the first waits for comes between them.
      const moved = follow({ motionId: 'm', goal }, 'runtime', context.clock.monotonicMs());
      const stopped =
        how === 'stop' ? actuation.stop('somebody is in the way') : actuation.cancel('m', 'hung up');
      await moved;
      expect(begun).toEqual([true]);
      for (const stand of standing) stand();
      await stopped;
    },
  );
});

describe('a play of commands', () => {
  it('ends when the robot is stopped, also while its bag is opened; other plays go on', async () => {
    const opened = Promise.withResolvers<void>();
    let waits = false;
    let closed = 0;
    const bag = {
      prepare: async () => {
        if (waits) await opened.promise;
      },
      begin: () => {},
      topics: () => [],
      choose: () => new Set<string>(),
      startNs: 0n,
      endNs: 0n,
      positionNs: 0n,
      finished: new Promise(() => {}),
      close: async () => void closed++,
    } as unknown as PlayableBag;
    const sink = busSink(
      () => {},
      () => {},
    );
    const player = new BagPlayer({
      open: async () => bag,
      target: async () => ({ sink: () => sink, reaches: 'robot', settleMs: 0 }),
      pause: async () => {},
      every: () => ({ cancel: () => {} }),
    });
    const options = { path: 'a', rate: 1, loop: true, startS: 0, topics: [], allowCommands: true };
    const first = await player.start(options);
    expect(player.isMoving()).toBe(true);
    await player.stopCommands();
    expect(player.state(first.play_id).state).toBe('stopped');
    waits = true;
    const second = player.start(options);
    await turn();
    expect(player.isMoving()).toBe(true);
    await player.stopCommands();
    opened.resolve();
    expect((await second).state).toBe('stopped');
    expect(closed).toBe(2);
    const harmless = await player.start({ ...options, allowCommands: false });
    await player.stopCommands();
    expect(player.state(harmless.play_id).state).toBe('playing');
  });
});
