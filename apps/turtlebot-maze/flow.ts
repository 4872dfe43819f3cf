import type { FlowDefinition, FlowGuard } from 'auraison-edge';
import {
  beginFacts,
  elapsedS,
  FAILURES_MAX,
  LOST_MAX,
  type MazeFacts,
  type MazeParams,
  round,
} from './facts.ts';
import { explore, navigateIfAllowed, plan, recover } from './states.ts';

type Guard = FlowGuard<MazeFacts, MazeParams>;

const outOfPatience: Guard = {
  name: `${FAILURES_MAX} failures in a row`,
  test: (facts) => facts.failures >= FAILURES_MAX,
};
const tooOftenLost: Guard = { name: `lost ${LOST_MAX} times`, test: (facts) => facts.lost >= LOST_MAX };

/** Another look at a robot that cannot be asked. With the wait inside each look these are some minutes. */
const PATIENCE = { times: 4, delayMs: 500, delayMsMax: 4_000 } as const;

/** Find the exit: look, choose a frontier, drive a stretch, look again; get free when it does not work. */
export const mazeFlow: FlowDefinition<MazeFacts, MazeParams> = {
  name: 'maze-find-exit',
  start: 'explore',
  stepsMax: 5_000,
  begin: beginFacts,
  states: {
    explore: {
      about: 'look at robot, door sensor and limits',
      enter: explore,
      deadlineMs: 90_000,
      retry: PATIENCE,
      on: { exit: 'done', limit: 'gave_up', looked: 'plan', error: 'gave_up', deadline: 'gave_up' },
    },
    plan: {
      about: 'choose the frontier with the most unknown floor per metre',
      enter: plan,
      deadlineMs: 90_000,
      retry: PATIENCE,
      on: {
        goal: 'navigate',
        exhausted: [{ to: 'gave_up', when: outOfPatience }, { to: 'recover' }],
        error: 'gave_up',
        deadline: 'gave_up',
      },
    },
    navigate: {
      about: 'drive one stretch towards it',
      enter: navigateIfAllowed,
      deadlineMs: 600_000,
      on: {
        arrived: 'explore',
        interrupted: [{ to: 'gave_up', when: outOfPatience }, { to: 'explore' }],
        blocked: [{ to: 'gave_up', when: outOfPatience }, { to: 'recover' }],
        lost: [{ to: 'gave_up', when: tooOftenLost }, { to: 'explore' }],
        error: 'gave_up',
        deadline: 'recover',
      },
    },
    recover: {
      about: 'back up, turn, look around',
      enter: recover,
      deadlineMs: 300_000,
      retry: PATIENCE,
      on: { recovered: 'explore', error: 'gave_up', deadline: 'gave_up' },
    },
    done: {
      about: 'through the exit',
      end: 'succeeded',
      conclude: (facts) => ({ reason: 'the exit is reached', score: 1, summary: summary(facts) }),
    },
    gave_up: {
      about: 'the exit was not found',
      end: 'failed',
      conclude: (facts) => ({
        reason: giveUpReason(facts),
        score: round(explored(facts) / 2),
        summary: summary(facts),
      }),
    },
  },
};

/** Summary at the end; `duration_s` is robot time. */
function summary(facts: MazeFacts) {
  return {
    reached: facts.exit,
    duration_s: round(elapsedS(facts)),
    distance_m: facts.distance_m,
    collisions: facts.bumps,
    plans: facts.plans,
    legs: facts.legs,
    recoveries: facts.recoveries,
    lost: facts.lost,
    known_m2: facts.known_m2,
    open_m2: facts.open_m2,
  };
}

function giveUpReason(facts: MazeFacts): string {
  if (outOfPatience.test(facts, {}))
    return `stopped after ${facts.failures} failures in a row, last: ${facts.problem}`;
  if (tooOftenLost.test(facts, {})) return `the robot was out of reach ${facts.lost} times`;
  return facts.problem === '' ? 'a limit of the mission was reached' : `stopped: ${facts.problem}`;
}

/** Share of the floor in reach that was seen: half the score of a run that did not find the exit. */
function explored(facts: MazeFacts): number {
  const all = facts.known_m2 + facts.open_m2;
  return all === 0 ? 0 : facts.known_m2 / all;
}
