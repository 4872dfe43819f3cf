import { describe, expect, it } from 'vitest';
import { policySite } from '../support/policy-site.ts';

/** What may stand in a file of cases. What would be passed over in silence is an error. */
const site = policySite();
const { judged, write } = site;
const STATE = 'point = "tool"\nsubject = "robot.state"\nexpect = "allow"\n';
const GO = 'point = "intent"\nsubject = "crane/go"\nexpect = "allow"\n';

describe('a file of cases', () => {
  it.each([
    [
      'a case under another name',
      `[[case]]\n${STATE}\n[[cases]]\n${STATE}`,
      /only \[\[case\]\], not "cases"/,
    ],
    ['no case', '', /a list of \[\[case\]\] expected/],
    [
      'a date as a fact',
      `[[case]]\n${GO}facts = { params = { day = 2026-01-01 } }`,
      /facts\.params\.day is a date/,
    ],
    ['a number that is none', `[[case]]\n${GO}facts = { params = { kg = nan } }`, /facts\.params\.kg is NaN/],
    [
      'a number without end',
      `[[case]]\n${GO}facts = { params = { kg = inf } }`,
      /facts\.params\.kg is Infinity/,
    ],
    [
      'a time of nowhere',
      `[[case]]\n${STATE}time = 2026-01-01T10:00:00`,
      /time = a date, or a date and time with Z/,
    ],
    ['a time as text of nowhere', `[[case]]\n${STATE}time = "2026-01-01T10:00:00"`, /time = a date, or/],
    ['a time of the day', `[[case]]\n${STATE}time = 10:00:00`, /time = a date, or/],
    ['a time far from now', `[[case]]\n${STATE}time = "+020000-01-01T00:00:00Z"`, /time = a date, or/],
  ])('with %s is refused', async (_what, text, words) => {
    await expect(judged(text)).rejects.toThrow(words);
  });

  it('judges at its time', async () => {
    write(
      'policies/site.cedar',
      '@id("all") permit (principal, action, resource);\n@id("late") forbid (principal, action, resource) when { context.now.toTime() >= duration("20h") };',
    );
    const times = [
      '2026-01-01T21:00:00Z',
      '"2026-01-01T23:30:00+02:00"',
      '2026-01-01',
      '"2026-01-01T22:30:00+02:00"',
    ];
    const found = await judged(times.map((time) => `[[case]]\n${STATE}time = ${time}\n`).join('\n'));
    expect(found.map(({ found: { decision } }) => decision)).toEqual(['deny', 'deny', 'allow', 'deny']);
  });

  it('takes names that objects have, and texts that Cedar has to hold', async () => {
    const row = { point: 'tool', subject: 'lab.lift', about: { effect: 'write' }, expect: 'deny' };
    const facts = JSON.parse('{"__proto__": {"kg": 1}, "constructor": "🤖", "kg": 2}');
    const who = { principal: 'x', roles: ['__proto__'] };
    const [first] = await judged(JSON.stringify([{ ...row, ...who, facts }]), 'cases.json');
    expect(first).toMatchObject({ ok: true, found: { reason: 'no policy permits it' } });
    await expect(
      judged('[{"point":"tool","subject":"a.b","expect":"deny","__proto__":{}}]', 'cases.json'),
    ).rejects.toThrow(/not "__proto__"/);
  });
});
