export { type ChildOptions, runChild } from './child.ts';
export {
  checkPolicyName,
  datasetHash,
  type PolicyRecord,
  PolicyShelf,
  type ShelvedPolicy,
} from './policy-shelf.ts';
export { ensureEnv } from './python-env.ts';
export { type Trained, type TrainOptions, train } from './train.ts';
export { wilson } from './wilson.ts';
