import type { Application, PolicyJudge, PolicyRequest } from '../../contract/core.ts';
import { CedarJudge } from './cedar-judge.ts';
import { POINTS, REST } from './package-policies.ts';
import { loadCedarNow } from './wasm.ts';

/**
 * Judges whole questions, of the log or of a test, by the site and then by the policies of the package that they are
 * about: as `SiteAndPackages` does for questions of now. `appOf`: whose question it is; undefined: of no package.
 * Closing it closes the parsed packages, and not the site.
 */
export function judgeWithPackages(
  site: PolicyJudge,
  appOf: (request: PolicyRequest) => Application | undefined,
): PolicyJudge & { close(): void } {
  const judges = new Map<string, CedarJudge>();
  const judgeOf = ({ name, policies = [] }: Application): CedarJudge => {
    const judge = judges.get(name) ?? new CedarJudge(loadCedarNow(), [REST, ...policies]);
    judges.set(name, judge);
    return judge;
  };
  return {
    sha256: site.sha256,
    judge(request) {
      const verdict = site.judge(request);
      if (verdict.decision === 'deny' || !POINTS.has(request.point)) return verdict;
      const app = appOf(request);
      if (!app?.policies?.length) return verdict;
      const own = judgeOf(app).judge(request);
      if (own.decision === 'allow') return verdict;
      const determining = own.determining.map((id) => `${app.name}/${id}`);
      return { decision: 'deny', reason: own.reason, determining };
    },
    close() {
      for (const judge of judges.values()) judge.close();
      judges.clear();
    },
  };
}

/** Whose application a logged question is about: that of its intent. */
export function appOfQuestions(
  apps: readonly Application[],
): (request: PolicyRequest) => Application | undefined {
  const served = new Map(apps.flatMap((app) => app.intents.map(({ type }) => [type, app] as const)));
  const named = new Map(apps.map((app) => [app.name, app]));
  return ({ about }) => named.get(about['app'] ?? '') ?? served.get(about['intent'] ?? '');
}
