import { createHash } from 'node:crypto';
import type { PolicyJudge, PolicyRequest, PolicyVerdict, PolicyView } from '../../contract/core.ts';
import { BUILT_IN, BuiltInJudge } from './built-in.ts';
import { CedarJudge, hashOf } from './cedar-judge.ts';
import { NAMESPACE, resourceOf, userId } from './cedar-request.ts';
import { EntityFile } from './entity-file.ts';
import { checkHere, type PolicyCheck } from './policy-check.ts';
import type { PolicyFile } from './policy-text.ts';
import { loadCedar } from './wasm.ts';

/** The content of the files. Without policies the built-in ones apply. */
export type PolicySource = {
  readonly policies: readonly PolicyFile[];
  /** `entities.json`; an empty text where the file is missing. */
  readonly entities: PolicyFile;
};

/** Policies and entities together, checked: used by the daemon, and by the checks and tests of `auraison policy`. */
export type PolicySet = {
  readonly judge: PolicyJudge & { close(): void };
  readonly entities: EntityFile;
  readonly view: Pick<PolicyView, 'policy_sha256' | 'built_in' | 'files' | 'policies'>;
};

const WARM_UP: PolicyRequest = {
  point: 'tool',
  principal: { tenant: 'local', id: 'nobody', roles: [], origin: 'run' },
  resource: resourceOf('tool', 'warm.up'),
  robot: 'robot',
  ts_ms: 0,
  about: { effect: 'read' },
  facts: { number: 1, text: 'a', flag: true },
  entities: [],
};

/**
 * The one loader of policies. Throws `policy.invalid` with the file, the place in it and the fault. `check`: where the
 * policies are parsed and checked.
 */
export async function openPolicySet(
  { policies, entities }: PolicySource,
  check: PolicyCheck = checkHere,
): Promise<PolicySet> {
  const known = new EntityFile(entities.file, entities.text);
  if (policies.length === 0 && entities.text === '') {
    const judge = new BuiltInJudge();
    const view = {
      policy_sha256: judge.sha256,
      built_in: true,
      files: filesOf(BUILT_IN, judge.policies),
      policies: judge.policies,
    };
    return { judge, entities: known, view };
  }
  const texts = policies.length === 0 ? BUILT_IN : policies;
  const checked = await check(texts);
  const judge = new CedarJudge(await loadCedar(), texts, entities.text === '' ? [] : [entities], checked);
  // The first question of all compiles much of Cedar: it is asked here, so that no later question pays for it.
  judge.judge(WARM_UP);
  const listed = judge.policies.map(({ id, effect, line, text }) => ({ id, effect, line, text }));
  const view = {
    policy_sha256: judge.sha256,
    built_in: policies.length === 0,
    files: filesOf(texts, listed),
    policies: listed,
  };
  return { judge, entities: known, view };
}

/** In force where no set of policies was ever good: reading is allowed, nothing that acts. A stop is never judged. */
export function closedPolicySet(): PolicySet {
  const sha256 = hashOf([{ file: 'closed', text: 'permit reads; forbid everything else' }]);
  const judge = (request: PolicyRequest): PolicyVerdict =>
    request.point === 'tool' &&
    request.about['effect'] === 'read' &&
    request.principal.roles.includes('operator')
      ? { decision: 'allow', reason: 'reading is allowed while no policies are in force', determining: [] }
      : {
          decision: 'deny',
          reason:
            'the policy files are broken and no earlier ones are kept: nothing is allowed but to read and to stop',
          determining: [],
        };
  return {
    judge: { sha256, judge, close: () => {} },
    entities: new EntityFile('entities.json', ''),
    view: { policy_sha256: sha256, built_in: false, files: [], policies: [] },
  };
}

/** The entities of a question: all ancestors of its principal and its resource. */
export function entitiesOf(
  { entities }: Pick<PolicySet, 'entities'>,
  { principal, resource }: Pick<PolicyRequest, 'principal' | 'resource'>,
): PolicyRequest['entities'] {
  const uid = (type: string, id: string) => ({ type: `${NAMESPACE}::${type}`, id });
  return entities.reach([
    uid('User', userId(principal.tenant, principal.id)),
    ...principal.roles.map((role) => uid('Role', role)),
    ...resource.parents.map((parent) => uid(parent.type, parent.id)),
  ]);
}

/**
 * Judges questions of the log or of a test with the entities of this set, as the daemon would ask them now. `judge`:
 * asked in the place of the set alone, for example with packages.
 */
export function judgeWithEntities(set: PolicySet, judge: PolicyJudge = set.judge): PolicyJudge {
  return {
    sha256: set.judge.sha256,
    judge: (request) => {
      try {
        return judge.judge({ ...request, entities: entitiesOf(set, request) });
      } catch (thrown) {
        return { decision: 'deny', reason: (thrown as Error).message.slice(0, 512), determining: [] };
      }
    },
  };
}

function filesOf(
  files: readonly PolicyFile[],
  policies: readonly { readonly id: string }[],
): PolicyView['files'] {
  return files.map(({ file, text }) => ({
    file,
    sha256: createHash('sha256').update(text).digest('hex'),
    policies: policies.filter(({ id }) => id.startsWith(`${file}#`)).length,
  }));
}
