import {
  type Application,
  EdgeError,
  type HookDecision,
  type HookQuestion,
  type PolicyHook,
  type PolicyRequest,
} from '../../contract/core.ts';
import { CedarJudge, hashOf } from './cedar-judge.ts';
import type { PolicyFile } from './policy-text.ts';
import { loadCedarNow } from './wasm.ts';

/** What nothing of a package forbids is left to the site. */
const REST: PolicyFile = { file: 'rest', text: 'permit (principal, action, resource);' };
/** Who answers a question, and which data leaves, is the concern of the site. */
const POINTS: ReadonlySet<HookQuestion['point']> = new Set(['intent', 'tool', 'model']);

/** Sets of packages that are kept parsed; the one that was asked longest ago is closed for another. */
const JUDGES_MAX = 64;

export type PolicyFault = { readonly line: number | undefined; readonly problem: string };

/** What is wrong with a policy file of a package: its text, or that it permits something. Never throws. */
export function packagePolicyFaults(file: string, text: string): readonly PolicyFault[] {
  try {
    const judge = new CedarJudge(loadCedarNow(), [REST, { file, text }]);
    judge.close();
    return judge.policies
      .filter((policy) => policy.file === file && policy.effect === 'permit')
      .map(({ line }) => ({
        line,
        problem:
          'permits something; a package only forbids: what is permitted stands in the policies of the site',
      }));
  } catch (thrown) {
    const { subject, message } = EdgeError.from(thrown, 'policy.invalid', 'load policies', file);
    const line = /:([0-9]+)$/.exec(subject)?.[1];
    const place = `${subject}: `;
    const problem = message.startsWith(place) ? message.slice(place.length) : message;
    return [{ line: line === undefined ? undefined : Number(line), problem }];
  }
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

  constructor(site: PolicyHook, appOf: (question: HookQuestion) => Application | undefined) {
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
    const judge = this.#judgeOf(app.policies);
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

  #judgeOf(files: readonly PolicyFile[]): CedarJudge {
    const hash = this.#hashes.get(files) ?? hashOf(files);
    this.#hashes.set(files, hash);
    const judge = this.#judges.get(hash) ?? new CedarJudge(loadCedarNow(), [REST, ...files]);
    this.#judges.delete(hash);
    this.#judges.set(hash, judge);
    for (const [key, eldest] of this.#judges) {
      if (this.#judges.size <= JUDGES_MAX) break;
      this.#judges.delete(key);
      // Cedar keeps a parsed set until it is closed. No question is open at it: judging does not wait.
      eldest.close();
    }
    return judge;
  }
}
