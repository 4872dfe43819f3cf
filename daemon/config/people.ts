import {
  type Application,
  EdgeError,
  type KnownPerson,
  OPERATOR,
  ROBOT_ROLES,
  ROS_PRINCIPAL,
  type ScheduleSpec,
  schedulePrincipal,
  type Who,
  webhookPrincipal,
  ZENOH_PRINCIPAL,
} from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { readSecret } from '../secrets.ts';

/** Who shows which token. Throws `config.invalid` where a file cannot be read or two have the same token. */
export function principalsOf({
  policy,
}: Pick<Config, 'policy'>): readonly { readonly token: string; readonly who: Who }[] {
  const found = policy.principals.map(({ name, tenant, roles, tokenFile }) => ({
    token: readSecret(tokenFile, `policy.principals: ${name}`, process.env)!,
    who: { principal: name, tenant, roles: [...roles] },
  }));
  const tokens = new Set(found.map(({ token }) => token));
  if (tokens.size === found.length) return found;
  throw new EdgeError('config.invalid', {
    operation: 'read tokens',
    subject: 'policy.principals',
    message: 'two principals have the same token',
  });
}

/** When the robot gives itself intents: those of the configuration first, their names are taken. */
export function schedulesOf(
  { schedules, apps: keys }: Pick<Config, 'schedules' | 'apps'>,
  apps: readonly Application[],
): ScheduleSpec[] {
  if (!keys.schedules) return [...schedules];
  const own = apps.flatMap((app) => app.schedules ?? []);
  return [
    ...schedules,
    ...own
      .filter(({ name }) => !schedules.some((one) => one.name === name))
      .map((one) => ({ ...one, roles: keys.schedule_roles })),
  ];
}

/** Ways of who shows a token; runs that a run asks for act in the name of whose it is. */
const BY_TOKEN = ['api', 'mcp', 'a2a', 'run'] as const;

/** Everybody to whom a configuration gives a name: its tokens, its ways in, its schedules and the robot itself. */
export function peopleOf(
  config: Pick<Config, 'daemon' | 'policy' | 'intents' | 'inference' | 'schedules' | 'apps'>,
  apps: readonly Application[],
): readonly KnownPerson[] {
  const { daemon, policy, intents, inference } = config;
  const { tenant } = intents;
  const robot = { principal: daemon.name, tenant: OPERATOR.tenant };
  return [
    { ...OPERATOR, roles: [OPERATOR.roles], origins: BY_TOKEN },
    ...policy.principals.map(({ name, roles, ...row }) => ({
      ...{ principal: name, tenant: row.tenant, roles: [roles], origins: BY_TOKEN },
    })),
    ...way(ROS_PRINCIPAL, tenant, 'ros', intents.ros_roles, inference.roles),
    ...way(ZENOH_PRINCIPAL, tenant, 'zenoh', intents.zenoh_roles, inference.roles),
    ...schedulesOf(config, apps).flatMap(({ name, roles }) =>
      way(schedulePrincipal(name), tenant, 'schedule', roles),
    ),
    ...config.apps.webhooks.flatMap(({ name, roles }) =>
      way(webhookPrincipal(name), tenant, 'webhook', roles),
    ),
    // `runs.auto_start`, and data that leaves for central.
    { ...robot, roles: [OPERATOR.roles], origins: ['schedule', 'run'] },
    { ...robot, roles: [ROBOT_ROLES], origins: ['central'] },
  ];
}

function way(
  principal: string,
  tenant: string,
  origin: KnownPerson['origins'][number],
  ...roles: KnownPerson['roles']
): readonly KnownPerson[] {
  return [{ principal, tenant, roles, origins: [origin, 'run'] }];
}
