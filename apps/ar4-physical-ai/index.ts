import type { Application } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';
import { ATTEMPTS, SECONDS } from './facts.ts';
import { armFlow } from './flow.ts';

const params = Type.Object(
  {
    seconds: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 600,
        description: `robot time of one attempt, seconds; ${SECONDS} where it is not given`,
      }),
    ),
    attempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 20,
        description: `attempts at most; ${ATTEMPTS} where it is not given`,
      }),
    ),
    controller: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        description: 'of [[controllers]]; that of the task where it is not given',
      }),
    ),
  },
  { additionalProperties: false },
);

/** A six-axis arm of the class of the AR4 does by a learned policy what it was shown. */
export const application: Application = {
  name: 'ar4-physical-ai',
  version: '0.1.0',
  description: 'Picks a cube and places it on its target by a policy that learned it from demonstrations',
  harness: 'flow',
  intents: [
    { type: 'arm/pick_place', description: 'Put the red cube on the blue target', params },
    { type: 'arm/reach', description: 'Bring the open gripper over the red cube', params },
  ],
  deadlineMs: 60 * 60 * 1000,
  // What the policy did to the table before a cut is seen anew: the flow looks before it acts.
  afterCut: 'resume',
  flow: armFlow,
  folder: import.meta.dirname,
  // There is one arm.
  sharing: { runsMax: 1 },
};
