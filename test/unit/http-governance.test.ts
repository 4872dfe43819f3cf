import { afterEach, beforeEach, expect, it } from 'vitest';
import { checker } from '../../contract/check.ts';
import { type Approval, toWireTime } from '../../contract/index.ts';
import { PolicySchema, QuotasSchema, RejudgedSchema } from '../../daemon/http/governance-schemas.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** Policies, quotas and the history over HTTP: real ones, over a log in memory. */
let rig: Rig;
const lena = { token: 'token-of-lena', who: { principal: 'lena', tenant: 'local', roles: ['viewer'] } };
beforeEach(async () => {
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals: [lena] } }, await governedPorts());
  answerAll(rig);
});
afterEach(() => rig.stop());

it('answers as its document says', async () => {
  const json = async (path: string) => (await rig.get(path)).json();
  expect(checker(PolicySchema).fault(await json('/v1/policy'))).toBeUndefined();
  const quotas = await json('/v1/quotas');
  expect(checker(QuotasSchema).fault(quotas)).toBeUndefined();
  // The same in the status, for whoever looks there.
  expect((await json('/v1/status')) as object).toMatchObject(quotas as object);
});

it('has the history judged again, and refuses what cannot be judged by', async () => {
  const [asked] = ((await (await rig.get('/v1/approvals')).json()) as { approvals: Approval[] }).approvals;
  const answer = await rig.post(`/v1/approvals/${asked!.approval_id}/answer`, { decision: 'allow' });
  expect(answer.status).toBe(200);
  const again = await rig.post('/v1/policy/rejudge', { since_ts: toWireTime(1n) });
  const told = (await again.json()) as Record<string, unknown>;
  expect(checker(RejudgedSchema).fault(told)).toBeUndefined();
  expect(told).toMatchObject({ judged: 1, same: 1, different: 0, whole: true });
  for (const body of [{}, { since_ts: 'yesterday' }, { since_ts: '1', policies: [] }])
    expect((await rig.post('/v1/policy/rejudge', body)).status).toBe(400);
});

it('has the files read again by operators only', async () => {
  const asLena = { authorization: `Bearer ${lena.token}` };
  expect((await rig.post('/v1/policy/reload', {}, asLena)).status).toBe(403);
  expect((await rig.post('/v1/policy/reload')).status).toBe(200);
});

it('judges by the text of a caller for operators only, who govern the robot', async () => {
  const asLena = { authorization: `Bearer ${lena.token}` };
  const body = { since_ts: toWireTime(1n) };
  const text = { policies: [{ file: 'a.cedar', text: 'permit (principal, action, resource);' }] };
  expect((await rig.post('/v1/policy/rejudge', body, asLena)).status).toBe(200);
  expect((await rig.post('/v1/policy/rejudge', { ...body, ...text }, asLena)).status).toBe(403);
  expect((await rig.post('/v1/policy/rejudge', { ...body, ...text })).status).toBe(200);
});

it('says of each approval whether the caller may answer it', async () => {
  const listed = async (token: string) => {
    const answer = await rig.get('/v1/approvals', { authorization: `Bearer ${token}` });
    return ((await answer.json()) as { approvals: { answerable: string }[] }).approvals.map(
      ({ answerable }) => answerable,
    );
  };
  await rig.stop();
  const ada = { token: 'token-of-ada', who: { principal: 'ada', tenant: 'local', roles: ['operator'] } };
  const ports = await governedPorts();
  const [asked] = ports.approvals!.approvals();
  const named = { ...asked!, roles: ['maintainer'] };
  const approvals = {
    approvals: () => [asked!, named],
    answer: () => Promise.reject(new Error('not asked')),
  };
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals: [ada] } }, { ...ports, approvals });
  answerAll(rig);
  expect(await listed(TOKEN)).toEqual(['yes', 'role']);
  expect(await listed(ada.token)).toEqual(['own', 'role']);
});
