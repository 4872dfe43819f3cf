import type { HookPoint, HookQuestion } from '../../../contract/index.ts';
import {
  type CaseFacts,
  factsOfApproval,
  factsOfEgress,
  factsOfIntent,
  factsOfMessage,
  factsOfModel,
  factsOfTool,
} from './case-facts.ts';
import { type CasePerson, casePerson } from './case-person.ts';
import { type CaseRun, caseRun } from './case-run.ts';
import { type CaseWorld, isMessage, type PolicyCase, wrong } from './case-world.ts';

export { type CaseWorld, caseWorld, type PolicyCase } from './case-world.ts';

export type CaseQuestion = HookQuestion & {
  /** Whose policies are asked too. */
  readonly app: string | undefined;
  readonly standing: CasePerson['standing'];
};

/** What the daemon says about a question. */
const ABOUT: Readonly<Record<HookPoint, readonly string[]>> = {
  intent: ['app', 'intent', 'intent_id'],
  tool: ['effect', 'intent', 'within'],
  model: ['app', 'intent'],
  egress: ['destination', 'lane', 'kind', 'intent'],
  approval: ['tenant', 'requester', 'point', 'subject'],
};

/**
 * The question that the daemon would ask about a case. Throws `schema.invalid` where this configuration
 * cannot have the case: other roles than those of a known name, arguments that the tool refuses, an application that
 * is not there.
 */
export function caseQuestion(one: PolicyCase, world: CaseWorld): CaseQuestion {
  const { point, subject } = one;
  const person = casePerson(one, world);
  const stranger = Object.keys(one.about).find((key) => !ABOUT[point].includes(key));
  if (stranger !== undefined)
    throw wrong('about', `of this question holds ${ABOUT[point].join(', ')}, not "${stranger}"`);
  const run = caseRun(one, world);
  return { point, subject, ...person, ...factsOf(one, run, person, world), app: run.app };
}

function factsOf(one: PolicyCase, run: CaseRun, { context }: CasePerson, world: CaseWorld): CaseFacts {
  switch (one.point) {
    case 'tool':
      return factsOfTool(one, run, world);
    case 'intent':
      return isMessage(one) ? factsOfMessage(one, run) : factsOfIntent(one, run, world);
    case 'model':
      return factsOfModel(one, run, world);
    case 'approval':
      return factsOfApproval(one, context.tenant);
    case 'egress':
      return factsOfEgress(one);
  }
}
