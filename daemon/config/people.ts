import {
  EdgeError,
  type KnownPerson,
  OPERATOR,
  ROS_PRINCIPAL,
  schedulePrincipal,
  type Who,
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

/** Everybody to whom a configuration gives a name: its tokens, its ways in and its schedules. */
export function peopleOf({
  policy,
  intents,
  inference,
  schedules,
}: Pick<Config, 'policy' | 'intents' | 'inference' | 'schedules'>): readonly KnownPerson[] {
  const { tenant } = intents;
  return [
    { ...OPERATOR, roles: [OPERATOR.roles] },
    ...policy.principals.map(({ name, roles, ...row }) => ({
      ...{ principal: name, tenant: row.tenant, roles: [roles] },
    })),
    { principal: ROS_PRINCIPAL, tenant, origin: 'ros', roles: [intents.ros_roles, inference.roles] },
    { principal: ZENOH_PRINCIPAL, tenant, origin: 'zenoh', roles: [intents.zenoh_roles, inference.roles] },
    ...schedules.map(({ name, roles }) => ({
      ...{ principal: schedulePrincipal(name), tenant, origin: 'schedule' as const, roles: [roles] },
    })),
  ];
}
