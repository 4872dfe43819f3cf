import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  AgentEvent,
  Approval,
  PolicyRequest,
  PolicyView,
  RunDetails,
  Submitted,
} from '../../contract/index.ts';
import { allEvents, auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** Policies, people with tokens of their own and questions to them, on a whole daemon and its command line. */
const directory = freshDir('governance');
const policies = join(directory.path, 'policies');
const config = join(directory.path, 'robot.toml');
const POLICY = `@id("answers") permit (principal in Auraison::Role::"lead", action == Auraison::Action::"answer", resource);
@id("mazes") @approve("a person looks first") @timeout("10 min") @approvers("lead")
permit (principal in Auraison::Role::"operator", action == Auraison::Action::"intent", resource in Auraison::Group::"maze");
@id("tools") permit (principal in Auraison::Role::"operator", action == Auraison::Action::"tool", resource);
`;
let daemon: TestDaemon;

beforeAll(async () => {
  mkdirSync(policies);
  writeFileSync(join(policies, 'site.cedar'), POLICY);
  writeFileSync(join(directory.path, 'lena.token'), 'token-of-lena', { mode: 0o600 });
  writeFileSync(
    config,
    `[policy]
dir = ${JSON.stringify(policies)}
[[policy.principals]]
name = "lena"
roles = ["lead"]
token_file = ${JSON.stringify(join(directory.path, 'lena.token'))}
[[policy.quotas]]
metric = "runs"
window = "total"
limit = 2
`,
  );
  daemon = await testDaemon(directory.path, { AURAISON_CONFIG: config, AURAISON_SIM_SEED: '3' });
});

afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

/** Without blocking: a connection that is kept alive meanwhile would be cut by the daemon. */
const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  auraisonAsync([...args, '--data-dir', directory.path], { AURAISON_CONFIG: config, ...env });
const waiting = async () => (await daemon.api.get<{ approvals: Approval[] }>('/v1/approvals')).approvals;

describe('a robot with policies', () => {
  let runId: string;

  it('asks a person before an intent, also after its runtime was killed', async () => {
    runId = (await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' })).run.run_id;
    const [before] = await until(
      async () => ((await waiting()).length === 1 ? waiting() : undefined),
      'a question',
    );
    process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
    const [after] = await until(
      async () => ((await waiting()).length === 1 ? waiting() : undefined),
      'the question again',
    );
    expect(after).toEqual(before);
    await until(
      async () => (await daemon.api.get<RunDetails>(`/v1/runs/${runId}`)).run.status === 'waiting_approval',
      'the run waits on',
    );
  });

  it('takes the answer of who may give it, and of nobody else', async () => {
    const [asked] = await waiting();
    const own = await cli(['approvals', 'allow', asked!.approval_id]);
    expect([own.status, own.stderr]).toEqual([1, expect.stringContaining('role lead')]);
    const body = { decision: 'allow', roles: ['lead'], principal: 'lena' };
    await expect(daemon.api.post(`/v1/approvals/${asked!.approval_id}/answer`, body)).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    const lena = await cli(['approvals', 'allow', asked!.approval_id, '--reason', 'looked'], {
      AURAISON_TOKEN: 'token-of-lena',
    });
    expect(lena.stdout).toContain('allowed: intent maze/find_exit');
    await until(
      async () => (await daemon.api.get<RunDetails>(`/v1/runs/${runId}`)).run.status === 'running',
      'the run goes on',
    );
    await daemon.api.post(`/v1/runs/${runId}/cancel`, {});
    const events = await allEvents(daemon.api, '&kind=approval.requested&kind=approval.answered');
    expect(events.map(({ kind }) => kind)).toEqual(['approval.requested', 'approval.answered']);
  });

  it('tells who may not, and counts what was spent', async () => {
    const asLena = await cli(['intent', 'send', 'maze/find_exit'], { AURAISON_TOKEN: 'token-of-lena' });
    expect([asLena.status, asLena.stderr]).toEqual([1, expect.stringContaining('no policy permits it')]);
    const second = await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    await daemon.api.post(`/v1/runs/${second.run.run_id}/cancel`, {});
    await expect(daemon.api.post('/v1/intents', { type: 'maze/find_exit' })).rejects.toMatchObject({
      code: 'quota.exceeded',
      message: expect.stringContaining('2 of 2 runs'),
    });
    expect((await cli(['policy', 'quotas'])).stdout).toMatch(/local +runs +total +2 +2 +0 +never/);
  });

  it('keeps its policies when new ones are broken, and takes good ones without a restart', async () => {
    const before = await daemon.api.get<PolicyView>('/v1/policy');
    writeFileSync(join(policies, 'site.cedar'), `${POLICY}permit (`);
    const broken = await cli(['policy', 'reload']);
    expect([broken.status, broken.stderr]).toEqual([1, expect.stringMatching(/site\.cedar:5: /)]);
    expect(await daemon.api.get<PolicyView>('/v1/policy')).toMatchObject({
      policy_sha256: before.policy_sha256,
      reload_error: expect.stringContaining('site.cedar:5'),
    });
    writeFileSync(join(policies, 'site.cedar'), '@id("nobody") forbid (principal, action, resource);');
    process.kill(daemon.child.pid, 'SIGHUP');
    await until(
      async () => (await daemon.api.get<PolicyView>('/v1/policy')).policy_sha256 !== before.policy_sha256,
      'other policies are in force',
    );
  });

  it('explains, tests and judges its history again from the log files', async () => {
    const why = await cli(['policy', 'explain', runId]);
    expect(why.stdout).toContain('site.cedar#mazes');
    const again = await cli(['policy', 'rejudge', '--since', '1h', '--json']);
    const report = JSON.parse(again.stdout) as {
      different: number;
      differences: { would: { determining: string[] } }[];
    };
    expect(again.status).toBe(1);
    expect(report.different).toBeGreaterThan(0);
    expect(report.differences[0]!.would.determining).toEqual(['site.cedar#nobody']);
  });

  it('decides cases of its log by `policy test` as it decided them', async () => {
    writeFileSync(join(policies, 'site.cedar'), POLICY);
    expect((await cli(['policy', 'reload'])).status).toBe(0);
    await daemon.api.post('/v1/robot/maneuver', { kind: 'wait', wait_ms: 100 });
    await daemon.api.post('/v1/lease', {});
    const decided = (await allEvents(daemon.api, '&kind=policy.decided')) as AgentEvent<'policy.decided'>[];
    const rows = decided.flatMap(({ payload }) => {
      const { point, decision, determining, request } = payload;
      // Quotas judge too, without a question.
      if (request === undefined) return [];
      const { principal, facts, about } = request as unknown as PolicyRequest;
      const { id, tenant, roles, origin } = principal;
      const by = determining?.[0]?.split('#')[1];
      return [
        {
          ...{ point, subject: payload.subject, principal: id, tenant, roles, origin, facts, about },
          ...{ expect: decision, ...(by === undefined ? {} : { by }) },
        },
      ];
    });
    expect(new Set(rows.map(({ point }) => point))).toEqual(new Set(['intent', 'tool', 'approval']));
    const motions = rows.map(({ subject }) => subject);
    expect(motions).toEqual(expect.arrayContaining(['robot.maneuver', 'robot.teleoperate']));
    const cases = join(directory.path, 'cases.json');
    writeFileSync(cases, JSON.stringify(rows));
    const all = await cli(['policy', 'test', cases]);
    expect([all.status, all.stderr, all.stdout.trim().split('\n').at(-1)]).toEqual([
      0,
      '',
      `${rows.length} of ${rows.length} as expected`,
    ]);
    writeFileSync(cases, JSON.stringify([{ ...rows[0], expect: 'deny' }]));
    const wrong = await cli(['policy', 'test', cases]);
    expect([wrong.status, wrong.stdout]).toEqual([1, expect.stringContaining('FAIL')]);
  });
});
