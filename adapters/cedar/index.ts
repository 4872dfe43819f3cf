export { BUILT_IN, BuiltInJudge } from './built-in.ts';
export { CedarJudge } from './cedar-judge.ts';
export { EntityFile } from './entity-file.ts';
export { type BorrowedJudge, PolicyBook, type PolicySource, type Standing } from './policy-book.ts';
export { readPolicySource } from './policy-files.ts';
export { loadCedar } from './wasm.ts';
