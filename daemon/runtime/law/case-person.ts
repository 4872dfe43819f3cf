import {
  type KnownPerson,
  mcpCaller,
  OPERATOR,
  type PolicyContext,
  ROS_PRINCIPAL,
  ZENOH_PRINCIPAL,
} from '../../../contract/index.ts';
import { type CaseWorld, type PolicyCase, wrong } from './case-world.ts';

export type CasePerson = {
  readonly context: PolicyContext;
  readonly standing: { readonly ok: true; readonly roles: readonly string[]; readonly grant?: string };
};

type World = Pick<CaseWorld, 'people' | 'mcpRoles' | 'robot'>;
type Origin = PolicyContext['origin'];

/** Somebody without a name of the configuration. */
const SOMEBODY = 'somebody';
/** Who comes by a way where nothing else is said; by those that are missing, several may come. */
const USUAL: Readonly<Partial<Record<Origin, string>>> = {
  ...{ api: OPERATOR.principal, mcp: OPERATOR.principal, a2a: OPERATOR.principal, run: OPERATOR.principal },
  ...{ ros: ROS_PRINCIPAL, zenoh: ZENOH_PRINCIPAL },
};
/** Ways by which a grant can be named. */
const WITH_GRANT: ReadonlySet<Origin> = new Set<Origin>(['api', 'a2a', 'run']);

/** In whose name a case asks, with which roles. Throws `schema.invalid` where the configuration gives others. */
export function casePerson(one: PolicyCase, world: World): CasePerson {
  const known = personOf(one, world);
  if (!known && one.roles === undefined) throw wrong('principal', unnamed(one));
  const origin = one.origin ?? known?.origins[0] ?? 'api';
  const tenant = one.tenant ?? known?.tenant ?? OPERATOR.tenant;
  const principal = known?.principal ?? one.principal ?? SOMEBODY;
  const { grant } = one;
  if (grant !== undefined && !WITH_GRANT.has(origin))
    throw wrong('grant', `a grant is named by ${[...WITH_GRANT].join(', ')}, not by ${origin}`);
  const byOrigin = (roles: readonly string[]): readonly string[] =>
    origin === 'mcp'
      ? mcpCaller({ tenant, principal, roles: [...roles], origin }, world.mcpRoles).roles
      : roles;
  const roles = rolesOf(one, principal, (known?.roles ?? [one.roles ?? []]).map(byOrigin), !known);
  return {
    context: { tenant, principal, roles: [...roles], origin },
    standing: { ok: true, roles, ...(grant === undefined ? {} : { grant }) },
  };
}

/** `sets`: roles with which this one may come. */
function rolesOf(
  { roles, grant }: PolicyCase,
  principal: string,
  sets: readonly (readonly string[])[],
  isStranger: boolean,
): readonly string[] {
  const [own = [], ...others] = sets;
  if (isStranger) return own;
  const isOneOf = sets.some((set) => roles && areSame(set, roles));
  if (grant === undefined && isOneOf) return roles!;
  const several = others.some((set) => !areSame(set, own));
  if (several && (roles === undefined || grant !== undefined))
    throw wrong('roles', `${principal} comes with ${sets.map(named).join(' or with ')}: say which`);
  if (grant !== undefined) return [...own, ...(roles ?? [])];
  if (roles === undefined) return own;
  throw wrong('roles', `${principal} has ${named(own)} by the configuration, not ${named(roles)}`);
}

/**
 * The person of a case; undefined: somebody with the roles of the case. Without a name it is who comes by that way
 * where its roles are those of the case.
 */
function personOf(one: PolicyCase, { people, mcpRoles, robot }: World): KnownPerson | undefined {
  const { principal, tenant, roles, origin } = one;
  const leaves = isForCentral(one);
  const name = principal ?? (leaves ? robot : USUAL[origin ?? 'api']);
  const named = people.filter(
    (person) => person.principal === name && (tenant === undefined || tenant === person.tenant),
  );
  const usual = named.filter(({ origins }) => origins.includes('central') === leaves);
  const found = origin === undefined ? usual : usual.filter(({ origins }) => origins.includes(origin));
  if (leaves && found.length === 0)
    throw wrong('principal', `what leaves for central is asked as ${robot}, by central`);
  if (found.length === 0 && named.length > 0)
    throw wrong(
      'origin',
      `${name} comes by ${[...new Set(named.flatMap(({ origins }) => origins))].join(', ')}, not by ${origin}`,
    );
  const [first, ...others] = found;
  const tenants = new Set(found.map((person) => person.tenant));
  if (tenants.size > 1) throw wrong('tenant', `${name} is of ${[...tenants].join(' and of ')}: say which`);
  if (!first) return undefined;
  const person = { ...first, roles: [first, ...others].flatMap((row) => row.roles) };
  const isTheirs = [...person.roles, ...(origin === 'mcp' ? [mcpRoles] : [])].some(
    (set) => roles && areSame(set, roles),
  );
  const isSomebody = principal === undefined && roles !== undefined && !isTheirs && !leaves;
  return isSomebody ? undefined : person;
}

/** Data for central: asked in the name of the robot. */
export function isForCentral({ point, subject }: Pick<PolicyCase, 'point' | 'subject'>): boolean {
  return point === 'egress' && subject.startsWith('central/');
}

function unnamed({ principal }: PolicyCase): string {
  return principal === undefined
    ? 'several may come by this way and of this tenant: add principal or roles'
    : `the configuration gives no roles to ${principal}: add roles = [ … ]`;
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [new Set(one), new Set(other)];
  return a.size === b.size && [...a].every((role) => b.has(role));
}

function named(roles: readonly string[]): string {
  return roles.length === 0 ? 'no roles' : `roles ${roles.join(', ')}`;
}
