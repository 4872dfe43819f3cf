import { describe, expect, it } from 'vitest';
import { readChatAsk } from '../../formats/openai/index.ts';
import { VisitCounter } from '../support/visit-counter.ts';

const messages = [{ role: 'user', content: 'go' }];
const POINT = { type: 'object', properties: { x: { type: 'number' } }, required: ['x'] };
const answer = (schema: unknown) => ({
  response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
});
const tool = (parameters: unknown) => ({
  tools: [{ type: 'function', function: { name: 'go', parameters } }],
});
const read = (more: object) => readChatAsk({ messages, ...more }).request;

/** Of callers of `ai/inference/chat` and `/v1/chat/completions`, for tools and for the answer. */
describe('schemas of a chat', () => {
  it('have their references followed, as pydantic writes them: models get the parts themselves', () => {
    const at = { anyOf: [{ $ref: '#/$defs/Point' }, { type: 'null' }], default: null };
    const schema = { type: 'object', properties: { at }, $defs: { Point: POINT } };
    const plain = { type: 'object', properties: { at: { ...at, anyOf: [POINT, { type: 'null' }] } } };
    const request = read({ ...answer(schema), ...tool(schema) });
    expect(request.answerSchema).toEqual(plain);
    expect(request.tools).toEqual([{ name: 'go', description: '', parameters: plain }]);
    expect(read(answer({ $ref: '#/$defs/Point', $defs: { Point: POINT } })).answerSchema).toEqual(POINT);
  });

  const deep = (depth: number): unknown => (depth === 0 ? POINT : { items: deep(depth - 1) });
  it.each<[string, object]>([
    ['only parts of itself are taken', answer({ $ref: 'file:///etc/passwd' })],
    [
      '/tools/0/function/parameters/properties/a/$ref: it refers to "#/$defs/a", which is not there',
      tool({ type: 'object', properties: { a: { $ref: '#/$defs/a' } } }),
    ],
    ['refers to itself', answer({ $defs: { t: { items: { $ref: '#/$defs/t' } } }, $ref: '#/$defs/t' })],
    // What a reference leads to is judged as well, wherever it lies.
    [
      '/properties/a/pattern: not allowed in a schema of a request',
      answer({
        properties: { a: { $ref: '#/default' } },
        default: { properties: {}, pattern: '^(a+)+$' },
      }),
    ],
    ['/x/$ref: not allowed in a schema of a request', answer({ x: { $ref: '#/$defs/a' } })],
    ['$dynamicRef: not allowed in a schema of a request', answer({ items: { $dynamicRef: '#a' } })],
    ['at most 48 levels', answer(deep(60))],
    ['/response_format/json_schema/schema: an object', answer({ $ref: '#/$defs/any', $defs: { any: true } })],
  ])('are refused with the place: %s', (message, more) => {
    expect(() => read(more)).toThrow(
      expect.objectContaining({ code: 'schema.invalid', message: expect.stringContaining(message) }),
    );
  });

  it('cost together what one request may, however many there are: each visit of a part is counted', () => {
    const visits = new VisitCounter();
    const fork = (to: number) => ({ anyOf: [{ $ref: `#/$defs/d${to}` }, { $ref: `#/$defs/d${to}` }] });
    const $defs = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [`d${i}`, i === 8 ? { type: 'null' } : fork(i + 1)]),
    );
    const schema = { type: 'object', properties: { a: { $ref: '#/$defs/d0' } }, $defs };
    const tools = (count: number) => ({
      tools: Array.from({ length: count }, (_, i) => ({
        ...{ type: 'function', function: { name: `t${i}`, parameters: visits.of(schema) } },
      })),
    });
    expect(read(tools(4)).tools).toHaveLength(4);
    visits.count = 0;
    expect(() => read(tools(128))).toThrow('the request unfolds to more than 16000 parts');
    expect(visits.count).toBeLessThan(24_000);
  });
});
