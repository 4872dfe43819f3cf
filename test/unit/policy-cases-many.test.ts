import { expect, it, vi } from 'vitest';
import { CedarEngine, packageJudge } from '../../adapters/cedar/index.ts';
import type { PolicyRequest } from '../../contract/index.ts';
import { packageApp } from '../support/package-app.ts';
import { policySite } from '../support/policy-site.ts';

const { judged } = policySite();

it('many cases of one package parse its policies once: sets do not pile up in Cedar', async () => {
  const calls = vi.spyOn(CedarEngine.prototype, 'call');
  const rows = (count: number) =>
    JSON.stringify(
      Array.from({ length: count }, (_, n) => ({
        ...{ point: 'tool', subject: 'lab.lift', app: 'crane', facts: { kg: n % 10 } },
        ...{ about: { effect: 'write' }, expect: n % 10 > 5 ? 'deny' : 'allow' },
      })),
    );
  const callsOf = async (count: number) => {
    calls.mockClear();
    expect((await judged(rows(count), 'many.json')).map(({ ok }) => ok)).toEqual(Array(count).fill(true));
    return calls.mock.calls.length;
  };
  // The check of the files at the first read is remembered.
  await callsOf(1);
  const few = await callsOf(10);
  // One question to the site and one to the package for each further case.
  expect((await callsOf(110)) - few).toBe(200);
  calls.mockRestore();
});

it('a package whose policies are good one by one and not together denies, as the hook of the daemon does', () => {
  const app = packageApp({
    'app.toml':
      'name = "crane"\nversion = "1.0.0"\ndescription = "Lifts"\nharness = "flow"\ntools = ["robot.state"]\n[[intents]]\ntype = "crane/go"\ndescription = "Go"\n',
    'flow.yaml': 'steps:\n  - id: done\n    end: succeeded\n    reason: done\n',
  });
  const broken = { ...app, policies: [{ file: 'policies/own.cedar', text: 'forbid (' }] };
  const site = packageJudge({
    sha256: '',
    judge: () => ({ decision: 'allow', reason: 'permitted', determining: [] }),
  });
  const request: PolicyRequest = {
    ...{ point: 'tool', resource: { type: 'Tool', id: 'lab.lift', parents: [] } },
    principal: { tenant: 'local', id: 'operator', roles: ['operator'], origin: 'api' },
    ...{ robot: 'tb1', ts_ms: 0, about: {}, facts: {}, entities: [] },
  };
  expect(site.judge(request, broken)).toEqual({
    ...{ decision: 'deny', determining: [] },
    reason: expect.stringMatching(/^the policies of the package failed: .*own\.cedar/),
  });
  expect(site.judge(request, undefined)).toMatchObject({ decision: 'allow' });
});
