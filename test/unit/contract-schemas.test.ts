import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Checker,
  canonicalJson,
  checker,
  EdgeError,
  ERROR_CATALOGUE,
  ErrorBody,
  EVENT_KINDS,
  EVENT_PAYLOADS,
  type EventKind,
  explainPayload,
  Intent,
  intentRequestChecker,
  payloadFault,
  payloadFits,
  RUN_STATUSES,
  RUN_TRANSITIONS,
  RunState,
  Skill,
  ToolCall,
} from '../../contract/index.ts';
import { agentEventFault } from '../support/agent-event-fault.ts';
import { arbitraryOf, mutations } from '../support/schema-arbitrary.ts';

const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
const runs = { seed, numRuns: 30 };
type Loose = Readonly<Record<string, unknown>>;

const subjects: [string, Checker<unknown>][] = [
  ['intent', checker(Intent)],
  ['intent request', intentRequestChecker],
  ['skill', checker(Skill)],
  ['tool call', checker(ToolCall)],
  ['run state', checker(RunState)],
  ['error', checker(ErrorBody)],
  ...EVENT_KINDS.map((kind): [string, Checker<unknown>] => [
    `payload of ${kind}`,
    checker(EVENT_PAYLOADS[kind]),
  ]),
];

describe.each(subjects)(`%s (seed ${seed})`, (_, check) => {
  const values = arbitraryOf(check.schema as unknown as Loose);

  it('survives encode and decode when it is valid', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(check.fault(value)).toBeUndefined();
        const again = JSON.parse(canonicalJson(value)) as unknown;
        expect(check.parse(again, 'again')).toEqual(value);
        expect(canonicalJson(again)).toBe(canonicalJson(value));
      }),
      runs,
    );
  });

  it('is refused with its path when it is spoilt', () => {
    fc.assert(
      fc.property(values, (value) => {
        for (const mutation of mutations(check.schema as unknown as Loose, value)) {
          const fault = check.fault(mutation.value);
          expect(fault, `${mutation.what} at ${mutation.path}`).toBeDefined();
          // A union may name the union's own path: the parent is near enough to find the fault.
          const parent = mutation.path.slice(0, mutation.path.lastIndexOf('/')) || '/';
          expect(
            [mutation.path, parent].some((path) => fault!.startsWith(path)),
            `${fault} should name ${mutation.path}`,
          ).toBe(true);
        }
      }),
      { ...runs, numRuns: 10 },
    );
  });
});

describe('agent events', () => {
  const envelope = {
    event_id: '01890a5d-ac96-774b-bcce-b302099a8057',
    ts: '1700000000000000000',
    cell: 'runtime',
    seq: 1,
    prev_hash: '0'.repeat(64),
    hash: 'a'.repeat(64),
  };

  it.each(EVENT_KINDS)('%s: the whole event is checked, kind by kind', (kind: EventKind) => {
    fc.assert(
      fc.property(arbitraryOf(EVENT_PAYLOADS[kind] as unknown as Loose), (payload) => {
        expect(agentEventFault({ ...envelope, kind, payload })).toBeUndefined();
        expect(payloadFault(kind, payload)).toBeUndefined();
        expect(
          agentEventFault({ ...envelope, kind, payload: { ...(payload as object), stranger: 1 } }),
        ).toMatch(/stranger/);
      }),
      { seed, numRuns: 5 },
    );
  });

  it.each(EVENT_KINDS)('%s: code made of the schema judges as the schema does', async (kind: EventKind) => {
    const schema = EVENT_PAYLOADS[kind] as unknown as Loose;
    const check = (value: unknown) => {
      expect(payloadFits(kind, value)).toBe(payloadFault(kind, value) === undefined);
      return payloadFits(kind, value);
    };
    for (const value of fc.sample(arbitraryOf(schema), { seed, numRuns: 10 })) {
      expect(check(value)).toBe(true);
      for (const mutation of mutations(schema, value)) check(mutation.value);
    }
    for (const value of [null, undefined, 1, 'text', [], {}, { stranger: 1 }]) check(value);
    expect(await explainPayload(kind, { stranger: 1 })).toBe(payloadFault(kind, { stranger: 1 }));
  });

  it('refuses an unknown kind, also one that every object inherits', () => {
    expect(agentEventFault({ ...envelope, kind: 'run.exploded', payload: {} })).toMatch(/kind/);
    expect(agentEventFault({ ...envelope, kind: 'constructor', payload: {} })).toMatch(/kind/);
    expect(agentEventFault(null)).toMatch(/kind/);
  });
});

describe('canonical JSON', () => {
  it('orders keys and refuses what JSON would silently change', () => {
    expect(canonicalJson({ b: 1, a: [true, null, 'x'] })).toBe('{"a":[true,null,"x"],"b":1}');
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1n, undefined, () => 1]) {
      expect(() => canonicalJson({ deep: [bad] })).toThrow(/\/deep\/0/);
    }
  });
});

describe('errors', () => {
  it('cross a border and come back whole', () => {
    const codes = Object.keys(ERROR_CATALOGUE) as (keyof typeof ERROR_CATALOGUE)[];
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.string(), fc.string(), (code, message, hint) => {
        const error = new EdgeError(code, { operation: 'op', subject: 's', message, hint });
        const again = EdgeError.fromBody(JSON.parse(JSON.stringify(error.toBody())));
        expect(again.toBody()).toEqual(error.toBody());
      }),
      runs,
    );
  });
});

describe('run statuses', () => {
  it('lead somewhere: every status is reached and only ends have no way on', () => {
    const reached = new Set(['queued', ...Object.values(RUN_TRANSITIONS).flat()]);
    expect([...reached].sort()).toEqual([...RUN_STATUSES].sort());
    expect(RUN_STATUSES.filter((s) => RUN_TRANSITIONS[s].length === 0)).toEqual([
      'succeeded',
      'failed',
      'cancelled',
    ]);
  });
});
