import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ExtensionView, Submitted } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import {
  allEvents,
  auraisonAsync,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';

const folder = freshDir('auraison-extensions');
let daemon: TestDaemon | undefined;
let model: FakeOpenAi | undefined;
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await model?.stop();
});

it('a module that is dropped into a folder gives the agent of a running robot its hooks; a broken one harms nobody', async () => {
  const own = join(folder.path, 'apps', 'turtlebot-maze', 'extensions');
  mkdirSync(own, { recursive: true });
  copyFileSync(join(ROOT, 'docs/examples/extensions/drive-budget.ts'), join(own, 'drive-budget.ts'));
  writeFileSync(
    join(own, 'stop-driving.ts'),
    `
export default (pi) => pi.on('tool_call', ({ toolName }) =>
  toolName === 'maze_explore_frontier' ? { block: true, reason: 'the floor is wet' } : undefined);
`,
  );
  writeFileSync(join(own, 'broken.ts'), "export default () => { throw new Error('no such shelf'); };\n");
  model = await FakeOpenAi.start(
    say({ calls: [{ name: 'maze_explore_frontier', args: {} }], finish: 'tool_calls' }),
  );
  const config = join(folder.path, 'robot.toml');
  writeFileSync(
    config,
    `[apps]
turtlebot_maze = "pi"
folder = "${join(folder.path, 'apps')}"
[sim]
seed = 2
width = 3
height = 3
[[models]]
name = "scripted"
url = "${model.url}"
model = "scripted"
context = 8192
`,
  );
  daemon = await testDaemon(join(folder.path, 'data'), { AURAISON_CONFIG: config });
  const { api, dataDir } = daemon;
  const shown = await auraisonAsync(['extensions', '--json', '--data-dir', dataDir]);
  const views = (JSON.parse(shown.stdout) as { extensions: ExtensionView[] }).extensions;
  const states = Object.fromEntries(views.map(({ extension, state }) => [extension, state]));
  expect(states).toMatchObject({
    'extensions/drive-budget.ts': 'loaded',
    'extensions/stop-driving.ts': 'loaded',
  });
  expect(states['extensions/broken.ts']).not.toBe('loaded');
  expect(JSON.stringify(views)).toContain('no such shelf');

  const { run } = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit', params: {} });
  const told = await until(async () => {
    const events = (await allEvents(api)).filter(({ run_id }) => run_id === run.run_id);
    return events.find(
      ({ kind, payload }) => kind === 'session.entry' && JSON.stringify(payload).includes('wet'),
    );
  }, 'the model hears that a hook blocked its drive');
  expect(told).toMatchObject({ payload: { entry: { message: { isError: true } } } });
  const events = (await allEvents(api)).filter(({ run_id }) => run_id === run.run_id);
  expect(events.filter(({ kind }) => kind === 'tool.called')).toEqual([]);
  expect(JSON.stringify(events.find(({ kind }) => kind === 'model.called'))).toContain('ext_drives_left');
  await api.post(`/v1/runs/${run.run_id}/cancel`, { reason: 'seen enough' });

  // Another version while the robot is up.
  writeFileSync(
    join(own, 'broken.ts'),
    "export default (pi) => pi.registerCommand('shelf', { description: 'x', handler() {} });\n",
  );
  await auraisonAsync(['extensions', 'reload', 'turtlebot-maze', '--data-dir', dataDir]);
  const mended = await api.get<{ extensions: ExtensionView[] }>('/v1/extensions');
  expect(mended.extensions.find(({ extension }) => extension === 'extensions/broken.ts')).toMatchObject({
    state: 'loaded',
  });
  expect((await daemon.status()).cells.every(({ state }) => state === 'up')).toBe(true);
}, 180_000);
