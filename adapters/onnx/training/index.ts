export { type ChildOptions, runChild } from '../../../io/python/child.ts';
export { ensureEnv } from '../../../io/python/environment.ts';
export {
  checkPolicyName,
  datasetHash,
  type PolicyRecord,
  PolicyShelf,
  type ShelvedPolicy,
} from './policy-shelf.ts';
export { type Trained, type TrainOptions, train } from './train.ts';
export { wilson } from './wilson.ts';
