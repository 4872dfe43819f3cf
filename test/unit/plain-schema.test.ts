import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vetSchema } from '../../adapters/mcp/tool-schema.ts';
import { choiceSchema } from '../../adapters/vllm/json-tools.ts';
import { checker, plainSchema, SchemaBudget, type TSchema } from '../../contract/index.ts';

type Json = Record<string, unknown>;
type Listed = { name: string; description: string; inputSchema: Json; outputSchema: Json };

/** As the official SDK and pydantic write them; `npm test` holds the file to what they write. */
const LISTED = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'golden', 'mcp', 'pydantic-tools.json'), 'utf8'),
) as Listed[];
const listed = (name: string) => LISTED.find((tool) => tool.name === name)!;
const check = (schema: unknown) => checker(schema as TSchema);
const POINT = { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] };
const object = (properties: Json, more: Json = {}) => ({ type: 'object', properties, ...more });

function fault(schema: Json, path?: string): string {
  try {
    plainSchema(schema, path);
    return 'taken';
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: 'EdgeError', code: 'schema.invalid', operation: 'take schema' });
    return (thrown as Error).message;
  }
}

describe('schemas that pydantic writes', () => {
  it('come without references and without what they led to, and take and refuse what they did', () => {
    for (const { inputSchema } of [listed('drive'), listed('feed')]) {
      expect(JSON.stringify(inputSchema)).toContain('$ref');
      expect(JSON.stringify(plainSchema(inputSchema))).not.toMatch(/\$ref|\$defs|discriminator/);
    }
    const at = { x: 1, y: 2 };
    const drive = [
      { goal: { at } },
      { goal: { at, yaw: 0.5 }, via: [{ at }, { at }], speed: 1, back: { at }, start: { at }, span: [0, 3] },
      { goal: { at }, speed: null, back: null },
      ...[{}, { goal: at }, { goal: { at: { x: '1', y: 2 } } }, { goal: { at, yaw: 7 } }],
      ...[
        { goal: { at }, back: { x: 1 } },
        { goal: { at }, speed: '1' },
        { goal: { at }, span: [0] },
      ],
    ];
    const feed = [
      { pet: { kind: 'cat', lives: 9 } },
      { pet: { kind: 'dog', name: 'Rex' } },
      ...[{ pet: { kind: 'cat', name: 'Rex' } }, { pet: { kind: 'fish' } }, { pet: null }],
    ];
    for (const [name, values, good] of [
      ['drive', drive, 3],
      ['feed', feed, 2],
    ] as const) {
      const { inputSchema } = listed(name);
      const plain = check(plainSchema(inputSchema));
      expect(values.map((value) => plain.is(value))).toEqual(values.map((_, index) => index < good));
      expect(values.map((value) => check(inputSchema).is(value))).toEqual(values.map((one) => plain.is(one)));
    }
  });

  it('keep what stands beside a reference: the nearer word about it counts', () => {
    const { start, goal } = (plainSchema(listed('drive').inputSchema) as { properties: Record<string, Json> })
      .properties;
    expect(start).toMatchObject({ title: 'Pose', type: 'object', description: 'from where' });
    expect(start!['default']).toEqual({ at: { x: 0, y: 0 }, yaw: 0 });
    expect(goal).toMatchObject({ title: 'Pose', description: 'Where the robot stands.' });
    expect(goal).not.toHaveProperty('default');
  });

  it('come as a model may be held to them: nested into the schema of a choice they mean the same', () => {
    const vetted = vetSchema(listed('drive').inputSchema, 'input');
    if (!vetted.ok) throw new Error(vetted.reason);
    const tools = [{ name: 'drive', description: '', parameters: vetted.schema as unknown as Json }];
    const nested = choiceSchema({ messages: [], tools, toolChoice: 'required' } as never)!;
    expect(JSON.stringify(nested)).not.toContain('$ref');
    expect(check(nested).is({ tool: 'drive', arguments: { goal: { at: { x: 1, y: 2 } } } })).toBe(true);
    expect(check(nested).is({ tool: 'drive', arguments: { goal: { at: { x: 1 } } } })).toBe(false);
    expect(check(nested).is({ tool: 'drive', arguments: { goal: { at: { x: 1, y: 2 } }, z: 1 } })).toBe(
      false,
    );
  });

  it('are refused where a model holds itself, with the place', () => {
    const place = '/properties/tree/properties/children/items/$ref: "#/$defs/Tree" refers to itself';
    expect(fault(listed('climb').inputSchema)).toBe(place);
    expect(fault(listed('climb').inputSchema, '/tools/0')).toBe(`/tools/0${place}`);
    expect(vetSchema(listed('climb').inputSchema, 'input')).toEqual({ ok: false, reason: place });
  });
});

