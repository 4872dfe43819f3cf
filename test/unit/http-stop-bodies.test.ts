import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, METHODS } from '../../contract/index.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** Whatever stops is carried out with any body. */
let rig: Rig;
let orders: Record<string, unknown>[];
beforeEach(async () => {
  rig = await startRig();
  answerAll(rig);
  orders = [];
  const { robotStop, armStop, leaseReturn, leaseState } = METHODS.execution;
  for (const method of [robotStop, armStop])
    rig.answers.set(method, async (body) => void orders.push(body as object as Record<string, unknown>));
  rig.answers.set(leaseState, async () => ({ state: 'held', lease_id: 7 }));
  rig.answers.set(leaseReturn, async (body) => {
    orders.push(body as Record<string, unknown>);
    return { state: 'free' };
  });
});
afterEach(() => rig.stop());

async function post(path: string, body?: string, type?: string) {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    ...(type === undefined ? {} : { 'content-type': type }),
  };
  const response = await fetch(`${rig.url}${path}`, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body }),
  });
  await response.text();
  return response.status;
}

const JSON_TYPE = 'application/json';
const BODIES: [string, string | undefined, string | undefined][] = [
  ['no body', undefined, undefined],
  ['a type without a body', undefined, JSON_TYPE],
  ['bad JSON', '{"reason":', JSON_TYPE],
  ['plain text', 'stop!', 'text/plain'],
  ['XML', '<a/>', 'application/xml'],
  ['a type that is not valid', '{}', 'no type'],
  ['a long reason', JSON.stringify({ reason: 'x'.repeat(3_000) }), JSON_TYPE],
  ['an unknown field', '{"why":1}', JSON_TYPE],
  ['an array', '[1]', JSON_TYPE],
  ['null', 'null', JSON_TYPE],
];

describe.each(BODIES)('a stop with %s', (_, body, type) => {
  it.each([
    '/v1/robot/stop',
    '/v1/arm/stop',
    '/v1/controllers/x/stop',
    '/v1/plays/1/stop',
    '/v1/plays/1/pause',
    '/v1/lease/return',
    `/v1/ros/actions/goals/${'0'.repeat(32)}/cancel`,
  ])('%s is carried out', async (path) => {
    expect(await post(path, body, type)).toBe(200);
  });
});

describe('a stop that the execution cell carried out', () => {
  const { robotStop, armStop } = METHODS.execution;
  const ends = (code: EdgeError['code']) => {
    for (const method of [robotStop, armStop])
      rig.answers.set(method, async () => {
        throw new EdgeError(code, { operation: 'stop', subject: 'base', message: 'odometry is late' });
      });
  };
  const answers = async (path: string) => {
    const response = await rig.post(path, {});
    return [response.status, await response.json()];
  };

  it.each(['/v1/robot/stop', '/v1/arm/stop'])(
    '%s says where it is not measured that the robot stands',
    async (path) => {
      for (const code of ['robot.unreachable', 'ros.failed'] as const) {
        ends(code);
        expect(await answers(path)).toEqual([
          200,
          { ok: true, result: { confirmed: false, warnings: [expect.stringContaining('odometry is late')] } },
        ]);
      }
      ends('cell.restarted');
      expect(await answers(path)).toMatchObject([503, { code: 'cell.restarted' }]);
    },
  );

  it('is carried out although the runtime cannot say which runs there are', async () => {
    rig.runtime.fault = new EdgeError('log.failed', { operation: 'read', subject: 'runs' });
    await rig.post('/v1/robot/stop', {});
    expect(orders).toHaveLength(1);
  });
});

it('a stop keeps what of its reason can be logged, and who gave it', async () => {
  await post('/v1/robot/stop', JSON.stringify({ reason: 'smoke', why: 1 }), JSON_TYPE);
  await post('/v1/arm/stop', JSON.stringify({ reason: 'x'.repeat(3_000) }), JSON_TYPE);
  expect(orders).toEqual([
    { reason: 'smoke', by: 'operator' },
    { reason: 'x'.repeat(256), by: 'operator' },
  ]);
});

it('a return of a lease names the lease where it can be read, else that of now', async () => {
  await post('/v1/lease/return', '{"lease_id":3}', JSON_TYPE);
  await post('/v1/lease/return', 'what?', 'text/plain');
  expect(orders).toEqual([
    { leaseId: 3, by: 'operator' },
    { leaseId: 7, by: 'operator' },
  ]);
});
