import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALL_BODIES } from '../../contract/bodies/index.ts';
import { bodyFits, bodyRefusal, type CallName } from '../../contract/core.ts';
import { motionRefusal } from '../../contract/motion/check.ts';
import { BODY_SCHEMAS } from '../../contract/schema/bodies-parts.ts';
import { schemaFault } from '../../contract/schema-fault.ts';
import { arbitraryOf, mutations } from '../support/schema-arbitrary.ts';

const CASES = Object.keys(CALL_BODIES).flatMap((call) => [
  [call as CallName, 'ask' as const] as const,
  [call as CallName, 'reply' as const] as const,
]);

describe('the key that a refusal names', () => {
  it.each(CASES)('is that of the fault, and there is none where %s (%s) fits', (call, side) => {
    const schema = BODY_SCHEMAS[call][side];
    fc.assert(
      fc.property(arbitraryOf(schema), (body) => {
        const fits = bodyFits(call, side, body);
        expect(schemaFault(schema, body) === undefined).toBe(fits);
        if (!fits || 'anyOf' in schema) return;
        for (const { path, value } of mutations(schema, body)) {
          if (bodyFits(call, side, value)) continue;
          const fault = schemaFault(schema, value);
          expect(fault?.startsWith(`${path}:`) || fault?.startsWith(`${path}/`), `${path} | ${fault}`).toBe(
            true,
          );
        }
      }),
      { numRuns: 12, seed: 15 },
    );
  });

  it('is found for whatever does not fit, and for nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CASES), fc.anything({ withBigInt: true }), ([call, side], body) => {
        expect(schemaFault(BODY_SCHEMAS[call][side], body) === undefined).toBe(bodyFits(call, side, body));
      }),
      { numRuns: 2_000, seed: 15 },
    );
  });

  it.each([
    ['lease.take', { role: 'king', holder: 'a' }, '/role: must be equal to one of the allowed values'],
    ['lease.take', { role: 'agent' }, '/holder: missing'],
    ['lease.take', { role: 'agent', holder: 'a', seconds: 3 }, '/seconds: unknown field'],
    [
      'teleop.command',
      { leaseId: 1, twist: { linear: Number.NaN, angular: 0 } },
      '/twist/linear: must be number, found NaN',
    ],
    ['teleop.command', { leaseId: 1, joints: { a: 'x' } }, '/joints/a: must be number, found "x"'],
    [
      'robot.navigate',
      { motionId: '', goal: 7 },
      '/motionId: must not have fewer than 1 characters, found ""',
    ],
    ['lease.take', null, '/: must be object, found null'],
  ])('in %s %j', async (call, body, said) => {
    const error = await bodyRefusal(call, 'ask', body);
    expect(error).toMatchObject({ code: 'schema.invalid', subject: said.slice(0, said.indexOf(':')) });
    expect(error.message.startsWith(`question ${call}: ${said}`), error.message).toBe(true);
  });

  it('names the choice of a motion that does not exist', async () => {
    const error = await motionRefusal('maneuver', { maneuver: 'fly' });
    expect(error).toMatchObject({ code: 'schema.invalid', operation: 'robot.maneuver' });
    expect(error.subject.startsWith('/goal/')).toBe(true);
  });

  it('is short, however much of it is wrong', async () => {
    const long = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${i}${'x'.repeat(400)}`, i]));
    expect((await bodyRefusal('lease.take', 'ask', long)).message.length).toBeLessThan(300);
    expect(
      (await bodyRefusal('lease.take', 'ask', { role: 'x'.repeat(1e5), holder: 'a' })).message.length,
    ).toBeLessThan(400);
  });
});
