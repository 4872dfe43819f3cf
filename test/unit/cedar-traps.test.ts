import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CedarEngine,
  CedarJudge,
  LastGoodPolicies,
  loadCedar,
  PolicyBook,
  readPolicySource,
} from '../../adapters/cedar/index.ts';
import type { HookQuestion, PolicyRequest } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const ALLOW = '@id("all") permit (principal, action, resource);\n';
const when = (expression: string) =>
  `@id("x") permit (principal, action, resource) when { ${expression} };\n`;
const deep = (levels: number) => when(`${'('.repeat(levels)}true${')'.repeat(levels)}`);
const chain = (terms: number, operator = '||') =>
  when(Array.from({ length: terms }, (_, i) => `context.numbers.hasTag("n${i}")`).join(` ${operator} `));
const QUESTION: HookQuestion = {
  point: 'tool',
  subject: 'robot.navigate',
  context: { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'api' },
  facts: {},
  about: { effect: 'actuate' },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'traps-'));
  writeFileSync(join(folder, 'a.cedar'), ALLOW);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open() {
  return PolicyBook.open({
    ...{ robot: 'tb1', clock: new ManualClock() },
    read: () => readPolicySource(folder, []),
    standing: ({ roles }) => ({ ok: true, roles }),
    lastGood: new LastGoodPolicies(
      join(folder, 'kept', 'last-good.json'),
      { dir: folder, files: [] },
      () => {},
    ),
  });
}
const decided = async (book: PolicyBook) => (await book.decide(QUESTION)).decision;

/** Deeper than Cedar can take; the scan is meant to keep it out. */
const HOSTILE: [string, string][] = [
  ['1,500 brackets', deep(1_500)],
  ['2,000 terms', chain(2_000)],
  ['2,000 sums', when(`${Array(2_000).fill('1').join(' + ')} == 1`)],
  ['2,000 attributes', when(`context${'.a'.repeat(2_000)} == 1`)],
  ['1,500 sets', when(`${'['.repeat(1_500)}1${']'.repeat(1_500)} == [1]`)],
  ['2,000 conditions', when(`${'if true then true else '.repeat(2_000)}true`)],
];

describe('a Cedar policy that is too deep', () => {
  it.each(HOSTILE)(
    'of %s is refused with file, line and limit, and the policies in force go on',
    async (_, text) => {
      const book = await open();
      writeFileSync(join(folder, 'b.cedar'), `\n${text}`);
      await expect(book.reload()).rejects.toThrow(/^b\.cedar:2: .*at most 160 levels/);
      expect(await decided(book)).toBe('allow');
      rmSync(join(folder, 'b.cedar'));
      await book.reload();
      expect(await decided(book)).toBe('allow');
    },
  );

  it('at a start leaves the last good ones in force', async () => {
    await open();
    writeFileSync(join(folder, 'b.cedar'), deep(1_500));
    const book = await open();
    expect(book.view().reload_error).toMatch(/b\.cedar:1: .*in force: the last good policies$/);
    expect(await decided(book)).toBe('allow');
  });

  it.each([
    ['40 brackets', deep(40)],
    ['100 terms', chain(100)],
    ['100 terms that all hold', chain(100, '&&')],
    ['a set of 5,000', when(`[${Array.from({ length: 5_000 }, (_, i) => i).join(', ')}].contains(7)`)],
    ['brackets in a text and a comment', `// ${'('.repeat(999)}\n${when(`"${'(\\"'.repeat(999)}" == "x"`)}`],
  ])('is not confused with %s', async (_, text) => {
    writeFileSync(join(folder, 'b.cedar'), text);
    expect(await decided(await open())).toBe('allow');
  });
});

describe('a trap of Cedar', () => {
  const real = loadCedar();
  /** Cedar whose instance is dead after one call with the word `trap` in it, as after a trap. */
  async function fragile() {
    const shared = await real;
    let made = 0;
    const engine = new CedarEngine(() => {
      made++;
      let dead = false;
      const known = new Set<string>();
      return shared.call(
        (cedar) =>
          new Proxy(cedar, {
            get:
              (target, name: keyof typeof cedar) =>
              (...args: unknown[]) => {
                dead ||= JSON.stringify(args).includes('trap');
                if (dead)
                  throw Object.assign(new Error('memory access out of bounds'), { name: 'RuntimeError' });
                if (name === 'preparsePolicySet') known.add(String(args[0]));
                const slot = (args[0] as { preparsedPolicySetId?: string }).preparsedPolicySetId;
                if (name === 'statefulIsAuthorized' && !known.has(slot!)) throw new Error('unknown set');
                return (target[name] as (...all: unknown[]) => unknown)(...args);
              },
          }),
      );
    });
    return { engine, made: () => made };
  }
  const request = (name: string): PolicyRequest => ({
    ...{ point: 'tool', robot: 'tb1', ts_ms: 0, about: { effect: 'read' }, facts: {}, entities: [] },
    principal: { tenant: 'lab', id: 'ada', roles: [], origin: 'api' },
    resource: { type: 'Auraison::Tool', id: name, parents: [] },
  });

  it('denies the question that caused it and no other, in every set of policies', async () => {
    const { engine, made } = await fragile();
    const [one, two] = [1, 2].map((n) => new CedarJudge(engine, [{ file: `${n}.cedar`, text: ALLOW }]));
    expect(one!.judge(request('trap'))).toMatchObject({
      decision: 'deny',
      reason: expect.stringMatching(/cannot be judged/),
    });
    for (const judge of [one!, two!]) expect(judge.judge(request('robot.navigate')).decision).toBe('allow');
    expect(made()).toBe(2);
    one!.close();
    two!.close();
  });

  it('while policies are loaded refuses them with their file, and leaves the others', async () => {
    const { engine } = await fragile();
    const judge = new CedarJudge(engine, [{ file: 'a.cedar', text: ALLOW }]);
    expect(() => new CedarJudge(engine, [{ file: 'b.cedar', text: `${ALLOW} // trap` }])).toThrow(
      /b\.cedar:1: Cedar cannot process this: memory access out of bounds/,
    );
    expect(judge.judge(request('robot.navigate')).decision).toBe('allow');
    judge.close();
  });
});
