import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logPath, openEventLog, openEventReader, verifyLogFile } from '../../adapters/event-log/index.ts';
import { type NewEvent, parseJson } from '../../contract/core.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** Makes V8 expect the key `\` in objects that start so: 13.6 then reads other keys as this one. */
const seen = (): unknown => [
  JSON.parse('{"\\\\":1}'),
  JSON.parse('{"a":{"\\\\":1}}'),
  JSON.parse('{"b":1,"\\\\":2}'),
];

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const escapes = [
  '\\n',
  '\\t',
  '\\"',
  '\\/',
  '\\b',
  '\\f',
  '\\r',
  '\\u0041',
  '\\u000a',
  '\\u00e9',
  '\\\\',
  '\\ud800',
];

describe('JSON of others', () => {
  it.each(escapes)('has the key %s as it is written, whatever was read before', (escaped) => {
    const key = (JSON.parse(`["${escaped}"]`) as string[])[0]!;
    seen();
    expect(Object.keys(parseJson(`{"${escaped}":1}`) as object)).toEqual([key]);
    expect(parseJson(`{"a":{"${escaped}" : [1]}}`)).toEqual({ a: { [key]: [1] } });
    expect(Object.keys(parseJson(`{"b":1,\n"${escaped}":{"${escaped}":"escaped:"}}`) as object)).toEqual([
      'b',
      key,
    ]);
  });

  it.each([
    ['{"a\\\\n":1}', '{"a\\nb":1}', 'a\nb'],
    ['{"ab\\\\":1}', '{"ab\\n":1}', 'ab\n'],
    ['{"\\\\u00":1}', '{"\\u0041bcd":1}', 'Abcd'],
  ])('has its own key after %s in %s', (before, text, key) => {
    // Behind a key of their own: V8 expects something there only while it saw one object of this shape.
    const first = `{"${key.length}${before.length}":0,`;
    JSON.parse(first + before.slice(1));
    expect(Object.keys(parseJson(first + text.slice(1)) as object)[1]).toBe(key);
  });

  it('has its own keys whatever else the text has, at any depth, and the last of two counts', () => {
    seen();
    const area = Array.from({ length: 0xf900 - 0xe000 }, (_, i) => `\\u${(0xe000 + i).toString(16)}`).join(
      '',
    );
    expect(Object.keys(parseJson(`{"\\n":"${area}"}`) as object)).toEqual(['\n']);
    const deep = parseJson(`${'{"\\n":'.repeat(20_000)}1${'}'.repeat(20_000)}`);
    let [inner, depth] = [deep, 0];
    for (; typeof inner === 'object'; depth++) inner = (inner as Record<string, unknown>)['\n'];
    expect([inner, depth]).toEqual([1, 20_000]);
    expect(parseJson('{"\\u0031":1,"1":2}')).toEqual({ 1: 2 });
    expect(parseJson('{"a":1,"\\u0061":{"\\n":{}},"a":{"b":[{"\\t":3}]}}')).toEqual({
      a: { b: [{ '\t': 3 }] },
    });
    expect(Object.entries(parseJson('{"__proto__":{"\\n":1}}') as object)).toEqual([
      ['__proto__', { '\n': 1 }],
    ]);
  });

  it('is otherwise what JSON.parse gives, error and all', () => {
    const read = (parse: (text: string) => unknown, text: string) => {
      try {
        return JSON.stringify(parse(text));
      } catch (thrown) {
        return (thrown as Error).message;
      }
    };
    const unit = fc.constantFrom('"', '\\', '{', '}', ',', ':', 'n', ' ', '\n', '[', ']', '1', '\ue000');
    const words = fc.string({ unit, maxLength: 12 });
    const keys = fc.oneof(fc.constantFrom('\\', '\n', '"', '\t', '\ue000', '\ue000\n', '__proto__'), words);
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        words,
        fc.integer(),
        fc.array(tie('any')),
        fc.dictionary(keys, tie('any')),
      ),
    })).any;
    fc.assert(
      fc.property(value, words, (one, junk) => {
        const text = JSON.stringify(one);
        expect(read(parseJson, text)).toBe(text);
        expect(read(parseJson, JSON.stringify(one, null, 2))).toBe(text);
        const broken = `${text}]${junk}`;
        expect(read(parseJson, broken)).toBe(read(JSON.parse, broken));
      }),
      { numRuns: 1_000, seed: 15 },
    );
  });

  it('gives no key to others that looks like the mark of a key', () => {
    expect(Object.keys(parseJson('{"\\ue000x":1,"\ue001y":2,"\\n":3}') as object)).toEqual([
      '\ue000x',
      '\ue001y',
      '\n',
    ]);
  });

  it('keeps its hash in the log of a cell: such an event is no reason to call the log changed', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'auraison-keys-'));
    const log = await openEventLog(dataDir, 'runtime', new ManualClock(), 'caller');
    const called = (args: Record<string, number>) =>
      ({
        kind: 'tool.called',
        payload: { call_id: ID, tool: 'lab.lift', args, effect: 'read', replay: 'never', deadline_ms: 1 },
      }) as unknown as NewEvent;
    await log.append([
      called({ AA: 1, 'a\\n': 1 }),
      called({ AA: 1, 'a\nb': 1 }),
      called({ AA: 1, 'a\tb': 2 }),
    ]);
    await log.close();
    expect(verifyLogFile(logPath(dataDir, 'runtime'))).toMatchObject({ ok: true, events: 3 });
    const reader = openEventReader(dataDir, 'runtime');
    const keys = reader.read(0, 10).map(({ payload }) => Object.keys((payload as { args: object }).args));
    reader.close();
    expect(keys).toEqual([
      ['AA', 'a\\n'],
      ['AA', 'a\nb'],
      ['AA', 'a\tb'],
    ]);
    rmSync(dataDir, { recursive: true });
  });

  it('has the key __proto__ as a key', () => {
    const value = parseJson('{"__proto__":{"\\n":1}}') as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});
