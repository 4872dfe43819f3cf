import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endingOf, standingOf } from '../../adapters/pi/ending.ts';
import { modelNames } from '../../adapters/pi/tool-naming.ts';
import { argumentsOf, heldArguments } from '../../adapters/pi/transcript.ts';

describe('names of tools as models see them', () => {
  it('are distinct, short and plain, whatever the tools are called', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ maxLength: 200 }), { maxLength: 40 }), (names) => {
        const shown = modelNames(names);
        expect(shown.size).toBe(names.length);
        expect([...shown.values()].sort()).toEqual([...names].sort());
        for (const name of shown.keys()) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      }),
    );
  });
  it('tell a dot from an underscore', () => {
    expect([...modelNames(['a.b', 'a_b', 'a-b'])]).toEqual([
      ['a_b', 'a.b'],
      ['a_b_2', 'a_b'],
      ['a-b', 'a-b'],
    ]);
  });
});

describe('arguments of a call', () => {
  it('come to the gate as they were sent, whatever they were', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const held = heldArguments(text);
        expect(Array.isArray(held.arguments) || held.arguments === null).toBe(false);
        expect(argumentsOf({ type: 'toolCall', ...held })).toEqual(JSON.parse(text));
      }),
    );
  });
  it('that are no JSON stay a text, and numbers beyond JSON stay what they are', () => {
    expect(argumentsOf({ type: 'toolCall', ...heldArguments('{"a":') })).toBe('{"a":');
    expect(argumentsOf({ type: 'toolCall', ...heldArguments('{"a":1e999}') })).toEqual({ a: Infinity });
    const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
    expect(heldArguments(deep)).toEqual({ arguments: {}, rawArguments: deep });
  });
});

describe('where a session stands', () => {
  const call = { type: 'toolCall', id: 'c', name: 'x', arguments: {} };
  const user = { role: 'user', content: 'go' };
  const answer = { role: 'assistant', stopReason: 'toolUse', content: [call] };
  const result = { role: 'toolResult', toolCallId: 'c', content: [{ type: 'text', text: '{}' }] };

  it('follows from its messages', () => {
    expect(standingOf([]).at).toBe('new');
    expect(standingOf([{ role: 'system', content: 'x' }]).at).toBe('new');
    expect(standingOf([user]).at).toBe('turn');
    expect(standingOf([user, answer])).toMatchObject({ at: 'calls', calls: [call] });
    expect(standingOf([user, answer, result]).at).toBe('turn');
    expect(standingOf([user, { ...answer, stopReason: 'error', content: [] }]).at).toBe('failed');
    expect(standingOf([user, { role: 'assistant', content: [{ type: 'text', text: 'bye' }] }])).toEqual({
      at: 'text',
      text: 'bye',
    });
    const finished = { ...result, details: { result: { status: 'failed' } } };
    expect(standingOf([user, answer, finished])).toEqual({ at: 'finished', result: { status: 'failed' } });
    // What a failed call of it says does not end a run.
    expect(standingOf([user, answer, { ...finished, isError: true }]).at).toBe('turn');
  });

  it('takes no score that is none', () => {
    const entries = (score: unknown) =>
      [user, answer, { ...result, details: { result: { status: 'succeeded', reason: 'r', score } } }].map(
        (message) => ({ type: 'message', message }),
      );
    for (const score of [2, -1, Number.NaN, '1', null])
      expect(endingOf(entries(score), { turnsMax: 9 })).not.toHaveProperty('score');
    expect(endingOf(entries(1), { turnsMax: 9 })).toMatchObject({ score: 1, status: 'succeeded' });
  });
});
