import { describe, expect, it } from 'vitest';
import { BuiltInJudge } from '../../adapters/cedar/built-in.ts';
import {
  type CellBus,
  centralPrincipal,
  isReservedPrincipal,
  isSamePerson,
  METHODS,
  type PolicyRequest,
  ROS_PRINCIPAL,
  type RunBrief,
  type RunBriefsRequest,
  type RuntimeApi,
  ZENOH_PRINCIPAL,
} from '../../contract/core.ts';
import { readConfig } from '../../daemon/config.ts';
import { serveRuntimeRequests } from '../../daemon/runtime/runtime-requests.ts';

describe('names of principals', () => {
  it.each([
    ...['operator', 'mcp', 'ros', 'zenoh', 'central', 'schedule'],
    ...[ROS_PRINCIPAL, ZENOH_PRINCIPAL, centralPrincipal('ada@lab'), 'schedule/patrol'],
  ])("%s is nobody's token", (name) => {
    expect(isReservedPrincipal(name)).toBe(true);
    const row = `[[policy.principals]]\nname = "${name}"\ntoken_file = "/t"\n`;
    const { faults } = readConfig(row, 'robot.toml', {});
    expect(faults).toMatchObject([{ key: 'policy.principals', expected: expect.stringContaining(name) }]);
  });

  it('are free otherwise', () => {
    expect(['ada', 'rosalind', 'central-ada', 'lab/ada'].filter(isReservedPrincipal)).toEqual([]);
  });

  it.each([
    ['ada', 'central/ada', true],
    ['ada@lab', centralPrincipal('ada@lab'), true],
    ['ada', 'ada', true],
    ['ada', 'central/bea', false],
    ['schedule/ada', 'central/ada', false],
    [ROS_PRINCIPAL, ZENOH_PRINCIPAL, false],
  ])('%s and %s: one person: %s', (one, other, same) => {
    expect([isSamePerson(one, other), isSamePerson(other, one)]).toEqual([same, same]);
  });

  it('compare by person where no policy is configured, too', () => {
    const judge = new BuiltInJudge();
    const asked = (id: string): PolicyRequest =>
      ({
        point: 'approval',
        principal: { tenant: 'local', id, roles: ['operator'], origin: 'api' },
        resource: { type: 'Approval', id: 'tool/gate.open' },
        about: { tenant: 'local', requester: 'central/ada', point: 'tool', subject: 'gate.open' },
        facts: {},
      }) as unknown as PolicyRequest;
    expect(['ada', 'central/ada', 'bea', 'central/bea'].map((id) => judge.judge(asked(id)).decision)).toEqual(
      ['deny', 'deny', 'allow', 'allow'],
    );
  });
});

describe('runs as other cells see them', () => {
  const details = (run_id: string, tenant: string) => ({
    run: { run_id, intent_id: 'i', status: 'running' },
    intent: { type: 'maze/find_exit', policy_ctx: { tenant, principal: 'p' } },
    reason: '',
  });
  const all = [details('01a2028d-0d9d-7000-8508-bc3e19789001', 'local'), details('r2', 'acme')];
  const runtime = {
    runs: ({ tenant }: { tenant?: string } = {}) =>
      all.filter(({ intent }) => tenant === undefined || intent.policy_ctx.tenant === tenant),
    run: (id: string) => all.find(({ run }) => run.run_id === id)!,
  } as unknown as RuntimeApi;

  it('end at the border of a tenant: runs of others are as if they were not there', async () => {
    const handlers = new Map<string, (body: RunBriefsRequest) => Promise<readonly RunBrief[]>>();
    const bus = { handle: (method: string, handler: never) => void handlers.set(method, handler) };
    serveRuntimeRequests(bus as unknown as CellBus, runtime);
    const briefs = async (asked: RunBriefsRequest) =>
      (await handlers.get(METHODS.runtime.runBriefs)!(asked)).map(({ run_id }) => run_id);
    const both = all.map(({ run }) => run.run_id);
    expect(await briefs({})).toEqual(both);
    expect(await briefs({ runIds: both })).toEqual(both);
    expect(await briefs({ tenant: 'acme' })).toEqual(['r2']);
    expect(await briefs({ tenant: 'acme', runIds: both })).toEqual(['r2']);
    expect(await briefs({ tenant: 'nobody', runIds: both })).toEqual([]);
  });
});