describe('a schema without references', () => {
  const $defs = { point: POINT, also: { $ref: '#/$defs/point' } };
  const of = (schema: Json) => plainSchema({ ...schema, $defs });

  it('has the part itself in place of each, whatever leads there and however it is written', () => {
    expect(of({ $ref: '#/$defs/also' })).toEqual(POINT);
    expect(of({ $ref: '#/$defs/also', title: 'At' })).toEqual({ ...POINT, title: 'At' });
    expect(of({ allOf: [{ $ref: '#/$defs/point' }], default: { x: 0 } })).toEqual({
      ...POINT,
      default: { x: 0 },
    });
    expect(of({ type: 'object', $ref: '#/$defs/point' })).toEqual(POINT);
    expect(
      plainSchema({ items: { $ref: '#/definitions/a~1b%20c' }, definitions: { 'a/b c': POINT } }),
    ).toEqual({ items: POINT });
    expect(plainSchema(object({ a: POINT, b: { $ref: '#/properties/a' } }))).toEqual(
      object({ a: POINT, b: POINT }),
    );
    expect(plainSchema({ $ref: '#/$defs/any', $defs: { any: true } })).toBe(true);
  });

  it('asks for both where more than words stands beside one', () => {
    expect(of({ $ref: '#/$defs/point', required: ['y'], allOf: [{ minProperties: 1 }] })).toEqual({
      required: ['y'],
      allOf: [{ minProperties: 1 }, POINT],
    });
    const both = check(of({ $ref: '#/$defs/point', properties: { x: { maximum: 1 } } }));
    expect([{ x: 1 }, { x: 2 }, { x: '1' }, {}].map((value) => both.is(value))).toEqual([
      ...[true, false, false, false],
    ]);
  });

  it('takes nothing where nothing fits what stands beside one, and the other where anything does', () => {
    expect(of({ $ref: '#/$defs/point', allOf: [false] })).toBe(false);
    expect(of({ $ref: '#/$defs/point', allOf: [true] })).toEqual(POINT);
    expect(plainSchema({ $ref: '#/$defs/none', title: 'No', $defs: { none: false } })).toEqual({
      title: 'No',
      allOf: [false],
    });
  });

  it('comes to no more than is left of a budget that several share, and a long reference costs its length', () => {
    const whole = new SchemaBudget({ of: 'the request', partsMax: 10 });
    const schema = object({ a: { $ref: '#/$defs/point' }, b: { $ref: '#/$defs/point' } }, { $defs });
    const one = () => plainSchema(schema, '/tools/0', new SchemaBudget({ within: whole }));
    expect(one()).toEqual(object({ a: POINT, b: POINT }));
    expect(whole.parts).toBe(7);
    expect(one).toThrow('the request unfolds to more than 10 parts');
    expect(whole.parts).toBe(11);
    const long = 'x'.repeat(30_000);
    const leaf = { anyOf: Array.from({ length: 1_900 }, () => ({ $ref: '#/$defs/to' })) };
    const budget = new SchemaBudget();
    const $to = { ...leaf, $defs: { to: { $ref: `#/$defs/${long}` }, [long]: { type: 'null' } } };
    expect(() => plainSchema($to, '', budget)).toThrow('unfolds to more than 65536 characters');
    expect(budget.parts).toBeLessThan(12);
  });

  it('keeps values and names that only look like references', () => {
    const schema = object(
      { $ref: { type: 'string' }, $defs: { const: { $ref: '#/nowhere' } }, definitions: { type: 'null' } },
      { default: { $ref: '#/nowhere' }, examples: [{ $defs: 1 }] },
    );
    expect(plainSchema(schema)).toEqual(schema);
    const odd = JSON.parse('{"properties":{"__proto__":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"null"}}}');
    const plain = JSON.stringify(plainSchema(odd));
    expect(plain).toBe('{"properties":{"__proto__":{"type":"null"}}}');
  });

  it('is another one: what was given stays as it was', () => {
    const given = { ...listed('drive').inputSchema };
    const before = JSON.stringify(given);
    plainSchema(given);
    expect(JSON.stringify(given)).toBe(before);
  });

  it('is not made of what leads elsewhere, nowhere, back, or into a giant', () => {
    const fork = (to: string) => ({ allOf: [{ $ref: to }, { $ref: to }] });
    const doubling = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`d${i}`, i === 39 ? POINT : fork(`#/$defs/d${i + 1}`)]),
    );
    const large = { enum: Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(50, 'x')) };
    const many = (ref: string, count: number) =>
      object(Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { $ref: ref }])));
    const chain = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, i) => [`c${i}`, { $ref: `#/$defs/c${i + 1}` }]),
    );
    for (const [schema, expected] of [
      [{ $ref: 'https://e.org/s.json' }, '/$ref: it refers to "https://e.org/s.json": only parts of itself'],
      [{ $ref: 'other.json#/$defs/a' }, 'only parts of itself'],
      [{ $ref: '#Pose' }, 'only parts of itself'],
      [{ $ref: 7 }, 'only parts of itself'],
      [object({ a: { $ref: '#/$defs/none' } }), '/properties/a/$ref: it refers to "#/$defs/none", which is'],
      [{ $ref: '#/$defs/constructor', $defs }, 'not there'],
      [{ $ref: '#/%zz' }, 'not there'],
      [{ $ref: '#/type', type: 'object' }, 'no schema'],
      [object({ a: { $ref: '#' } }), '/properties/a/properties/a/$ref: "#" refers to itself'],
      [{ $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } }, 'to itself'],
      [{ $ref: '#/$defs/point', $defs: { ...$defs, x: {} }, items: { $id: 'x' } }, 'only the root may have'],
      [{ $ref: '#/$defs/d0', $defs: doubling }, 'unfolds to more than 4000 parts'],
      [{ $defs: { large }, ...many('#/$defs/large', 50) }, 'unfolds to more than 65536 characters'],
      [{ $defs: { large: [large] }, ...many('#/$defs/large', 50) }, 'no schema'],
      [{ $ref: '#/$defs/c0', $defs: chain }, 'nested deeper than 64'],
    ] as const)
      expect(fault(schema as Json)).toContain(expected);
  });

  it('takes and refuses what the one with references does, whatever they are', () => {
    const leaf = fc.constantFrom<Json>(
      ...[{ type: 'number' }, { type: 'string' }, { enum: [1, 'a'] }, { type: 'integer', minimum: 1 }],
    );
    /** Refers only to parts after its own: no circles. */
    const part = (index: number): fc.Arbitrary<Json> => {
      if (index === 4) return leaf;
      const ref = fc.integer({ min: index + 1, max: 4 }).map((to): Json => ({ $ref: `#/$defs/d${to}` }));
      const one = fc.oneof(leaf, ref);
      return fc.oneof(
        ref,
        one.map((a) => ({ title: 't', allOf: [a] })),
        fc.tuple(one, one).map(([a, b]) => ({ anyOf: [a, b] })),
        fc.tuple(one, fc.boolean()).map(([a, open]) => object({ a }, { additionalProperties: open })),
        fc.tuple(ref, one).map(([r, a]) => ({ ...r, required: ['a'], properties: { a } })),
        one.map((items) => ({ type: 'array', items })),
      );
    };
    const parts = fc.tuple(part(0), part(1), part(2), part(3), part(4));
    const small = fc.constantFrom<unknown>(1, 0, 'a', 'b', null, [], [1], ['a']);
    const value = fc.oneof(
      small,
      small.map((a) => ({ a })),
      small.map((a) => [{ a }]),
      fc.tuple(small, small).map(([a, b]) => ({ a: { a }, b })),
    );
    fc.assert(
      fc.property(parts, fc.array(value, { minLength: 4, maxLength: 12 }), (all, values) => {
        const $defs = Object.fromEntries(all.map((one, index) => [`d${index}`, one]));
        const schema = { $ref: '#/$defs/d0', $defs };
        const plain = plainSchema(schema);
        expect(JSON.stringify(plain)).not.toContain('$ref');
        const [before, after] = [check(schema), check(plain)];
        expect(values.map((one) => after.is(one))).toEqual(values.map((one) => before.is(one)));
      }),
      { numRuns: 150 },
    );
  });
});
