import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { AppView, Submitted } from '../../contract/index.ts';
import {
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';

const folder = freshDir('auraison-packages-load');
let daemon: TestDaemon | undefined;
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  folder.remove();
});

type Questions = { readonly questions: readonly { readonly question_id: string; readonly run_id: string }[] };
const at = (...path: string[]) => join(folder.path, ...path);

function put(name: string, code: string): string {
  mkdirSync(at('mine', name), { recursive: true });
  writeFileSync(
    at('mine', name, 'app.toml'),
    `name = "${name}"\nversion = "0.1.0"\ndescription = "x"\nharness = "flow"\nmodule = "index.ts"\n[[intents]]\ntype = "${name.replaceAll('-', '_')}/go"\ndescription = "go"\n`,
  );
  writeFileSync(at('mine', name, 'index.ts'), code);
  return at('mine', name);
}

const type = (...args: string[]) => auraisonAsync([...args, '--json', '--data-dir', at('data')]);

const APPLICATION = `export const application = { flow: { name: 'f', start: 'done', stepsMax: 2, begin: () => ({}),
  states: { done: { about: 'done', end: 'succeeded', conclude: () => ({ reason: 'done', summary: {} }) } } } };
`;

/** Each with the restarts of the cell that it may cost. */
const FAULTY: readonly (readonly [string, string, number])[] = [
  ['loops', `for (;;);\n${APPLICATION}`, 1],
  ['exits', `process.exit(0);\n${APPLICATION}`, 1],
  ['grows', `const all = [];\nfor (;;) all.push(new Array(1000).fill(all.length));\n${APPLICATION}`, 1],
  ['throws-late', `setTimeout(() => { throw new Error('too late'); }, 50);\n${APPLICATION}`, 0],
  ['exits-late', `setTimeout(() => process.exit(0), 50);\n${APPLICATION}`, 1],
];

it('a package whose module ends the cell costs at most one restart, then it is a line of the list', async () => {
  mkdirSync(at('apps'));
  await type('app', 'new', 'patrol', '--dir', at('apps'));
  const flow = at('apps', 'patrol', 'flow.yaml');
  // Its run stands at a question until the test answers, however long the rest takes.
  writeFileSync(flow, readFileSync(flow, 'utf8').replace('wait: 1 s', 'ask: Shall it drive home?'));
  const toml = at('apps', 'patrol', 'app.toml');
  writeFileSync(toml, readFileSync(toml, 'utf8').replace('"robot.state"', '"robot.state", "person.ask"'));
  daemon = await testDaemon(at('data'), { AURAISON_APPS_DIRS: at('apps') });
  const { api } = daemon;
  await type('app', 'install', put('well', APPLICATION));
  const { run } = await api.post<Submitted>('/v1/intents', { type: 'patrol/drive', params: { metres: 0.1 } });
  const question = () =>
    until(async () => {
      const { questions } = await api.get<Questions>('/v1/questions');
      return questions.find(({ run_id }) => run_id === run.run_id);
    }, 'a run is under way, and asks');
  await question();
  const restarts = async () =>
    (await daemon!.status()).cells.find(({ name }) => name === 'runtime')!.restarts;
  const view = async (name: string) => {
    try {
      const { apps } = await api.get<{ apps: readonly AppView[] }>('/v1/apps');
      return apps.find((one) => one.name === name);
    } catch {
      return undefined;
    }
  };
  for (const [name, code, mayCost] of FAULTY) {
    const before = await restarts();
    await type('app', 'install', put(name, code));
    const bad = await until(async () => {
      const found = await view(name);
      return found?.state === 'bad' ? found : undefined;
    }, `${name} is isolated`);
    expect(bad.reason).toMatch(new RegExp(`its module .*auraison app reload ${name}$`));
    expect((await restarts()) - before, name).toBe(mayCost);
    expect(await view('well')).toMatchObject({ state: 'loaded', reason: '' });
  }
  // The run that was under way lost nothing but attempts.
  await api.post(`/v1/questions/${(await question()).question_id}/answer`, { answer: 'yes' });
  expect(await finishedRun(api, run.run_id)).toMatchObject({ reason: 'drove 0.1 m and back' });
  const after = await until(
    async () => (await api.post<Submitted>('/v1/intents', { type: 'well/go' })).run.run_id,
    'another package works',
  );
  expect((await finishedRun(api, after)).run.status).toBe('succeeded');

  // A version that is changed is taken; the same one by its name.
  await type('app', 'install', put('exits', APPLICATION));
  expect(await view('exits')).toMatchObject({ state: 'loaded' });
  const again = await type('app', 'reload', 'throws-late');
  expect(again.stdout).toContain('throws-late');
  expect((await type('app', 'reload', 'no-such')).status).not.toBe(0);
}, 400_000);
