import type { PolicyContext } from './intent.ts';

/**
 * Names of those who come by a way in that has no tokens of this robot. Who has a token goes by the name of that token,
 * whichever way it is shown (HTTP, MCP, command line).
 */

/** Somebody with a token. */
export type Who = { readonly principal: string; readonly tenant: string; readonly roles: readonly string[] };

/** The holder of the token of the robot itself. */
export const OPERATOR: Who = { principal: 'operator', tenant: 'local', roles: ['operator'] };

/** Any node of the ROS graph. Nodes show no name that could be trusted. */
export const ROS_PRINCIPAL = 'ros/graph';
/**
 * Any client of the key space that TLS and the access rules of Zenoh let in. A question carries no name that could be
 * trusted.
 */
export const ZENOH_PRINCIPAL = 'zenoh/key-space';

const CENTRAL = 'central/';

/** Who showed a token to central, which signs the name. An `@` is no character of a name on the robot. */
export function centralPrincipal(postedBy: string): string {
  return `${CENTRAL}${postedBy.replaceAll('@', '.')}`;
}

/** A schedule of the configuration or of a package, by its name. */
export function schedulePrincipal(name: string): string {
  return `schedule/${name}`;
}

/** A webhook of a package or of the configuration, by its name. */
export function webhookPrincipal(name: string): string {
  return `webhook/${name}`;
}

/** With which roles the robot itself asks whether data may leave for central. */
export const ROBOT_ROLES: readonly string[] = ['robot'];

/** A name that the configuration gives to somebody, with the roles that this one may come with. */
export type KnownPerson = Omit<Who, 'roles'> & {
  readonly roles: readonly (readonly string[])[];
  /** Ways by which this one comes; the first is the usual one. */
  readonly origins: readonly PolicyContext['origin'][];
};

/** Names of ways in: who had one as the name of a token would be taken for what it is not. */
export function isReservedPrincipal(name: string): boolean {
  return /^(operator|mcp|a2a|((ros|zenoh|central|schedule|webhook)(\/.*)?))$/.test(name);
}

/**
 * Whether two principals of one tenant may be one person. A name at central and the same name on the robot count as
 * one, so no person approves at central what was requested here under the same name, nor the other way round.
 */
export function isSamePerson(one: string, other: string): boolean {
  return personOf(one) === personOf(other);
}

function personOf(principal: string): string {
  return principal.startsWith(CENTRAL) ? principal.slice(CENTRAL.length) : principal.replaceAll('@', '.');
}

/**
 * In whose name an MCP client acts: the principal that authenticated, as through any other way in; that it came by
 * MCP is the origin. With the token of the robot the roles are those of the configuration; others keep those of their
 * roles that the configuration lets through. No grants.
 */
export function mcpCaller(caller: PolicyContext, allowed: readonly string[]): PolicyContext {
  const { tenant, principal, roles } = caller;
  const robot = principal === OPERATOR.principal && tenant === OPERATOR.tenant;
  if (robot) return { tenant, principal, roles: [...allowed], origin: 'mcp' };
  return { tenant, principal, roles: roles.filter((role) => allowed.includes(role)), origin: 'mcp' };
}
