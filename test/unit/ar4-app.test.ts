import { describe, expect, it } from 'vitest';
import type {
  ControllerRun,
  ControllerRunResult,
  FlowScope,
  FlowState,
  RobotState,
} from '../../contract/index.ts';
import { HOME } from '../../sim/arm/arm-model.ts';
import { arm as application, armFlow, START, STATE_NAMES, TASKS, wilson } from '../support/shipped-apps.ts';

type Scope = FlowScope<never, never>;

/** The flow's own states, over a table whose referee says what it is told to. */
async function play(
  type: string,
  results: ControllerRunResult['outcome'][],
  params: object = {},
  arm = 'reached',
) {
  let done = false;
  const asked: ControllerRun[] = [];
  const called: string[] = [];
  let facts = armFlow.begin(params) as Record<string, unknown>;
  const scope = () =>
    ({
      facts,
      params,
      intent: { type },
      robot: {
        state: async () => ({ time: 1n, signals: { [TASKS[type]!.until]: done } }) as unknown as RobotState,
      },
      tools: {
        recording: 'off',
        clipRecording: () => Promise.reject(new Error('no clips')),
        call: async (tool: string, args: object) => {
          called.push(`${tool} ${JSON.stringify(args)}`);
          return { outcome: arm };
        },
        runController: async (order: ControllerRun) => {
          asked.push(order);
          const outcome = results.shift()!;
          done = outcome === 'succeeded';
          return {
            outcome,
            reason: 'told so',
            steps: 100,
            starved: 1,
            policy_sha256: 'a'.repeat(64),
            seconds: 5,
          };
        },
      },
    }) as unknown as Scope;
  let state = armFlow.start;
  const visited = [state];
  for (let i = 0; i < 40; i++) {
    const node = armFlow.states[state]!;
    if ('end' in node)
      return { asked, called, visited, end: node.end, ...node.conclude(facts as never, params) };
    const step = await (node as unknown as FlowState<never, never>).enter(scope());
    facts = Object.assign({}, facts, step.facts);
    const next = node.on[step.event]!;
    state =
      typeof next === 'string'
        ? next
        : next.find(({ when }) => !when || when.test(facts as never, params))!.to;
    visited.push(state);
  }
  throw new Error(`in circles: ${visited.join(' ')}`);
}

describe('the application of the arm', () => {
  it('serves both tasks by the controller of each, until the table says that it is done', async () => {
    for (const { type } of application.intents) {
      const { end, asked, score } = await play(type, ['succeeded']);
      expect([end, score]).toEqual(['succeeded', 1]);
      expect(asked).toEqual([{ controller: type.split('/')[1], seconds: 20, until: TASKS[type]!.until }]);
    }
  });

  it('tries again after an attempt that ran out of time, and gives up after as many as it may', async () => {
    const good = await play('arm/pick_place', ['time_over', 'succeeded']);
    expect(good).toMatchObject({ end: 'succeeded', summary: { attempts: 2 } });
    const bad = await play('arm/pick_place', ['time_over', 'time_over', 'time_over'], {
      attempts: 2,
      seconds: 7,
    });
    expect(bad).toMatchObject({ end: 'failed', score: 0, summary: { attempts: 2, outcome: 'time_over' } });
    expect(bad.asked).toHaveLength(2);
    expect(bad.asked[0]).toMatchObject({ seconds: 7 });
  });

  it('goes back to where demonstrations began before it tries again, the hand first', async () => {
    const { called, visited, end } = await play('arm/pick_place', ['time_over', 'time_over', 'succeeded']);
    expect(end).toBe('succeeded');
    expect(visited).toEqual(['look', 'act', 'go_back', 'look', 'act', 'go_back', 'look', 'act', 'done']);
    expect(called.slice(0, 2)).toEqual([
      'arm.gripper {"opening_m":0.07,"effort_n":10}',
      expect.stringMatching(/^arm.move .*"joint_5":1.3208.*"duration_s":3/),
    ]);
    expect(called).toHaveLength(4);
    // Where the simulation puts the arm at the beginning of an episode.
    expect([...Object.values(START.joints), START.opening_m]).toEqual([...HOME]);
    expect(Object.keys(START.joints)).toEqual(STATE_NAMES.slice(0, 6));
  });

  it('does not go on when somebody stops it on the way back', async () => {
    for (const outcome of ['stopped', 'preempted']) {
      const { asked, called, end } = await play('arm/pick_place', ['time_over', 'succeeded'], {}, outcome);
      expect([end, asked.length, called.length]).toEqual(['failed', 1, 1]);
    }
  });

  it('does not try again what somebody stopped', async () => {
    const { end, asked, reason } = await play('arm/pick_place', ['stopped']);
    expect([end, asked.length, reason]).toEqual(['failed', 1, 'told so']);
  });
});

describe('a success rate', () => {
  it('has the interval of Wilson: rates that the test of the share would just not refuse', () => {
    for (const [successes, trials] of [
      [98, 100],
      [67, 100],
      [3, 7],
      [1, 1_000],
    ] as const) {
      const { low, high } = wilson(successes, trials);
      for (const rate of [low, high]) {
        const off = (successes / trials - rate) ** 2;
        expect(off).toBeCloseTo((1.959964 ** 2 * rate * (1 - rate)) / trials, 10);
      }
      expect(low).toBeLessThan(successes / trials);
      expect(high).toBeGreaterThan(successes / trials);
    }
    expect(wilson(0, 10)).toMatchObject({ low: 0 });
    expect(wilson(0, 10).high).toBeCloseTo(0.2775, 4);
    expect(wilson(10, 10)).toMatchObject({ high: 1 });
    expect(wilson(0, 0)).toMatchObject({ low: 0, high: 1 });
  });
});
