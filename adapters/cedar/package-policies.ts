import {
  type Application,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type PolicyHook,
  type PolicyRequest,
} from '../../contract/core.ts';
import { CedarJudge, checkPolicies, hashOf } from './cedar-judge.ts';
import { checkHere, type PolicyCheck } from './policy-check.ts';
import type { ParsedPolicy, PolicyFile } from './policy-text.ts';
import { loadCedarNow } from './wasm.ts';

/** What nothing of a package forbids is left to the site. */
export const REST: PolicyFile = { file: 'rest', text: 'permit (principal, action, resource);' };
/** Who answers a question, and which data leaves, is the concern of the site. */
export const POINTS: ReadonlySet<HookQuestion['point']> = new Set(['intent', 'tool', 'model']);

/** Sets of packages that are kept parsed; the one that was asked longest ago is closed for another. */
const JUDGES_MAX = 64;

export type PolicyFault = { readonly line: number | undefined; readonly problem: string };

/** Verdicts on files of packages that are remembered; the oldest goes for another. */
const VERDICTS_MAX = 256;
const verdicts = new Map<string, readonly PolicyFault[]>();
/** Files whose last check was not carried out (it took too long): the next reload checks them again. */
const unchecked = new Set<string>();

/** What is wrong with a policy file of a package: its text, or that it permits something. Never throws. */
export function packagePolicyFaults(file: string, text: string): readonly PolicyFault[] {
  const files = [REST, { file, text }];
  const key = hashOf(files);
  const known = verdicts.get(key);
  if (known) return known;
  let faults: readonly PolicyFault[];
  try {
    faults = permitsOf(file, checkPolicies(loadCedarNow(), files));
  } catch (thrown) {
    faults = [faultOf(file, thrown)];
  }
  return remembered(key, faults);
}

/**
 * The same ahead, so that `packagePolicyFaults` knows the answer: `check` may take its time in another thread. Never
 * rejects: a check that was not carried out is the answer until this is called again.
 */
export async function checkPackagePolicies(files: readonly PolicyFile[], check: PolicyCheck): Promise<void> {
  for (const { file, text } of files) {
    const whole = [REST, { file, text }];
    const key = hashOf(whole);
    if (verdicts.has(key) && !unchecked.delete(key)) continue;
    try {
      remembered(key, permitsOf(file, await check(whole)));
    } catch (thrown) {
      if (!(thrown instanceof EdgeError && thrown.code === 'policy.invalid')) unchecked.add(key);
      remembered(key, [faultOf(file, thrown)]);
    }
  }
}

function remembered(key: string, faults: readonly PolicyFault[]): readonly PolicyFault[] {
  verdicts.set(key, faults);
  const [eldest] = verdicts.keys();
  if (verdicts.size > VERDICTS_MAX) {
    verdicts.delete(eldest!);
    unchecked.delete(eldest!);
  }
  return faults;
}

function permitsOf(file: string, policies: readonly ParsedPolicy[]): readonly PolicyFault[] {
  return policies
    .filter((policy) => policy.file === file && policy.effect === 'permit')
    .map(({ line }) => ({
      line,
      problem:
        'permits something; a package only forbids: what is permitted stands in the policies of the site',
    }));
}

function faultOf(file: string, thrown: unknown): PolicyFault {
  const { subject, message } = EdgeError.from(thrown, 'policy.invalid', 'load policies', file);
  const line = /:([0-9]+)$/.exec(subject)?.[1];
  const place = `${subject}: `;
  const problem = message.startsWith(place) ? message.slice(place.length) : message;
  return { line: line === undefined ? undefined : Number(line), problem };
}

/**
 * The policies of the site, and those of the package that a question is about. A package can only narrow what the site
 * allows, and only for its own intents and runs. `appOf`: whose run or intent it is; undefined: of none.
 */
export class SiteAndPackages implements PolicyHook {
  readonly name: string;
  readonly #site: PolicyHook;
  readonly #appOf: (question: HookQuestion) => Application | undefined;
  /** By the hash of the files, those asked last at the end: a reload that changes nothing uses the parsed set again. */
  readonly #judges = new Map<string, CedarJudge>();
  readonly #hashes = new WeakMap<readonly PolicyFile[], string>();
  readonly #check: PolicyCheck;
  /** Sets that are being checked, by the hash of the files. */
  readonly #checks = new Map<string, ReturnType<PolicyCheck>>();

  /** `check`: where the policies of a package are parsed and checked, at its first question. */
  constructor(
    site: PolicyHook,
    appOf: (question: HookQuestion) => Application | undefined,
    check: PolicyCheck = checkHere,
  ) {
    this.#check = check;
    this.name = site.name;
    this.#site = site;
    this.#appOf = appOf;
  }

  async decide(question: HookQuestion): Promise<HookDecision> {
    const decision = await this.#site.decide(question);
    if (decision.decision === 'deny' || !POINTS.has(question.point)) return decision;
    const app = this.#appOf(question);
    if (!app?.policies?.length) return decision;
    const { request } = decision;
    if (!request)
      return {
        ...{ ...decision, decision: 'deny', app: app.name },
        reason: `the policies of ${app.name} could not be asked`,
      };
    const judge = (await this.#judgeOf(app.policies))();
    const own = judge.judge(request as unknown as PolicyRequest);
    if (own.decision === 'allow') return decision;
    return {
      decision: 'deny',
      reason: own.reason,
      policySha256: judge.sha256,
      request,
      determining: own.determining.map((id) => `${app.name}/${id}`),
      app: app.name,
    };
  }

  /** No question waits at a set while it may be closed: the caller judges in the turn in which it gets the set. */
  async #judgeOf(files: readonly PolicyFile[]): Promise<() => CedarJudge> {
    const hash = this.#hashes.get(files) ?? hashOf(files);
    this.#hashes.set(files, hash);
    const whole = [REST, ...files];
    if (this.#judges.has(hash)) return () => this.#taken(hash, whole);
    const checking = this.#checks.get(hash) ?? this.#check(whole).finally(() => this.#checks.delete(hash));
    this.#checks.set(hash, checking);
    const checked = await checking;
    return () => this.#taken(hash, whole, checked);
  }

  #taken(hash: string, files: readonly PolicyFile[], checked?: readonly ParsedPolicy[]): CedarJudge {
    const judge = this.#judges.get(hash) ?? new CedarJudge(loadCedarNow(), files, [], checked);
    this.#judges.delete(hash);
    this.#judges.set(hash, judge);
    for (const [key, eldest] of this.#judges) {
      if (this.#judges.size <= JUDGES_MAX) break;
      this.#judges.delete(key);
      // Cedar keeps a parsed set until it is closed.
      eldest.close();
    }
    return judge;
  }
}
