import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRobot } from '../../cli/sdk/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import { ChatProcess } from '../support/chat-process.ts';
import { freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

let folder: ReturnType<typeof freshDir>;
let daemon: TestDaemon;
let model: FakeOpenAi;
let chats: ChatProcess[] = [];
beforeEach(async () => {
  folder = freshDir('auraison-chat');
  // For "drive" it drives to and fro without an end, for "a bit" once, and else it speaks.
  model = await FakeOpenAi.start((asked, response, server) => {
    const messages = asked.body['messages'] as { role: string; content: unknown }[];
    const words = String(messages.findLast(({ role }) => role === 'user')?.content);
    const endless = words.startsWith('drive');
    const metres = endless
      ? messages.length % 4 < 2
        ? 0.4
        : -0.4
      : words.startsWith('a bit')
        ? 0.2
        : undefined;
    const call = { name: 'robot_maneuver', args: { kind: 'drive', distance_m: metres } };
    const moves = metres !== undefined && (endless || messages.at(-1)?.role !== 'tool');
    return say(moves ? { calls: [call], finish: 'tool_calls' } : { text: `heard: ${words}` })(
      asked,
      response,
      server,
    );
  });
});
afterEach(async () => {
  for (const chat of chats) chat.kill();
  chats = [];
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

function chat(...args: string[]): ChatProcess {
  return chatWith({}, ...args);
}

function chatWith(env: Readonly<Record<string, string>>, ...args: string[]): ChatProcess {
  const opened = new ChatProcess(daemon.dataDir, args, env);
  chats.push(opened);
  return opened;
}

const moves = () => simCommands(join(folder.path, 'commands')).filter(({ linear }) => linear !== 0).length;

/** The way to the daemon, which can be cut and come back at the same address. */
class DaemonProxy {
  readonly #target: number;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(target: number) {
    this.#target = target;
  }

  static async start(target: number): Promise<DaemonProxy> {
    const proxy = new DaemonProxy(target);
    await proxy.listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#target, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#open.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => this.#open.delete(one));
      }
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server!.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}

it('speaks in lines, ends when its lines are answered, and comes back to its session; Ctrl-C and "stop" stop the motion', async () => {
  await start();
  const talker = chat();
  talker.say('hello');
  talker.end();
  expect(await talker.exit).toBe(0);
  expect(talker.text).toContain('heard: hello');
  const id = /chat --session (\S+)/.exec(talker.errors)![1]!;

  const again = chat('--session', id, '--json');
  await again.sees('said', ({ by, text }) => by === 'agent' && text === 'heard: hello');
  again.say('drive on');
  await again.sees('tool', ({ tool }) => tool === 'robot.maneuver');
  await until(async () => moves() > 3, 'it drives');
  again.interrupt();
  await until(
    async () => (await daemon.api.get<{ state: string }>(`/v1/sessions/${id}`)).state === 'waiting',
    'it stops',
    120_000,
  );
  const moved = moves();
  again.say('where are you?');
  await again.sees('said', ({ text }) => text === 'heard: where are you?');
  // Shown once, however it came.
  const said = again.shown().filter((one) => one.kind === 'said' && one.text === 'heard: where are you?');
  expect(said).toEqual([expect.objectContaining({ by: 'agent' })]);
  expect(moves()).toBe(moved);
  // In words, with more that is typed on its way: the session stays.
  again.say('drive back');
  await until(async () => moves() > moved + 3, 'it drives again');
  again.say('STOP!!');
  await again.sees('note', ({ text }) => text === 'the robot was ordered to stop');
  await until(
    async () => (await daemon.api.get<{ state: string }>(`/v1/sessions/${id}`)).state === 'waiting',
    'it waits after the stop',
    120_000,
  );
  const stopped = moves();
  again.say('still there?');
  await again.sees('said', ({ text }) => text === 'heard: still there?');
  again.say('/close');
  expect(await again.exit).toBe(0);
  expect(again.shown()).toContainEqual(expect.objectContaining({ kind: 'ended', status: 'succeeded' }));
  expect(moves()).toBe(stopped);
}, 300_000);

it('asks a program for a motion over RPC: deny moves nothing, allow moves', async () => {
  await start(`@id("all") permit (principal, action, resource) unless { context has effect && context.effect == "actuate" };
@id("drive") @approve("it drives") permit (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.maneuver");`);
  const json = chat('--rpc');
  const ask = (command: object) => json.say(JSON.stringify(command));
  ask({ id: 'p1', type: 'prompt', message: 'a bit' });
  const first = await json.sees('approval');
  ask({ type: 'approve', approval_id: first.approval_id, decision: 'deny' });
  await json.sees(
    'approval_answered',
    (one) => one.approval_id === first.approval_id && one.decision === 'deny',
  );
  await json.sees('said', ({ by }) => by === 'agent');
  expect(moves()).toBe(0);
  ask({ type: 'prompt', message: 'a bit' });
  const second = await json.sees('approval', (one) => one.approval_id !== first.approval_id);
  expect(moves()).toBe(0);
  ask({ type: 'approve', approval_id: second.approval_id, decision: 'allow' });
  await json.sees(
    'approval_answered',
    (one) => one.approval_id === second.approval_id && one.decision === 'allow',
  );
  await until(async () => moves() > 0, 'it drives');
  ask({ id: 's1', type: 'get_state' });
  const responses = () => json.text.split('\n').filter((line) => line.includes('"response"'));
  await until(() => responses().some((line) => line.includes('"s1"')), 'the state is answered');
  expect(responses().map((line) => JSON.parse(line) as object)).toEqual([
    { id: 'p1', type: 'response', command: 'prompt', success: true },
    { type: 'response', command: 'approve', success: true },
    { type: 'response', command: 'prompt', success: true },
    { type: 'response', command: 'approve', success: true },
    {
      ...{ id: 's1', type: 'response', command: 'get_state', success: true },
      data: expect.objectContaining({
        connected: true,
        session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      }),
    },
  ]);
}, 300_000);

it('says that the connection is lost, comes back, and shows what was missed once', async () => {
  await start();
  const proxy = await DaemonProxy.start(Number(new URL(daemon.api.url).port));
  const token = readFileSync(join(daemon.dataDir, 'token'), 'utf8').trim();
  const json = chatWith({ AURAISON_URL: proxy.url, AURAISON_TOKEN: token }, '--json', '--say', 'hello');
  const { session_id } = await json.sees('session');
  await json.sees('status', ({ state }) => state === 'waiting');
  await proxy.cut();
  await json.sees('connection', ({ state }) => state === 'lost');
  await daemon.api.post(`/v1/sessions/${session_id}/steer`, { text: 'from elsewhere' });
  json.say('into the void');
  await json.sees('error', ({ text }) => text.includes('was not taken'));
  await proxy.listen();
  await json.sees('connection', ({ state }) => state === 'back');
  await json.sees('said', ({ text }) => text === 'heard: from elsewhere');
  json.say('and again');
  await json.sees('said', ({ text }) => text === 'heard: and again');
  await proxy.cut();
  const answers = json.shown().filter((one) => one.kind === 'said' && one.by === 'agent');
  expect(answers.map((one) => one.kind === 'said' && one.text)).toEqual([
    'heard: hello',
    'heard: from elsewhere',
    'heard: and again',
  ]);
}, 300_000);

it('a program that embeds a session: the example drives, is stopped by Ctrl-C in a motion, and hears what is refused', async () => {
  await start();
  const example = (...words: string[]) => {
    const child = spawn(process.execPath, [join(ROOT, 'docs/examples/embed/errand.ts'), ...words], {
      env: { ...process.env, AURAISON_DAEMON_DATA_DIR: daemon.dataDir },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    const exit = new Promise((resolve) => child.on('close', resolve));
    return { child, exit, said: () => said };
  };
  const once = example('a bit');
  expect([await once.exit, once.said()]).toEqual([
    0,
    expect.stringMatching(/> robot\.maneuver .*0\.2.*heard: a bit.*\[scripted, \d+ tokens\]/s),
  ]);
  expect(moves()).toBeGreaterThan(0);

  const endless = example('drive');
  await until(async () => endless.said().includes('< '), 'it has driven once', 120_000);
  endless.child.kill('SIGINT');
  expect([await endless.exit, endless.said()]).toEqual([1, expect.stringContaining('stopped by Ctrl-C')]);
  const after = moves();

  const robot = await openRobot({ dataDir: daemon.dataDir });
  const { sessions } = await robot.api.get<{ sessions: { session_id: string; state: string }[] }>(
    '/v1/sessions',
  );
  const left = await robot.session({ session: sessions[0]!.session_id });
  expect((await left.prompt('hello')).text).toContain('heard: hello');
  expect(moves()).toBe(after);
  left.setModel('scripted');
  await left.close();
  expect(left.status.state).toBe('ended');
  expect(() => left.steer('more')).toThrow('the session has ended');
  const other = await robot.session({ type: 'no/such' });
  await expect(other.prompt('x')).rejects.toThrow('no application serves no/such');
  await robot.close();
  await expect(left.prompt('x')).rejects.toThrow('open it again by its id');
}, 300_000);
