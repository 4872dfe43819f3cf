import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openEventLog } from '../../adapters/event-log/index.ts';
import type { NewEvent, PolicyRequest } from '../../contract/index.ts';
import { rejudgeHere } from '../../daemon/compose/rejudge.ts';
import { policySite } from '../support/policy-site.ts';

/** Cases, checks and rejudging of policies see what the daemon of the same configuration sees. */
const site = policySite();
const { judged, law: lawNow, one, settings, write } = site;

describe('a case is judged as the daemon would judge it', () => {
  it.each([
    [
      'a stop is never judged',
      'point = "tool"\nsubject = "robot.stop"\nroles = ["nothing"]\nexpect = "allow"',
      'allow',
      /never judged/,
    ],
    [
      'without a name it is the operator',
      'point = "tool"\nsubject = "robot.state"\nexpect = "allow"',
      'allow',
      /^operators$/,
    ],
    [
      'roles alone are those of somebody',
      'point = "tool"\nsubject = "robot.state"\nroles = ["cook"]\nexpect = "deny"',
      'deny',
      /no policy permits it/,
    ],
    [
      'a principal of the configuration has its roles and tenant',
      'point = "intent"\nsubject = "crane/go"\nprincipal = "lena"\nexpect = "allow"',
      'allow',
      /^leads$/,
    ],
    [
      'a motion has the facts of a motion',
      'point = "tool"\nsubject = "robot.navigate"\nfacts = { x = 3.0, y = 1.0, via = [{ x = 12.0, y = 1.0, yaw = 0.0 }] }\nexpect = "deny"\nby = "hall"',
      'deny',
      /^hall$/,
    ],
    [
      'a motion has the speed of the gate',
      'point = "tool"\nsubject = "robot.maneuver"\nfacts = { kind = "drive", distance_m = 1.0 }\nexpect = "deny"\nby = "slow"',
      'deny',
      /^slow$/,
    ],
    [
      'a tool has its effect',
      'point = "tool"\nsubject = "robot.navigate"\norigin = "mcp"\nfacts = { x = 3.0, y = 1.0 }\nexpect = "deny"',
      'deny',
      /^still$/,
    ],
    [
      'MCP brings the roles of the configuration',
      'point = "tool"\nsubject = "robot.state"\norigin = "mcp"\nexpect = "allow"',
      'allow',
      /^guests$/,
    ],
    ['a model has its price', 'point = "model"\nsubject = "big"\nexpect = "deny"', 'deny', /^dear$/],
    [
      'the roles of a grant are added',
      'point = "tool"\nsubject = "robot.state"\nprincipal = "lena"\ngrant = "g1"\nroles = ["operator"]\nexpect = "allow"',
      'allow',
      /^operators$/,
    ],
    [
      'the package of its run is asked',
      'point = "tool"\nsubject = "lab.lift"\napp = "crane"\nfacts = { kg = 7 }\nabout = { effect = "write" }\nexpect = "deny"\nby = "light"',
      'deny',
      /^light$/,
    ],
    [
      'the package of its intent is asked',
      'point = "tool"\nsubject = "lab.lift"\nfacts = { kg = 7 }\nabout = { effect = "write", intent = "crane/go" }\nexpect = "deny"',
      'deny',
      /^light$/,
    ],
    [
      'the package of another is not',
      'point = "tool"\nsubject = "lab.lift"\nfacts = { kg = 7 }\nabout = { effect = "write" }\nexpect = "allow"',
      'allow',
      /^operators$/,
    ],
    [
      'an action has its effect',
      'point = "tool"\nsubject = "robot.teleoperate"\nfacts = { role = "teleoperation" }\nexpect = "allow"',
      'allow',
      /^operators$/,
    ],
  ])('%s', async (_what, keys, decision, by) => {
    expect(await one(keys)).toEqual([decision, expect.stringMatching(by), true]);
  });

  it.each([
    [
      'other roles than its own',
      'point = "intent"\nsubject = "crane/go"\nprincipal = "lena"\nroles = ["operator"]\nexpect = "allow"',
      /lena has roles lead by the configuration, not roles operator/,
    ],
    [
      'another effect',
      'point = "tool"\nsubject = "robot.navigate"\nfacts = { x = 1.0, y = 1.0 }\nabout = { effect = "read" }\nexpect = "allow"',
      /effect is "actuate" here, not "read"/,
    ],
    [
      'arguments that the tool refuses',
      'point = "tool"\nsubject = "robot.navigate"\nfacts = { x_m = 1.0 }\nexpect = "allow"',
      /no arguments of robot\.navigate: /,
    ],
    [
      'a tool that is not known',
      'point = "tool"\nsubject = "lab.lift"\nexpect = "allow"',
      /effect of lab\.lift is not known/,
    ],
    [
      'an application that is not there',
      'point = "tool"\nsubject = "robot.state"\napp = "cran"\nexpect = "allow"',
      /cran is no application/,
    ],
    [
      'another price',
      'point = "model"\nsubject = "big"\nfacts = { cost_out = 1.0 }\nexpect = "allow"',
      /cost_out is 3 here, not 1/,
    ],
    [
      'a name that the configuration does not have',
      'point = "tool"\nsubject = "robot.state"\nprincipal = "lenna"\nexpect = "deny"',
      /no roles to lenna/,
    ],
    ['a strange key', 'point = "tool"\nsubject = "a.b"\nexpects = "deny"\nexpect = "deny"', /not "expects"/],
    [
      'roles that are a text',
      'point = "tool"\nsubject = "a.b"\nroles = "operator"\nexpect = "deny"',
      /roles = a list/,
    ],
    [
      'an unknown origin',
      'point = "tool"\nsubject = "a.b"\norigin = "moon"\nexpect = "deny"',
      /origin = one of/,
    ],
    ['no expectation', 'point = "tool"\nsubject = "robot.state"', /expect = one of/],
  ])('a case with %s is refused with its number', async (_what, keys, words) => {
    await expect(judged(`[[case]]\n${keys}\n`)).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringMatching(words),
    });
    await expect(judged(`[[case]]\n${keys}\n`)).rejects.toThrow(/cases\.toml: case 1: /);
  });

  it('a policy is named whole: the end of another id is not enough', async () => {
    const [, , ok] = await one('point = "tool"\nsubject = "robot.state"\nexpect = "allow"\nby = "ators"');
    expect(ok).toBe(false);
  });
});

