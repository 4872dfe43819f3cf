import { afterEach, describe, expect, it } from 'vitest';
import { EdgeError, METHODS } from '../../contract/index.ts';
import type { HttpConfig, HttpPorts } from '../../daemon/http/http-ports.ts';
import { answerAll, executionStatus } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

const { execution } = METHODS;
let rig: Rig;
afterEach(() => rig?.stop());

const person = (principal: string, tenant: string, roles: string[]) => ({
  token: `token-of-${principal}`,
  who: { principal, tenant, roles },
});
const principals = [
  person('vera', 'local', ['viewer']),
  person('sam', 'local', ['safety']),
  person('lena', 'local', ['operator']),
  person('guest', 'acme', ['operator', 'safety']),
];
const as = (principal: string, more: Record<string, string> = {}) => ({
  authorization: `Bearer token-of-${principal}`,
  ...more,
});

type Asked = { readonly method: string; readonly body: unknown };

async function start(more: Partial<HttpConfig> = {}, ports: Partial<HttpPorts> = {}): Promise<Asked[]> {
  const asked: Asked[] = [];
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals }, ...more }, ports);
  answerAll(rig);
  for (const [method, answer] of [...rig.answers])
    rig.answers.set(method, (body) => {
      asked.push({ method, body });
      return answer(body);
    });
  return asked;
}

const status = async (path: string, who: string, body: object = {}, more: Record<string, string> = {}) =>
  (await rig.post(path, body, as(who, more))).status;

describe('the emergency stop by API', () => {
  it('is engaged by everybody with a token, and each is named by it, whatever the body says', async () => {
    const asked = await start();
    for (const who of ['vera', 'sam', 'lena', 'guest'])
      expect(await status('/v1/estop', who, { reason: 'x' })).toBe(200);
    expect(asked.map(({ body }) => body)).toEqual(
      ['vera', 'sam', 'lena', 'guest'].map((by) => ({ source: 'api', by, reason: 'x' })),
    );
    expect(await status('/v1/estop', 'vera', { by: 'lena', source: 'agent' })).toBe(200);
    expect(asked.at(-1)?.body).toEqual({ source: 'api', by: 'vera', reason: '' });
    expect((await fetch(`${rig.url}/v1/estop`, { method: 'POST' })).status).toBe(401);
  });

  it('is released by operators alone, or by the role of the configuration alone', async () => {
    const asked = await start();
    const release = (who: string) => status('/v1/estop/release', who, { reason: 'aired' });
    expect([await release('vera'), await release('sam'), await release('guest')]).toEqual([403, 403, 403]);
    expect(asked).toEqual([]);
    expect(await release('lena')).toBe(200);
    await rig.stop();
    const others = await start({ releaseRole: 'safety' });
    expect([await release('vera'), await release('lena'), await release('guest')]).toEqual([403, 403, 403]);
    expect(await release('sam')).toBe(200);
    expect(others.map(({ method }) => method)).toEqual([execution.estopRelease]);
  });

  it('passes on which press a release answers, and takes no other name for one', async () => {
    const asked = await start();
    expect(await status('/v1/estop/release', 'lena', { press: '1700000000000000001' })).toBe(200);
    expect(asked.at(-1)?.body).toMatchObject({ source: 'api', by: 'lena', press: '1700000000000000001' });
    for (const press of ['', '-1', '1e3', 7, '1'.repeat(21)])
      expect(await status('/v1/estop/release', 'lena', { press })).toBe(400);
    expect(asked).toHaveLength(1);
  });

  it('notes console and command line, and lets nobody claim to be an agent or a topic', async () => {
    const asked = await start();
    for (const origin of ['cli', 'console', 'agent', 'ros', 'file', '__proto__'])
      await status('/v1/estop', 'lena', {}, { 'x-auraison-origin': origin });
    expect(asked.map(({ body }) => (body as { source: string }).source)).toEqual([
      ...['cli', 'console', 'api', 'api', 'api', 'api'],
    ]);
  });

  it('is left as a file where the cell that stops the robot does not answer, and only then', async () => {
    const left: string[] = [];
    await start({}, { leaveStop: (words) => void left.push(words) });
    const fails = (code: 'cell.unavailable' | 'robot.unreachable') =>
      rig.answers.set(execution.estopEngage, () =>
        Promise.reject(new EdgeError(code, { operation: 'x', subject: 'execution' })),
      );
    fails('cell.unavailable');
    const answer = await rig.post('/v1/estop', { reason: 'smoke' }, as('vera'));
    expect([answer.status, await answer.json()]).toEqual([
      200,
      expect.objectContaining({ engaged: true, by: 'vera', confirmed: false }),
    ]);
    expect(left).toEqual(['vera (api): smoke']);
    // It is engaged, and the robot has not confirmed it: the caller has to know.
    fails('robot.unreachable');
    const state = { engaged: true, since_ns: '1', source: 'api', by: 'vera', reason: 'smoke' };
    rig.answers.set(execution.estopState, async () => state);
    const unconfirmed = await rig.post('/v1/estop', { reason: 'smoke' }, as('vera'));
    expect([unconfirmed.status, await unconfirmed.json()]).toEqual([
      200,
      { ...state, confirmed: false, warnings: [expect.any(String)] },
    ]);
    expect(left).toHaveLength(1);
  });

  it('is in the status and in the figures', async () => {
    await start();
    const estop = { engaged: true, since_ns: '1', source: 'file', by: '/data/estop', reason: 'smoke' };
    const lease = { state: 'held', lease_id: 3, holder: 'vera', role: 'teleoperation', priority: 50 };
    rig.answers.set(execution.status, async () => ({ ...executionStatus, estop, lease, withheld: 7 }));
    const { robot } = (await (await rig.get('/v1/status', as('vera'))).json()) as { robot: object };
    expect(robot).toMatchObject({ estop, lease });
    const metrics = await (await rig.get('/metrics', as('vera'))).text();
    expect(metrics).toContain('auraison_estop_engaged 1');
    expect(metrics).toContain('auraison_estop_withheld_total 7');
    expect(metrics).toContain('auraison_lease_held{role="teleoperation"} 1');
    expect(metrics).toContain('auraison_lease_held{role="agent"} 0');
  });
});

describe('lease and teleoperation by API', () => {
  it('are for operators, in their own name', async () => {
    const asked = await start();
    for (const [path, body] of [
      ['/v1/lease', {}],
      ['/v1/lease/renew', { lease_id: 1 }],
      ['/v1/lease/return', { lease_id: 1 }],
      ['/v1/teleop', { lease_id: 1, twist: { linear: 0.1, angular: 0 } }],
    ] as const)
      for (const who of ['vera', 'sam', 'guest'])
        expect([path, await status(path, who, body)]).toEqual([path, 403]);
    expect(asked).toEqual([]);
    expect(await status('/v1/lease', 'lena', { holder: 'stick', ttl_ms: 500 })).toBe(200);
    expect(await status('/v1/teleop', 'lena', { lease_id: 1, joints: { joint_1: 0.2 } })).toBe(200);
    expect(asked.map(({ body }) => body)).toEqual([
      { role: 'teleoperation', holder: 'lena/stick', ttlMs: 500 },
      { leaseId: 1, by: 'lena', joints: { joint_1: 0.2 } },
    ]);
    for (const body of [{ role: 'agent' }, { role: 'policy' }, { ttl_ms: 1 }, { holder: '../x' }])
      expect(await status('/v1/lease', 'lena', body)).toBe(400);
    expect(await status('/v1/teleop', 'lena', { lease_id: 1, twist: { linear: 1e9, angular: 0 } })).toBe(400);
  });
});
