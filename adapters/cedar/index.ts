export { BUILT_IN, BuiltInJudge } from './built-in.ts';
export { CedarJudge } from './cedar-judge.ts';
export { EntityFile } from './entity-file.ts';
export { LastGoodPolicies } from './last-good.ts';
export { neverJudged } from './never-judged.ts';
export { appOfQuestions, judgeWithPackages, packageJudge } from './package-judge.ts';
export { checkPackagePolicies, packagePolicyFaults, SiteAndPackages } from './package-policies.ts';
export { PolicyBook } from './policy-book.ts';
export { checkAside } from './policy-check.ts';
export { readPolicySource } from './policy-files.ts';
export { policyRequest, type Standing } from './policy-request.ts';
export {
  closedPolicySet,
  judgeWithEntities,
  openPolicySet,
  type PolicySet,
  type PolicySource,
} from './policy-set.ts';
export { CedarEngine, loadCedar } from './wasm.ts';
