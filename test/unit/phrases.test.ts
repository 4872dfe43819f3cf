import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type NamedPlace, Type } from '../../contract/index.ts';
import { examplesOf, meaningsOf } from '../../daemon/runtime/phrases/phrase-book.ts';
import { phraseFaults } from '../../daemon/runtime/phrases/phrase-faults.ts';
import { arm, maze, moves } from '../support/shipped-apps.ts';

const PLACES: readonly NamedPlace[] = [
  { name: 'kitchen', also: ['galley'], x: 1.5, y: -2 },
  { name: 'charging station', also: [], x: 0, y: 0.5, yaw: 1.57 },
];
const INTENTS = [moves, maze, arm].flatMap(({ intents }) => intents.map((spec) => ({ spec })));

/** What words mean by the phrases that come with the daemon. */
function mean(words: string): readonly unknown[] {
  return meaningsOf(words, INTENTS, PLACES).map(({ spec, params }) => [spec.type, params]);
}
const one = (words: string): unknown => {
  const found = mean(words);
  return found.length === 1 ? found[0] : found;
};
const metres = (value: number) => ['robot/drive', { metres: value }];
const radians = (value: number) => ['robot/turn', { radians: expect.closeTo(value, 5) }];
const { PI } = Math;

describe('phrases of the shipped applications', () => {
  it.each([
    ['half a metre forward', 0.5],
    ['Half a meter ahead, please!', 0.5],
    ['drive 20 cm back', -0.2],
    ['Robot, could you move 35cm backwards?', -0.35],
    ['go forward by one and a half metres', 1.5],
    ['a metre and a half forward', 1.5],
    ['a metre forward', 1],
    ['drive two metres', 2],
    ['reverse 0.3 m', -0.3],
    ['back up a quarter of a metre', -0.25],
    ['go straight ahead for three quarters of a metre', 0.75],
    ['forward 1 m 20 cm', 1.2],
    ['one metre and twenty-five centimetres forward', 1.25],
    ['move ½ m ahead', 0.5],
    ['1½ metres forward', 1.5],
    ['drive ten feet forward', 3.048],
    ['two point five metres back', -2.5],
    ['three hundred and fifty millimetres forward', 0.35],
  ])('%s: drives %d m', (words, value) => {
    expect(one(words)).toEqual(metres(value));
  });

  it.each([
    ['turn left', PI / 2],
    ['turn to the right', -PI / 2],
    ['Turn 90° right', -PI / 2],
    ['rotate by', undefined],
    ['turn left by forty-five degrees', PI / 4],
    ['spin half a turn counter-clockwise', PI],
    ['turn a quarter turn right', -PI / 2],
    ['one full turn to the left', 2 * PI],
    ['turn around', PI],
    ['turn right 0.5 rad', -0.5],
    ['thirty degrees clockwise', -PI / 6],
  ])('%s: turns %d rad', (words, value) => {
    expect(one(words)).toEqual(value === undefined ? [] : radians(value));
  });

  it.each([
    ['go to the kitchen', ['robot/go', { x: 1.5, y: -2 }]],
    ['drive to the Galley', ['robot/go', { x: 1.5, y: -2 }]],
    ['go over to the charging station', ['robot/go', { x: 0, y: 0.5, yaw: 1.57 }]],
    ['go to x 1.5 and y minus 2', ['robot/go', { x: 1.5, y: -2 }]],
    ['explore', ['robot/explore', { edges: 3 }]],
    ['explore five edges', ['robot/explore', { edges: 5 }]],
    ['look around', ['robot/look', {}]],
    ['where are you?', ['robot/look', {}]],
    ['find the way out', ['maze/find_exit', {}]],
    ['find the exit within ten minutes', ['maze/find_exit', { max_duration_s: 600 }]],
    ['put the cube on the target', ['arm/pick_place', {}]],
  ])('%s: %j', (words, meaning) => {
    expect(one(words)).toEqual(meaning);
  });

  it.each([
    ['turn', [radians(PI / 2), radians(-PI / 2)]],
    ['turn 30 degrees', [radians(PI / 6), radians(-PI / 6)]],
    ['forward', [metres(0.2), metres(0.5), metres(1)]],
    ['go back', [metres(-0.2), metres(-0.5), metres(-1)]],
  ])('%s means several things, and all of them are found', (words, meanings) => {
    expect(mean(words)).toEqual(meanings);
  });

  it.each([
    ...['', '?!', 'a little forward', 'drive 50 forward', 'half a metre', 'half a metre up'],
    ...["don't drive half a metre forward", 'half a metre forward and turn left', 'did you turn left?'],
    ...['never turn left', 'half a metre forward? no!', '1,5 m forward', '5-10 metres forward'],
    ...[
      'go to the moon',
      'go to',
      '-1 m back',
      'back up minus one metre',
      'forward half a metre or so',
      'one two metres forward',
    ],
    ...['ein Meter vorwärts', 'half of metre turn', 'x'.repeat(8_000), 'forward '.repeat(60)],
  ])('%s means nothing by them', (words) => {
    expect(mean(words)).toEqual([]);
  });

  it('says an example of each intent, and what it says is understood', () => {
    const specs = INTENTS.map(({ spec }) => spec);
    const examples = examplesOf(specs, PLACES);
    expect(examples).toHaveLength(specs.length - 1);
    expect(examples.filter((words) => mean(words).length === 0)).toEqual([]);
    expect(examplesOf(specs, [])).not.toContain('…');
  });

  it('reads a sentence that can be read in very many ways at once', () => {
    const spec = {
      type: 'a/b',
      description: 'x',
      params: Type.Unsafe({ properties: { t: { type: 'string' } } }),
      phrases: [{ say: `say ${'[a] '.repeat(40)}{t:text}` }],
    };
    expect(meaningsOf(`say ${'a '.repeat(40)}`, [{ spec }], []).length).toBeGreaterThan(0);
  });
});

