/**
 * Names of those who come by a way in that has no tokens of this robot. Who has a token goes by the name of that token,
 * whichever way it is shown (HTTP, MCP, command line).
 */

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
