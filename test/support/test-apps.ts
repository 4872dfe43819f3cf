import { Type } from 'typebox';
import {
  type Application,
  EdgeError,
  type FlowDefinition,
  type FlowScope,
  type FlowStep,
} from '../../contract/index.ts';

export function flowApp(name: string, flow: FlowDefinition, more: Partial<Application> = {}): Application {
  return {
    name,
    version: '1.0.0',
    description: name,
    harness: 'flow',
    intents: [
      { type: `${name}/go`, description: 'go', params: Type.Object({}, { additionalProperties: false }) },
    ],
    deadlineMs: 600_000,
    afterCut: 'resume',
    flow,
    ...more,
  };
}

/** A flow of one state that works, one end for its success and one for everything else. */
export function oneState(
  enter: (scope: FlowScope) => Promise<FlowStep>,
  more: { deadlineMs?: number; retry?: { times: number; delayMs: number; delayMsMax: number } } = {},
): FlowDefinition {
  return {
    name: 'one',
    start: 'work',
    stepsMax: 20,
    begin: () => ({}),
    states: {
      work: {
        about: 'works',
        enter,
        deadlineMs: 60_000,
        ...more,
        on: { ok: 'done', error: 'broken', deadline: 'late' },
      },
      done: {
        about: 'worked',
        end: 'succeeded',
        conclude: (facts) => ({ reason: 'done', score: 1, summary: facts }),
      },
      broken: { about: 'threw', end: 'failed', conclude: (facts) => ({ reason: 'broken', summary: facts }) },
      late: { about: 'late', end: 'failed', conclude: (facts) => ({ reason: 'late', summary: facts }) },
    },
  };
}

/** Notes what became of each effect; an effect that a cut made uncertain is noted and left alone. */
async function noted(work: () => Promise<{ outcome: string }>): Promise<string> {
  try {
    return (await work()).outcome;
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code === 'run.interrupted') return 'uncertain';
    throw thrown;
  }
}

/**
 * Three rounds of effects of every replay class, each with arguments of its own, so that a robot's orders tell
 * exactly which effect happened how often.
 */
export function effectsApp(): Application {
  const round = (number: number, next: string): FlowDefinition['states'][string] => ({
    about: `round ${number}`,
    deadlineMs: 60_000,
    on: { ok: next },
    enter: async ({ robot, facts }) => {
      const first = await noted(() => robot.maneuver({ kind: 'drive', distance: number / 100 }));
      const place = { x: number, y: 0.5, yaw: 0 };
      const second = await noted(() => robot.navigate({ pose: place, tolerance: 0.2, timeoutMs: 500 }));
      const third = await noted(() => robot.maneuver({ kind: 'spin', angle: number / 100 }));
      const fourth = await noted(() => robot.maneuver({ kind: 'wait', durationMs: 100 + number }));
      const story = [...(facts['story'] as string[]), first, second, third, fourth];
      return { event: 'ok', reason: `round ${number}`, facts: { story } };
    },
  });
  return flowApp('effects', {
    name: 'effects',
    start: 'one',
    stepsMax: 10,
    begin: () => ({ story: [] }),
    states: {
      one: round(1, 'two'),
      two: round(2, 'three'),
      three: round(3, 'done'),
      done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
    },
  });
}