describe('a phrase of a package', () => {
  const schema = {
    required: ['metres'],
    properties: {
      metres: { type: 'number' },
      times: { type: 'integer' },
      colour: { type: 'string', enum: ['red', 'dark blue'] },
      words: { type: 'string' },
    },
  };
  it.each([
    ['drive {metres:distance', '{ is no slot'],
    ['drive (fast|slowly {metres:distance}', '"(" is not closed by ")"'],
    ['drive fast) {metres:distance}', '")" closes what was not opened'],
    ['drive {metres}', '{parameter:kind} expected'],
    ['drive {metres:miles}', 'unknown kind "miles"; there are number, integer, distance'],
    [
      'drive {meters:distance}',
      '{meters:distance}, which is no parameter of the intent; there are metres, times',
    ],
    ['drive [{metres:distance}]', 'the required parameter metres is not always given'],
    ['drive {metres:along}', 'metres has a direction and no size'],
    ['drive {metres:distance} {metres:distance}', 'metres is filled twice'],
    ['{metres:distance}', 'it needs a word or a direction'],
    ['drive {metres:distance} {times:distance}', 'the parameter times is "integer": {times:integer} fits it'],
    ['drive {metres:distance} {words:choice}', 'needs an enum of words'],
    ['drive {metres:distance} {metres:text}', 'metres is no string'],
    ['go to {metres:place}', 'fills the numbers x and y'],
    [`go {metres:distance} ${'(a|{times:integer}) [{words:text}] '.repeat(6)}`, 'filled twice'],
    [`${'('.repeat(9)}go${')'.repeat(9)} {metres:distance}`, 'nested deeper'],
  ])('%s: %s', (say, problem) => {
    expect(phraseFaults({ say }, schema).join('\n')).toContain(problem);
  });

  it('says what is wrong with its params', () => {
    expect(phraseFaults({ say: 'go', params: { metre: 1 } }, schema)).toContain(
      'params has metre, which is no parameter of the intent; there are metres, times, colour, words',
    );
    const both = { say: 'go {metres:distance} {colour:choice}', params: { colour: 'red' } };
    expect(phraseFaults(both, schema)).toEqual(['colour stands in params and in a slot: leave one out']);
    const right = { say: 'go {metres:distance} {colour:choice} [{words:text}]', params: { metres: -1 } };
    expect(phraseFaults(right, schema)).toEqual([]);
    const spec = { type: 'a/b', description: 'x', params: Type.Unsafe(schema), phrases: [right] };
    const [found] = meaningsOf('go 2 m Dark-Blue to Anna Maria', [{ spec }], []);
    expect(found?.params).toEqual({ metres: -2, colour: 'dark blue', words: 'to Anna Maria' });
  });
});

it('docs/chat.md shows words that are understood, and what they mean', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'chat.md'), 'utf8');
  const rows = [...page.matchAll(/^\| "([^|]+)" \| `([a-z_/]+) (\{.*\})` \|$/gm)];
  expect(rows.length).toBeGreaterThan(4);
  for (const [, words, type, params] of rows)
    expect([words, mean(words!)]).toEqual([words, [[type, JSON.parse(params!)]]]);
});