describe('the check of policies', () => {
  it('names packages, what is never judged in them, and those that are not taken', async () => {
    const law = await lawNow();
    expect(law.packages.map(({ name }) => name)).toEqual(['crane']);
    expect(law.warnings).toEqual([
      expect.stringMatching(/^crane\/policies\/own\.cedar:4: names robot\.stop, which is never judged/),
    ]);
    expect(law.refused).toEqual([]);
    write('apps/crane/policies/own.cedar', 'permit (principal, action, resource);');
    expect((await lawNow()).refused).toMatchObject([
      { name: 'crane', reason: expect.stringContaining('permits something') },
    ]);
  });

  it('writes nothing: it is done by others than the user of the daemon, and before its first start', async () => {
    expect((await lawNow()).packages).toHaveLength(1);
    expect(existsSync(site.path('data'))).toBe(false);
  });

  it('takes no package that the daemon would not take', async () => {
    const agent = await lawNow({ AURAISON_APPS_AS_AGENT: 'crane' });
    expect([agent.packages, agent.refused]).toMatchObject([
      ...[[], [{ name: 'crane', reason: 'apps.as_agent names it, and it has no agent' }]],
    ]);
    write('apps/crane/app.toml', site.manifest(['crane/go']).replace('"crane"', '"planner"'));
    expect((await lawNow()).refused).toMatchObject([
      { reason: expect.stringMatching(/^another application is called planner/) },
    ]);
  });
});

describe('the history is judged again with the policies of packages', () => {
  const decided = (facts: object, decision: 'allow' | 'deny', app?: string): NewEvent => {
    const request: PolicyRequest = {
      point: 'tool',
      principal: { tenant: 'local', id: 'operator', roles: ['operator'], origin: 'api' },
      resource: { type: 'Tool', id: 'lab.lift', parents: [{ type: 'Group', id: 'lab' }] },
      ...{ robot: 'tb1', ts_ms: 0, about: { effect: 'write', intent: 'crane/go' }, facts: { ...facts } },
      entities: [],
    };
    return {
      kind: 'policy.decided',
      payload: {
        ...{ hook: 'cedar', point: 'tool', subject: 'lab.lift', decision, reason: 'r', duration_us: 1 },
        request,
        ...(app === undefined ? {} : { app }),
      },
    } as NewEvent;
  };

  it.each([
    ['by those in force', { of: 'robot' as const, source: undefined }, 2],
    [
      'by those of a caller',
      {
        of: 'caller' as const,
        policies: [{ file: 'a.cedar', text: 'permit (principal, action, resource);' }],
      },
      1,
    ],
  ])('%s', async (_what, by, different) => {
    const clock = new SystemClock();
    const log = await openEventLog(site.path('data'), 'runtime', clock);
    // The package forbade the first; the second would be forbidden by it now.
    await log.append([
      decided({ kg: 7 }, 'deny', 'crane'),
      decided({ kg: 8 }, 'allow'),
      decided({ kg: 1 }, 'allow'),
    ]);
    await log.close();
    const report = await rejudgeHere(settings(), clock, 0, by);
    expect(report).toMatchObject({ judged: 3, not_judged: 0, different });
  });

  it('stops of a log from the time when they were judged would be allowed now', async () => {
    const clock = new SystemClock();
    const log = await openEventLog(site.path('data'), 'runtime', clock);
    const stopOf = (request: object) => {
      const { payload, ...event } = decided({}, 'deny') as NewEvent & { payload: { request: object } };
      return { ...event, payload: { ...payload, request: { ...payload.request, ...request } } } as NewEvent;
    };
    const resource = (type: string, id: string) => ({ resource: { type, id, parents: [] } });
    await log.append([
      stopOf(resource('Tool', 'robot.stop')),
      stopOf({ point: 'intent', ...resource('Intent', 'message r1'), facts: { message: { kind: 'stop' } } }),
      stopOf({ point: 'intent', ...resource('Intent', 'message r1'), facts: { message: { kind: 'steer' } } }),
    ]);
    await log.close();
    const nothing = [{ file: 'a.cedar', text: 'forbid (principal, action, resource);' }];
    const { differences, same } = await rejudgeHere(settings(), clock, 0, {
      of: 'caller',
      policies: nothing,
    });
    expect(same).toBe(1);
    expect(differences.map(({ would }) => would.reason)).toEqual(
      Array(2).fill(expect.stringMatching(/^never judged/)),
    );
  });
});
