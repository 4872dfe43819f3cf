import { EdgeError, type FlowDefinition, type FlowGuard, type FlowScope, type FlowStep } from 'auraison-edge';
import { type ArmFacts, type ArmParams, ATTEMPTS, beginFacts, SECONDS } from './facts.ts';
import { START } from './observation.ts';

type Scope = FlowScope<ArmFacts, ArmParams>;
type Step = FlowStep<ArmFacts>;

/**
 * The controller of each intent, and the signal of its success, which comes from sensors of the table, not from the
 * policy.
 */
export const TASKS: Readonly<Record<string, { readonly controller: string; readonly until: string }>> = {
  'arm/pick_place': { controller: 'pick_place', until: '/task/success' },
  'arm/reach': { controller: 'reach', until: '/task/reached' },
};

const attemptsLeft: FlowGuard<ArmFacts, ArmParams> = {
  name: 'attempts left',
  test: (facts, params) => facts.attempts < (params.attempts ?? ATTEMPTS),
};

/**
 * The way back to the start, robot time: no joint is too fast for it from anywhere. And the force that opens the hand.
 */
export const BACK_S = 3.2;
const EFFORT_N = 10;

/** Another look at a robot that cannot be asked. */
const PATIENCE = { times: 4, delayMs: 500, delayMsMax: 4_000 } as const;

/** Is it done already? */
async function look({ robot, intent }: Scope): Promise<Step> {
  const state = await robot.state();
  const done = state.signals[taskOf(intent.type).until] === true;
  const reason = done ? 'it is done already' : 'there is something to do';
  return { event: done ? 'done' : 'open', reason, facts: { done }, robotTime: state.time };
}

/** Lets the learned policy move the arm until the sensors of the table report success, or the time is over. */
async function act({ facts, params, tools, intent }: Scope): Promise<Step> {
  const { controller, until } = taskOf(intent.type);
  const seconds = params.seconds ?? SECONDS;
  const result = await tools.runController({ controller: params.controller ?? controller, seconds, until });
  const { outcome, reason } = result;
  const done = outcome === 'succeeded';
  return {
    event: done ? 'done' : outcome === 'stopped' ? 'stopped' : 'missed',
    reason: reason === '' ? outcome : `${outcome}: ${reason}`,
    facts: {
      attempts: facts.attempts + 1,
      done,
      outcome,
      problem: done ? '' : reason,
      steps: result.steps,
      starved: result.starved,
      policy_sha256: result.policy_sha256,
      seconds: result.seconds,
    },
  };
}

/**
 * Back to where the demonstrations started, before another attempt: from where one ended in failure the next does too.
 */
async function goBack({ tools }: Scope): Promise<Step> {
  // Opens the hand first, so that an object in it lies on the table again.
  const hand = await tools.call('arm.gripper', { opening_m: START.opening_m, effort_n: EFFORT_N });
  if (isTaken(hand['outcome'])) return { event: 'stopped', reason: `the hand was ${hand['outcome']}` };
  const { outcome } = await tools.call('arm.move', { joints: START.joints, duration_s: BACK_S });
  return { event: isTaken(outcome) ? 'stopped' : 'back', reason: `back to the start: ${outcome}` };
}

/** Another caller stopped the arm, or moved it. */
const isTaken = (outcome: unknown): outcome is string => outcome === 'stopped' || outcome === 'preempted';

function taskOf(type: string): { readonly controller: string; readonly until: string } {
  const task = TASKS[type];
  if (task) return task;
  throw new EdgeError('schema.invalid', {
    operation: 'arm',
    subject: type,
    message: `no task of the arm: ${type}`,
  });
}

/** One flow for every task: look, act, go back and look again. A stop by a person is not tried again. */
export const armFlow: FlowDefinition<ArmFacts, ArmParams> = {
  name: 'arm-task',
  start: 'look',
  tools: ['arm.gripper', 'arm.move'],
  stepsMax: 100,
  begin: beginFacts,
  states: {
    look: {
      about: 'look whether the task is done already',
      enter: look,
      deadlineMs: 30_000,
      retry: PATIENCE,
      on: { done: 'done', open: 'act', error: 'gave_up', deadline: 'gave_up' },
    },
    act: {
      about: 'let the learned policy move the arm',
      enter: act,
      deadlineMs: 3_000_000,
      on: {
        done: 'done',
        missed: [{ to: 'go_back', when: attemptsLeft }, { to: 'gave_up' }],
        // The arm was taken over or stopped: this is not tried again.
        stopped: 'gave_up',
        error: 'gave_up',
        deadline: 'gave_up',
      },
    },
    go_back: {
      about: 'back to where the demonstrations started',
      enter: goBack,
      deadlineMs: 60_000,
      // An arm without these motions, or one that was interrupted in them, tries from where it is.
      on: { back: 'look', stopped: 'gave_up', error: 'look', deadline: 'look' },
    },
    done: {
      about: 'the task is done',
      end: 'succeeded',
      conclude: (facts) => ({ reason: 'the task is done', score: 1, summary: facts }),
    },
    gave_up: {
      about: 'the task is not done',
      end: 'failed',
      conclude: (facts) => ({
        reason: facts.problem || 'the arm could not be asked',
        score: 0,
        summary: facts,
      }),
    },
  },
};
