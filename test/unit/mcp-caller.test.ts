import { expect, it } from 'vitest';
import { mcpCaller, type PolicyContext } from '../../contract/index.ts';
import { endpointKey } from '../../daemon/compose/mcp.ts';

const who = (principal: string, tenant: string, roles: string[]): PolicyContext => ({
  tenant,
  principal,
  roles,
  origin: 'api',
  lease: 'g1',
});

it('an MCP client acts in the name of its token, with no more roles than that has and mcp.roles lets through', () => {
  const allowed = ['operator', 'lead'];
  expect(mcpCaller(who('operator', 'local', ['operator']), allowed)).toEqual({
    tenant: 'local',
    principal: 'operator',
    roles: ['operator', 'lead'],
    origin: 'mcp',
  });
  expect(mcpCaller(who('vera', 'local', ['viewer']), allowed)).toEqual({
    tenant: 'local',
    principal: 'vera',
    roles: [],
    origin: 'mcp',
  });
  expect(mcpCaller(who('lena', 'local', ['operator', 'night']), allowed).roles).toEqual(['operator']);
  // The name of the robot's own principal in another tenant is somebody else.
  expect(mcpCaller(who('operator', 'acme', ['viewer']), allowed)).toMatchObject({
    tenant: 'acme',
    principal: 'operator',
    roles: [],
  });
});

it('a token whose roles changed has another endpoint: it is judged by the roles of now', () => {
  const key = (roles: string[], tenant = 'local') => endpointKey(who('lena', tenant, roles));
  expect(key(['lead', 'operator'])).toBe(key(['operator', 'lead', 'lead']));
  expect(key(['lead'])).not.toBe(key(['lead', 'operator']));
  expect(key(['lead'])).not.toBe(key([]));
  expect(key(['lead'])).not.toBe(key(['lead'], 'acme'));
});
