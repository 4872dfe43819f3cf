import type { Application, PolicyJudge, PolicyRequest, PolicyVerdict } from '../../contract/core.ts';
import { CedarJudge } from './cedar-judge.ts';
import { POINTS, REST } from './package-policies.ts';
import { loadCedarNow } from './wasm.ts';

export type PackageJudge = {
  /** By the site and then by the policies of this package; undefined: the site alone. */
  judge(request: PolicyRequest, app: Application | undefined): PolicyVerdict;
  /** Closes the parsed packages, and not the site. */
  close(): void;
};

/**
 * Judges whole questions, of the log or of a test, as `SiteAndPackages` does for questions of now. The policies of a
 * package are parsed at its first question, and once.
 */
export function packageJudge(site: PolicyJudge): PackageJudge {
  const judges = new Map<string, Pick<CedarJudge, 'judge' | 'close'>>();
  const judgeOf = (app: Application) => {
    const judge = judges.get(app.name) ?? opened(app);
    judges.set(app.name, judge);
    return judge;
  };
  return {
    judge(request, app) {
      const verdict = site.judge(request);
      if (verdict.decision === 'deny' || !POINTS.has(request.point) || !app?.policies?.length) return verdict;
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

/** Files that are good alone and not together, for example too many policies, deny: so does the hook of the daemon. */
function opened({ policies = [] }: Application): Pick<CedarJudge, 'judge' | 'close'> {
  try {
    return new CedarJudge(loadCedarNow(), [REST, ...policies]);
  } catch (thrown) {
    const reason = `the policies of the package failed: ${(thrown as Error).message}`.slice(0, 512);
    return { judge: () => ({ decision: 'deny', reason, determining: [] }), close: () => {} };
  }
}

/** The same as one judge. `appOf`: whose question it is; undefined: of no package. */
export function judgeWithPackages(
  site: PolicyJudge,
  appOf: (request: PolicyRequest) => Application | undefined,
  packages: PackageJudge = packageJudge(site),
): PolicyJudge & { close(): void } {
  return {
    sha256: site.sha256,
    judge: (request) => packages.judge(request, appOf(request)),
    close: () => packages.close(),
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
