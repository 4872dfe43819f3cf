import { afterEach, describe, expect, it } from 'vitest';
import { EdgeError, type PolicyContext, type RunDetails, type RunFilter } from '../../contract/index.ts';
import type { HttpPorts } from '../../daemon/http/http-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { uuid } from '../support/tiny-log.ts';

/** What tokens other than the robot's own open: an API that predates them took everybody for its operator. */
let rig: Rig;
afterEach(() => rig?.stop());

const person = (principal: string, tenant: string, roles: string[]) => ({
  token: `token-of-${principal}`,
  who: { principal, tenant, roles },
});
const principals = [
  person('nora', 'local', []),
  person('vera', 'local', ['viewer']),
  person('lena', 'local', ['operator']),
  person('guest', 'acme', ['operator']),
];
const as = (principal: string, more: Record<string, string> = {}) => ({
  authorization: `Bearer token-of-${principal}`,
  ...more,
});
const POSE = { pose: { x: 1, y: 0, yaw: 0 } };

async function start(ports: Partial<HttpPorts> = {}): Promise<string[]> {
  const asked: string[] = [];
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals } }, ports);
  answerAll(rig);
  for (const [method, answer] of [...rig.answers])
    rig.answers.set(method, (body) => {
      asked.push(method);
      return answer(body);
    });
  return asked;
}

it('a token says who its caller is, to guests too', async () => {
  await start();
  const me = async (principal: string) => await (await rig.get('/v1/me', as(principal))).json();
  expect(await me('lena')).toEqual({
    principal: 'lena',
    tenant: 'local',
    roles: ['operator'],
    operator: true,
  });
  expect(await me('vera')).toMatchObject({ roles: ['viewer'], operator: false });
  expect(await me('guest')).toMatchObject({ tenant: 'acme', operator: false });
});

describe('who is no operator', () => {
  it.each([
    ['/v1/robot/navigate', POSE],
    ['/v1/robot/maneuver', { kind: 'drive', distance_m: 1 }],
    ['/v1/arm/gripper', { opening_m: 0.01 }],
    ['/v1/ros/services/call', { service: '/s', type: 'std_srvs/srv/Trigger', request: {} }],
    ['/v1/recorder/seal', {}],
    ['/v1/link/sync', {}],
    ['/v1/lake/rebuild', {}],
    ['/v1/lake/move', { to: 'remote' }],
    ['/v1/recall/rebuild', {}],
    [`/v1/questions/${RUN_ID}/answer`, { answer: 'go left' }],
  ])('moves, records and calls nothing: %s', async (path, body) => {
    const asked = await start();
    const answer = await rig.post(path, body, as('vera'));
    expect([answer.status, await answer.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'policy.denied' }),
    ]);
    expect(asked).toEqual([]);
    expect((await rig.post(path, body, as('lena'))).status).not.toBe(403);
  });

  it('goes on with no run that was paused', async () => {
    const calls: string[] = [];
    const control = {
      resume: async (id: string) => {
        calls.push(`resume ${id}`);
        return rig.runtime.run(id).run;
      },
    } as unknown as HttpPorts['control'] & object;
    await start({ control });
    expect((await rig.post(`/v1/runs/${RUN_ID}/resume`, {}, as('vera'))).status).toBe(403);
    expect(calls).toEqual([]);
    expect((await rig.post(`/v1/runs/${RUN_ID}/resume`, {}, as('lena'))).status).toBe(200);
  });

  it('stops a conversation, and a guest one of its own tenant only', async () => {
    const said: string[] = [];
    const control = {
      message: async (id: string, { kind }: { kind: string }) => void said.push(`${kind} ${id}`),
    } as unknown as HttpPorts['control'] & object;
    await start({ control });
    const run = rig.runtime.run(RUN_ID);
    rig.runtime.run = () => ({ ...run, intent: { ...run.intent, attended: true } });
    const stop = async (who: string) => (await rig.post(`/v1/sessions/${RUN_ID}/stop`, {}, as(who))).status;
    expect([await stop('vera'), await stop('guest')]).toEqual([200, 404]);
    expect((await rig.post(`/v1/sessions/${RUN_ID}/close`, {}, as('vera'))).status).toBe(403);
    expect(said).toEqual([`stop ${RUN_ID}`]);
  });

  it('reads, stops the robot, ends runs, and asks for what policies are asked about', async () => {
    const asked = await start();
    expect((await rig.get('/v1/status', as('vera'))).status).toBe(200);
    expect((await rig.post('/v1/robot/stop', {}, as('vera'))).status).toBe(200);
    expect(asked).toContain('robot.stop');
    expect((await rig.post(`/v1/runs/${RUN_ID}/cancel`, {}, as('vera'))).status).toBe(200);
    expect((await rig.post('/v1/intents', { type: 'maze/find_exit' }, as('vera'))).status).toBe(201);
    expect(rig.runtime.calls.at(-1)).toMatchObject({ context: { principal: 'vera', roles: ['viewer'] } });
  });

  it('gains nothing by headers or a body that speak of roles', async () => {
    await start();
    const told = as('vera', { 'x-auraison-origin': 'cli', 'x-auraison-roles': 'operator' });
    await rig.post('/v1/intents', { type: 'maze/find_exit' }, told);
    expect(rig.runtime.calls.at(-1)).toMatchObject({ context: { principal: 'vera', origin: 'api' } });
    expect((await rig.post('/v1/robot/navigate', POSE, told)).status).toBe(403);
    const body = { type: 'maze/find_exit', policy_ctx: { roles: ['operator'] } };
    expect((await rig.post('/v1/intents', body, told)).status).toBe(400);
  });

  it('is an operator under a grant while that holds, and an operator is none under one that is over', async () => {
    const live = new Set(['g1']);
    const governance = {
      rolesOf: ({ roles, lease = '' }: PolicyContext) => (live.has(lease) ? [...roles, 'operator'] : []),
    } as unknown as HttpPorts['governance'] & object;
    await start({ governance });
    const under = (principal: string) => as(principal, { 'x-auraison-grant': 'g1' });
    expect((await rig.post('/v1/robot/navigate', POSE, under('vera'))).status).toBe(200);
    live.clear();
    expect((await rig.post('/v1/robot/navigate', POSE, under('vera'))).status).toBe(403);
    expect((await rig.post('/v1/robot/navigate', POSE, under('lena'))).status).toBe(403);
  });
});

