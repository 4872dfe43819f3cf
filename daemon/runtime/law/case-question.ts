import {
  checker,
  EdgeError,
  type HookPoint,
  type HookQuestion,
  isStopTool,
  JUDGED_ACTIONS,
  type KnownPerson,
  mcpCaller,
  NORMAL_PRIORITY,
  OPERATOR,
  type PolicyContext,
  type ToolSpec,
} from '../../../contract/index.ts';
import { motionFactsOf } from './motion-law.ts';

/** One case of a test of policies: what somebody asks. What is left out, the configuration says. */
export type PolicyCase = {
  readonly point: HookPoint;
  readonly subject: string;
  readonly principal?: string | undefined;
  readonly tenant?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly origin?: PolicyContext['origin'] | undefined;
  /** A grant: its roles are those of the case that the principal does not have without it. */
  readonly grant?: string | undefined;
  /** The application whose run asks. */
  readonly app?: string | undefined;
  /** Arguments of a tool; for other questions as policies see them. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly about: Readonly<Record<string, string>>;
};

/** What the daemon of a configuration knows when it is asked. */
export type CaseWorld = {
  readonly robot: string;
  readonly people: readonly KnownPerson[];
  /** Roles of those who come by MCP: `mcp.roles`. */
  readonly mcpRoles: readonly string[];
  readonly tools: ReadonlyMap<string, Pick<ToolSpec, 'effect' | 'input'>>;
  /** Facts of a configured model, by its name. */
  readonly models: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** The application that serves an intent. */
  readonly intents: ReadonlyMap<string, string>;
  readonly apps: ReadonlySet<string>;
};

export type CaseQuestion = HookQuestion & {
  /** Whose policies are asked too. */
  readonly app: string | undefined;
  readonly standing: { readonly ok: true; readonly roles: readonly string[]; readonly grant?: string };
};

const ACTIONS: ReadonlySet<string> = new Set(JUDGED_ACTIONS);
/** Questions in which policies see the application. */
const SHOW_APP: ReadonlySet<HookPoint> = new Set(['intent', 'model']);
/** Somebody without a name of the configuration. */
const SOMEBODY = 'somebody';

/** Whether the daemon asks no policy about it: what only stops is always allowed. */
export function isNeverJudged({ point, subject }: Pick<PolicyCase, 'point' | 'subject'>): boolean {
  return point === 'tool' && isStopTool(subject);
}

/**
 * The question that the daemon would ask about a case. Throws `schema.invalid` where this configuration
 * cannot have the case: other roles than those of a known name, arguments that the tool refuses, an application that
 * is not there.
 */
export function caseQuestion(one: PolicyCase, world: CaseWorld): CaseQuestion {
  const { point, subject } = one;
  const { context, standing } = whoAsks(one, world);
  if (one.app !== undefined && !world.apps.has(one.app))
    throw wrong('app', `${one.app} is no application of this configuration: auraison app list`);
  const { facts, about } = whatOf(one, world);
  const app = one.app ?? about['app'] ?? world.intents.get(about['intent'] ?? '');
  const shown = app === undefined || !SHOW_APP.has(point) ? {} : { app };
  return {
    ...{ point, subject, context, standing, facts, app },
    about: agreed(shown, about, 'about') as Record<string, string>,
  };
}

function whoAsks(one: PolicyCase, world: CaseWorld): Pick<CaseQuestion, 'context' | 'standing'> {
  const { grant } = one;
  const known = personOf(one, world);
  if (!known && one.roles === undefined)
    throw wrong('principal', `the configuration gives no roles to ${one.principal}: add roles = [ … ]`);
  const origin = one.origin ?? known?.origin ?? 'api';
  const tenant = one.tenant ?? known?.tenant ?? OPERATOR.tenant;
  const principal = known?.principal ?? one.principal ?? SOMEBODY;
  const byOrigin = (roles: readonly string[]): readonly string[] =>
    origin === 'mcp'
      ? mcpCaller({ tenant, principal, roles: [...roles], origin }, world.mcpRoles).roles
      : roles;
  const sets = known?.roles.map(byOrigin) ?? [];
  const own = sets[0] ?? byOrigin(one.roles ?? []);
  if (known && one.roles && grant === undefined && !sets.some((roles) => areSame(roles, one.roles!)))
    throw wrong('roles', `${principal} has ${named(own)} by the configuration, not ${named(one.roles)}`);
  const roles = grant === undefined ? (one.roles && known ? one.roles : own) : [...own, ...(one.roles ?? [])];
  return {
    context: { tenant, principal, roles: [...roles], origin },
    standing: { ok: true, roles, ...(grant === undefined ? {} : { grant }) },
  };
}

/** Without a name it is the operator, or somebody with the roles of the case. */
function personOf({ principal, tenant, roles }: PolicyCase, { people }: CaseWorld): KnownPerson | undefined {
  const name =
    principal ?? (roles === undefined || areSame(roles, OPERATOR.roles) ? OPERATOR.principal : undefined);
  return people.find(
    (person) => person.principal === name && (tenant === undefined || tenant === person.tenant),
  );
}

function whatOf(one: PolicyCase, world: CaseWorld): Pick<PolicyCase, 'facts' | 'about'> {
  const { point, subject, facts, about } = one;
  if (point === 'tool') return toolCall(one, world);
  if (point === 'model')
    return { facts: agreed(world.models.get(subject) ?? {}, facts, `facts of model ${subject}`), about };
  if (point === 'intent') {
    const plain = { params: {}, targets: [world.robot], priority: NORMAL_PRIORITY };
    const app = world.intents.get(subject);
    const known = { intent: subject, ...(app === undefined ? {} : { app }) };
    // A message to a run is judged as an intent too, without a type of its own.
    if (facts['message'] !== undefined) return { facts, about };
    return {
      facts: { type: subject, ...plain, ...facts },
      about: agreed(known, about, 'about') as Record<string, string>,
    };
  }
  if (point === 'approval') {
    const at = subject.indexOf('/');
    const known = at < 0 ? {} : { point: subject.slice(0, at), subject: subject.slice(at + 1) };
    return { facts, about: agreed(known, about, 'about') as Record<string, string> };
  }
  return { facts, about };
}

function toolCall(
  { subject, facts, about }: PolicyCase,
  { tools }: CaseWorld,
): Pick<PolicyCase, 'facts' | 'about'> {
  const tool = tools.get(subject);
  const effect = tool?.effect ?? (ACTIONS.has(subject) ? 'actuate' : undefined);
  // Within another tool it is a motion of an action: its facts are those of docs/policies.md, and it has no arguments.
  const isCall = tool !== undefined && about['within'] === undefined;
  const fault = isCall ? checker(tool.input).fault(facts) : undefined;
  if (fault !== undefined) throw wrong('facts', `no arguments of ${subject}: ${fault}`);
  if (effect === undefined && about['effect'] === undefined)
    throw wrong(
      'about',
      `the effect of ${subject} is not known without its program: about = { effect = "read", "write" or "actuate" }`,
    );
  const known = effect === undefined ? {} : { effect };
  return {
    facts: isCall ? { ...facts, ...motionFactsOf(subject, facts) } : facts,
    about: agreed(known, about, 'about') as Record<string, string>,
  };
}

/** Both together; a case cannot state another value than the daemon would. */
function agreed(
  known: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Readonly<Record<string, unknown>> {
  for (const [key, value] of Object.entries(given))
    if (Object.hasOwn(known, key) && known[key] !== value)
      throw wrong(what, `${key} is ${JSON.stringify(known[key])} here, not ${JSON.stringify(value)}`);
  return { ...known, ...given };
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [new Set(one), new Set(other)];
  return a.size === b.size && [...a].every((role) => b.has(role));
}

function named(roles: readonly string[]): string {
  return roles.length === 0 ? 'no roles' : `roles ${roles.join(', ')}`;
}

function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'policy test',
    subject,
    message: `${subject}: ${message}`,
  });
}
