import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentEvent, Approval, AskIntent } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { allEvents, auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

type Session = { readonly session_id: string; readonly state: string; readonly attended: boolean };

let folder: ReturnType<typeof freshDir>;
let daemon: TestDaemon;
let model: FakeOpenAi;
beforeEach(async () => {
  folder = freshDir('auraison-sessions');
  // It drives five metres when it is asked to drive, half a metre when it is asked for a bit, and else speaks.
  model = await FakeOpenAi.start((asked, response, server) => {
    const messages = asked.body['messages'] as { role: string; content: unknown }[];
    const words = String(messages.findLast(({ role }) => role === 'user')?.content);
    const drive = (distance_m: number) => ({ name: 'robot_maneuver', args: { kind: 'drive', distance_m } });
    const chosen = JSON.stringify(asked.body['tools'] ?? '').includes('none_fits')
      ? { name: 'robot__drive', args: { metres: 0.2 } }
      : messages.at(-1)?.role === 'tool'
        ? undefined
        : words.startsWith('drive')
          ? drive(5)
          : words.startsWith('a bit') || words.includes('0.2 m')
            ? drive(0.2)
            : undefined;
    return say(chosen ? { calls: [chosen], finish: 'tool_calls' } : { text: `heard: ${words}` })(
      asked,
      response,
      server,
    );
  });
});
afterEach(async () => {
  await daemon?.stop();
  await model.stop();
  folder.remove();
});

async function start(policy?: string): Promise<void> {
  const config = join(folder.path, 'robot.toml');
  const policies = join(folder.path, 'policies');
  mkdirSync(policies);
  if (policy) writeFileSync(join(policies, 'one.cedar'), policy);
  writeFileSync(
    config,
    `${policy ? `[policy]\ndir = "${policies}"\n` : ''}[runs]\nload_max = 0\n[[models]]\nname = "scripted"\nurl = "${model.url}"\nmodel = "scripted"\ncontext = 16384\n`,
  );
  daemon = await testDaemon(join(folder.path, 'data'), {
    ...notingCommands(join(folder.path, 'commands')),
    AURAISON_CONFIG: config,
  });
}

const moves = () => simCommands(join(folder.path, 'commands')).filter(({ linear }) => linear !== 0).length;
const open = (text: string) => daemon.api.post<Session>('/v1/sessions', { text });
const at = ({ session_id }: Session, word = '') => `/v1/sessions/${session_id}${word}`;
const waits = (session: Session) =>
  until(async () => (await daemon.api.get<Session>(at(session))).state === 'waiting', 'it waits', 120_000);
async function answers({ session_id }: Session): Promise<string[]> {
  const entries = (await allEvents(
    daemon.api,
    `&run=${session_id}&kind=session.entry`,
  )) as AgentEvent<'session.entry'>[];
  return entries.flatMap(({ payload }) => {
    const text = JSON.stringify(payload.entry);
    return text.includes('"assistant"')
      ? [...text.matchAll(/heard: ([^"]*)"/g)].map(([, words]) => words!)
      : [];
  });
}

it('two sessions talk at once; stop ends a motion and nothing moves after it, also when the runtime is killed', async () => {
  await start();
  const [driver, talker] = await Promise.all([open('drive on'), open('hello')]);
  await waits(talker);
  await until(() => moves() > 3, 'it drives');
  // Heard while the tool runs, and dropped by the stop.
  await daemon.api.post(at(driver, '/steer'), { text: 'drive further' });
  await daemon.api.post(at(driver, '/stop'), {});
  await waits(driver);
  const moved = moves();
  await daemon.api.post(at(talker, '/steer'), { text: 'still there?' });
  await until(async () => (await answers(talker)).includes('still there?'), 'the other one goes on');
  process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
  await until(
    async () =>
      (await daemon.status()).cells.some(({ name, restarts }) => name === 'runtime' && restarts > 0),
    'it starts again',
  );
  await waits(driver);
  expect(await daemon.api.get<Session>(at(driver))).toMatchObject({ attended: true });
  expect(moves()).toBe(moved);
  await daemon.api.post(at(driver, '/steer'), { text: 'where are you?' });
  await until(async () => (await answers(driver)).includes('where are you?'), 'it answers after the restart');
  expect(moves()).toBe(moved);
  for (const session of [driver, talker]) {
    await waits(session);
    await daemon.api.post(at(session, '/close'), {});
    await until(async () => (await daemon.api.get<Session>(at(session))).state === 'ended', 'it ends');
  }
}, 300_000);

it('a motion that a person has to approve is made for y and not for n', async () => {
  await start(`@id("all") permit (principal, action, resource) unless { context has effect && context.effect == "actuate" };
@id("drive") @approve("it drives") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.maneuver");`);
  const session = await open('a bit');
  const asked = async () =>
    until(
      async () => (await daemon.api.get<{ approvals: Approval[] }>('/v1/approvals')).approvals[0],
      'a person is asked',
    );
  const answer = async (decision: string) =>
    daemon.api.post(`/v1/approvals/${(await asked()).approval_id}/answer`, { decision, reason: 'as tested' });
  await answer('deny');
  await waits(session);
  expect(moves()).toBe(0);
  await daemon.api.post(at(session, '/steer'), { text: 'a bit' });
  await answer('allow');
  await until(() => moves() > 0, 'it drives');
}, 300_000);

it('auraison ask shows the intent, does nothing unless it is confirmed, and drives relatively when it is', async () => {
  await start();
  const ask = (...args: string[]) =>
    auraisonAsync(['ask', 'a little forward', ...args, '--data-dir', daemon.dataDir]);
  const shown = await ask('--json');
  expect([shown.status, (JSON.parse(shown.stdout) as { plan: AskIntent }).plan.intent]).toEqual([
    3,
    { type: 'robot/drive', params: { metres: 0.2 } },
  ]);
  expect(moves()).toBe(0);
  const done = await ask('--yes');
  expect([done.status, done.stderr]).toEqual([0, expect.stringContaining('robot/drive {"metres":0.2}')]);
  expect(moves()).toBeGreaterThan(0);
}, 300_000);