describe('the history judged again', () => {
  it.each([
    // It shows decisions and nothing else: who reads decisions may ask for it.
    ['nora, without a role', 'nora', 200, 200],
    ['vera, a viewer', 'vera', 200, 200],
    ['lena, an operator', 'lena', 200, 200],
    ['an operator of another tenant', 'guest', 404, 403],
  ])('is for who reads decisions of all runs: %s', async (_, who, reads, judges) => {
    let judged = 0;
    const rejudge = async () => {
      judged++;
      return { since_ms: 0, judged: 0, same: 0, different: 0, not_judged: 0, differences: [], whole: true };
    };
    await start({ governance: { rejudge } as unknown as HttpPorts['governance'] & object });
    expect((await rig.get(`/v1/runs/${RUN_ID}/decisions`, as(who))).status).toBe(reads);
    const asked = await rig.post('/v1/policy/rejudge', { since_ts: '1' }, as(who));
    expect([asked.status, judged]).toEqual([judges, judges === 200 ? 1 : 0]);
  });
});

describe('a guest', () => {
  it('asks what the robot remembers 30 times a minute at most; its owner as often as wanted', async () => {
    await start();
    const ask = async (who: string) =>
      (await rig.post('/v1/recall', { question: 'the door' }, as(who))).status;
    const many = async (who: string) => {
      const statuses: number[] = [];
      for (let i = 0; i < 31; i++) statuses.push(await ask(who));
      return statuses.filter((status) => status !== 200);
    };
    expect(await many('guest')).toEqual([429]);
    expect(await many('vera')).toEqual([]);
  });

  it('finds and touches no runs of others, and reads no events of theirs', async () => {
    await start();
    expect(await (await rig.get('/v1/runs', as('guest'))).json()).toEqual({ runs: [] });
    for (const path of ['', '/decisions', '/events'])
      expect((await rig.get(`/v1/runs/${RUN_ID}${path}`, as('guest'))).status).toBe(404);
    expect((await rig.post(`/v1/runs/${RUN_ID}/cancel`, {}, as('guest'))).status).toBe(404);
    expect(rig.runtime.status_).toBe('running');
    for (const path of ['/v1/events', '/v1/episodes', '/v1/status'])
      expect((await rig.get(path, as('guest'))).status).toBe(403);
    expect((await rig.post('/v1/query', { sql: 'select 1' }, as('guest'))).status).toBe(403);
    expect((await rig.post('/v1/robot/navigate', POSE, as('guest'))).status).toBe(403);
  });

  it('finds its own runs also where many of others are newer', async () => {
    await start();
    const [run] = rig.runtime.runs();
    const ofTenant = (tenant: string, run_id: string) => ({
      ...run!,
      run: { ...run!.run, run_id },
      intent: { ...run!.intent, policy_ctx: { ...run!.intent.policy_ctx, tenant } },
    });
    const all = [ofTenant('local', uuid(3)), ofTenant('local', uuid(2)), ofTenant('acme', uuid(1))];
    rig.runtime.runs = ({ tenant, limit = 100 }: RunFilter = {}) =>
      all
        .filter((one) => (tenant ?? one.intent.policy_ctx.tenant) === one.intent.policy_ctx.tenant)
        .slice(0, limit);
    const listed = async (who?: string) => {
      const answer = await rig.get('/v1/runs?limit=2', who === undefined ? {} : as(who));
      return ((await answer.json()) as { runs: RunDetails[] }).runs.map((one) => one.run.run_id);
    };
    expect(await listed('guest')).toEqual([uuid(1)]);
    expect(await listed()).toEqual([uuid(3), uuid(2)]);
  });

  it('stops the robot all the same', async () => {
    const asked = await start();
    expect((await rig.post('/v1/robot/stop', {}, as('guest'))).status).toBe(200);
    expect(asked).toContain('robot.stop');
  });

  it('is told of what it may not without a word about what there is', async () => {
    const mcp = async () => {
      throw new EdgeError('internal.fault', { operation: 'mcp', subject: 'never' });
    };
    await start({ mcp });
    const answer = await rig.post('/mcp', {}, as('guest'));
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'policy.denied']);
  });
});
