import {
  appOfQuestions,
  judgeWithEntities,
  judgeWithPackages,
  neverJudged,
  openPolicySet,
  packageJudge,
  policyRequest,
  readPolicySource,
} from '../../adapters/cedar/index.ts';
import {
  type Application,
  type AppView,
  isNeverJudged,
  NEVER_JUDGED,
  type PolicyJudge,
  type PolicyVerdict,
} from '../../contract/core.ts';
import { modelFacts } from '../config/model-facts.ts';
import { peopleOf } from '../config/people.ts';
import type { Config } from '../config.ts';
import { CHAT } from '../runtime/chat/chat-desk.ts';
import { houseSpecs } from '../runtime/house-tools.ts';
import { type CaseWorld, caseQuestion, caseWorld, type PolicyCase } from '../runtime/law/case-question.ts';
import { plannerApp } from '../runtime/planning/planner-app.ts';
import type { Settings } from '../settings.ts';
import { makePackageShelf } from './package-reader.ts';
import { unreadRules } from './shelf-rules.ts';

/** The policies that a daemon with these settings would load: of the site, and of each package. */
export type PolicyLaw = {
  /** Of whole questions, as the log keeps them. */
  readonly judge: PolicyJudge;
  /** Packages with policies that would be asked. */
  readonly packages: readonly Application[];
  /** Packages that would not be taken, with the reason. */
  readonly refused: readonly AppView[];
  /** Policies that name what is never judged. */
  readonly warnings: readonly string[];
  /** The word of the daemon on a case. Throws `schema.invalid` where this configuration cannot have it. */
  decide(one: PolicyCase, tsMs: number): PolicyVerdict;
};

/** `folder`: in the place of `policy.dir` and `policy.files`. Throws `policy.invalid` with file, line and fault. */
export async function openLaw(settings: Settings, folder?: string): Promise<PolicyLaw> {
  const { config } = settings;
  const { dir, files } = config.policy;
  const source = readPolicySource(folder ?? dir, folder === undefined ? files : []);
  const set = await openPolicySet(source);
  const builtIn = config.planning.enabled ? [plannerApp(config.planning.subgoals)] : [];
  const shelf = makePackageShelf(settings, builtIn, unreadRules(settings));
  shelf.read();
  const apps = shelf.apps.map(({ app }) => app);
  const both = packageJudge(set.judge);
  const judge = judgeWithEntities(set, judgeWithPackages(set.judge, appOfQuestions(apps), both));
  const packages = apps.filter(({ policies = [] }) => policies.length > 0);
  const world = await worldOf(config, [...builtIn, ...apps]);
  const { speed_max: speedMax, turn_max: turnMax } = config.robot;
  return {
    ...{ judge, packages },
    refused: shelf.views().filter(({ state }) => state === 'bad'),
    warnings: [
      ...neverJudged(source.policies),
      ...packages.flatMap(({ name, policies = [] }) =>
        neverJudged(policies).map((text) => `${name}/${text}`),
      ),
    ],
    decide(one, tsMs) {
      if (isNeverJudged(one)) return NEVER_JUDGED;
      const { standing, app, ...question } = caseQuestion(one, world);
      const asked = { robot: world.robot, tsMs, base: { speedMax, turnMax }, set };
      const own = apps.find(({ name }) => name === app);
      return both.judge(policyRequest(question, standing, asked), own);
    },
  };
}

async function worldOf(config: Config, apps: readonly Application[]): Promise<CaseWorld> {
  const { judgedSpecs } = await import('../../adapters/mcp/server/index.ts');
  const tools = houseSpecs();
  return caseWorld({
    ...{ robot: config.daemon.name, mcpRoles: config.mcp.roles, people: peopleOf(config, apps) },
    ...{ tools, mcpTools: judgedSpecs(tools), chat: CHAT },
    models: new Map(config.models.map((row) => [row.name, modelFacts(row)])),
    apps,
  });
}
