import { afterEach, describe, expect, it } from 'vitest';
import { PolicyBook } from '../../adapters/cedar/index.ts';
import { checkAside, checkHere, type PolicyCheck } from '../../adapters/cedar/policy-check.ts';
import { EdgeError, type HookQuestion } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

const QUESTION: HookQuestion = {
  point: 'tool',
  subject: 'robot.navigate',
  context: { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'api' },
  facts: {},
  about: { effect: 'actuate' },
};
const permit = (id: string) => `@id("${id}") permit (principal, action, resource);\n`;
/** Policies that nobody is under: only their number counts. */
const many = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `@id("p${i}") forbid (principal in Auraison::Role::"r${i}", action, resource);`,
  ).join('\n');

/** Policies as the test has them now; a check after the first ends when the test says so. */
async function slowBook(check?: PolicyCheck) {
  const files = { text: permit('first') };
  const checks: PromiseWithResolvers<void>[] = [];
  let opened = false;
  const slow: PolicyCheck = async (asked) => {
    const end = Promise.withResolvers<void>();
    if (opened) {
      checks.push(end);
      await end.promise;
    }
    opened = true;
    return await checkHere(asked);
  };
  const book = await PolicyBook.open({
    ...{ robot: 'tb1', clock: new ManualClock(), check: check ?? slow },
    standing: ({ roles }) => ({ ok: true, roles }),
    read: () => ({
      policies: [{ file: 'a.cedar', text: files.text }],
      entities: { file: 'entities.json', text: '' },
    }),
  });
  const decided = async () => (await book.decide(QUESTION)).determining;
  return { book, files, checks, decided };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a reload of many policies', () => {
  it('leaves those before in force until the others are checked, and takes the files as they are last', async () => {
    const { book, files, checks, decided } = await slowBook();
    files.text = permit('second');
    const second = book.reload();
    await turn();
    expect(await decided()).toEqual(['a.cedar#first']);
    files.text = permit('third');
    const third = [book.reload(), book.reload()];
    await turn();
    expect(checks).toHaveLength(1);
    checks[0]!.resolve();
    expect(await second).toBe(true);
    expect(await decided()).toEqual(['a.cedar#second']);
    await turn();
    // Those that waited are one.
    expect(checks).toHaveLength(2);
    checks[1]!.resolve();
    expect(await Promise.all(third)).toEqual([true, true]);
    expect(await decided()).toEqual(['a.cedar#third']);
  });

  it('that fails keeps nothing from being read again', async () => {
    const { book, files, checks, decided } = await slowBook();
    files.text = permit('second');
    const failing = book.reload();
    const waiting = book.reload();
    await turn();
    checks[0]!.reject(new EdgeError('deadline.exceeded', { operation: 'check', subject: 'policies' }));
    await expect(failing).rejects.toMatchObject({ code: 'deadline.exceeded' });
    expect(await decided()).toEqual(['a.cedar#first']);
    await turn();
    checks[1]!.resolve();
    expect(await waiting).toBe(true);
    expect(await decided()).toEqual(['a.cedar#second']);
  });

  it('lets stops and the emergency stop through while the policies are checked', async () => {
    const { book, files, checks } = await slowBook();
    const { governance } = await governedPorts();
    rig = await startRig(
      {},
      {
        governance: Object.assign(Object.create(governance!), {
          reload: async () => {
            await book.reload();
            return book.view();
          },
        }),
      },
    );
    answerAll(rig);
    files.text = permit('second');
    const reload = rig.post('/v1/policy/reload');
    while (checks.length === 0) await turn();
    for (const path of ['/v1/robot/stop', '/v1/arm/stop', '/v1/estop'])
      expect(`${path} ${(await rig.post(path, {})).status}`).toBe(`${path} 200`);
    expect(book.view().policies.map(({ id }) => id)).toEqual(['a.cedar#first']);
    checks[0]!.resolve();
    expect((await reload).status).toBe(200);
    expect(book.view().policies.map(({ id }) => id)).toEqual(['a.cedar#second']);
  });

  it('leaves the thread of the daemon to others, and names place and fault as a short set does', async () => {
    const { book, files, decided } = await slowBook(checkAside(new ManualClock()));
    files.text = permit('second') + many(400);
    let turns = 0;
    let open = true;
    const count = () => {
      turns++;
      if (open) setImmediate(count);
    };
    setImmediate(count);
    expect(await book.reload()).toBe(true);
    // A check in this thread ends before any timer or socket gets its turn.
    expect(turns).toBeGreaterThan(3);
    expect(await decided()).toEqual(['a.cedar#second']);
    for (const [broken, words] of [
      ['permit (', /^a\.cedar:402: /],
      [
        '@id("x") permit (principal, action, resource) when { context.nothing };',
        /^a\.cedar:402: policy a\.cedar#x: /,
      ],
    ] as const) {
      files.text = `${permit('second') + many(400)}\n${broken}`;
      await expect(book.reload()).rejects.toThrow(words);
      expect(await decided()).toEqual(['a.cedar#second']);
    }
    open = false;
  });
});
