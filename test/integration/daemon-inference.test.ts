import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { Reply } from '../../contract/index.ts';
import { FakeOpenAi, say, silent } from '../fakes/fake-openai.ts';
import {
  allEvents,
  auraison,
  auraisonAsync,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';

/** A whole daemon asked for inference: from the key space, by the command line, with policies that change under it. */
const DRIVE = join(ROOT, 'apps/turtlebot-maze/policy/drive.onnx');
const folder = freshDir('auraison-inference');
const file = join(folder.path, 'robot.toml');
const data = join(folder.path, 'data');
const clock = new SystemClock();
let port: number;
let model: FakeOpenAi;
let daemon: TestDaemon;
let guest: NativeKeySpace;

function write(policies: string): void {
  writeFileSync(
    file,
    [
      `[zenoh]\nmode = "router"\nlisten = ["tcp/127.0.0.1:${port}"]\nshared_memory = "0 B"\nprefix = "r1"`,
      `[[models]]\nname = "small"\nurl = "${model.url}"\nmodel = "small-1"\nprobe = false`,
      policies,
    ].join('\n'),
  );
}

beforeAll(async () => {
  port = await freePort();
  model = await FakeOpenAi.start(say({ text: 'hello there' }));
  write('');
  daemon = await testDaemon(data, { AURAISON_CONFIG: file, AURAISON_ZENOH_ENABLED: 'true' });
  const options = {
    mode: 'client',
    listen: [],
    connect: [`tcp/127.0.0.1:${port}`],
    sharedMemoryBytes: 0,
  } as const;
  guest = await NativeKeySpace.open(options, { clock });
});
afterAll(async () => {
  await guest?.close();
  await daemon?.stop();
  await model?.stop();
  folder.remove();
});

const ask = (what: string, body?: object, timeoutMs = 30_000): Promise<readonly Reply[]> =>
  guest.query(`r1/ai/inference/${what}`, {
    timeoutMs,
    ...(body === undefined
      ? {}
      : { payload: new TextEncoder().encode(JSON.stringify(body)), encoding: 'application/json' }),
  });
const read = (reply: Reply | undefined): Record<string, unknown> => {
  if (!reply?.ok) throw new Error(JSON.stringify(reply));
  return JSON.parse(new TextDecoder().decode(reply.value.payload)) as Record<string, unknown>;
};
const messages = [{ role: 'user', content: 'hi' }];

describe('a daemon that is asked for inference', () => {
  it('answers a node of the key space from a model of its runtime, in pieces, and logs who pays', async () => {
    await until(async () => (await ask('chat/schema'))[0]?.ok === true, 'the queryables are there');
    const replies = await ask('chat', { messages, stream: true });
    expect(replies.map((reply) => read(reply)['object'])).toContain('chat.completion.chunk');
    expect(read(replies.at(-1))).toMatchObject({
      model: 'small',
      choices: [{ message: { content: 'hello there' } }],
    });
    const events = await allEvents(daemon.api, '&kind=model.called');
    expect(events.at(-1)?.payload).toMatchObject({ tenant: 'local', purpose: 'chat', model: 'small' });
  });

  it('answers by the deadline of the caller while its model is silent, and serves the next one', async () => {
    model.scripts.unshift(silent);
    const [late] = await ask('chat', { messages, deadline_ms: 700 });
    expect(late).toMatchObject({ ok: false, error: { code: 'deadline.exceeded' } });
    model.scripts.splice(0, model.scripts.length, say({ text: 'again' }));
    expect(read((await ask('chat', { messages }))[0])).toMatchObject({
      choices: [{ message: { content: 'again' } }],
    });
  });

  it('is asked by the command line', async () => {
    const cli = (...args: string[]) => auraisonAsync(['infer', ...args, '--data-dir', data]);
    const chat = await cli('chat', 'hi', '--model', 'small');
    expect([chat.status, chat.stdout.trim()]).toEqual([0, 'again']);
    const policies = await cli('policies');
    expect(policies.stdout).toMatch(/drive\s+onnx\s+ready/);
    const { inputs } = read((await ask('vla?policy=drive'))[0]) as {
      inputs: Record<string, number[]>;
    };
    const zeros = (shape: number[]) => Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0.25);
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: 'float32', data: zeros(shape) }]),
    );
    const asked = async (body: object) => {
      writeFileSync(join(data, 'observation.json'), JSON.stringify(body));
      const { status, stdout } = await cli(
        'vla',
        join(data, 'observation.json'),
        '--policy',
        'drive',
        '--json',
      );
      return { status, ...(JSON.parse(stdout) as object) };
    };
    expect(await asked({ tensors })).toMatchObject({ status: 0, actions: { dtype: 'float32' } });
    // Above what is taken as JSON it goes as MessagePack: to the policy, which has no such input.
    const front = {
      width: 1_200,
      height: 800,
      encoding: 'rgb8',
      data: Buffer.alloc(2_880_000).toString('base64'),
    };
    expect(await asked({ tensors, images: { front } })).toMatchObject({
      status: 1,
      error: { code: 'model.bad_observation', message: expect.stringContaining('front') },
    });
  });

  it('takes a policy that is pinned without a restart, refuses another network, and fails no question meanwhile', async () => {
    const execution = await daemon.pidOf('execution');
    const sha256 = createHash('sha256').update(readFileSync(DRIVE)).digest('hex');
    const describe_ = async (policy: string) => (await ask(`vla?policy=${policy}`))[0];
    let failed = 0;
    let asked = 0;
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) {
        asked += 1;
        if (!(await describe_('drive'))?.ok) failed += 1;
      }
    })();
    const pinned = (hash: string) => `[[policies]]\nname = "pinned"\npath = "${DRIVE}"\nsha256 = "${hash}"`;
    write(pinned(sha256));
    const { status, stdout } = auraison(['reload', '--json', '--data-dir', data]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, live: ['policies'], restart: [] });
    await until(async () => (await describe_('pinned'))?.ok === true, 'the new policy answers');
    expect(read(await describe_('pinned'))).toMatchObject({ name: 'pinned', policy_hash: sha256 });
    write(pinned('0'.repeat(64)).replace('pinned', 'other'));
    expect(auraison(['reload', '--data-dir', data]).status).toBe(0);
    await until(async () => {
      const { policies } = await daemon.api.get<{
        policies: { name: string; state: string; reason: string }[];
      }>('/v1/inference/policies');
      return policies.some(
        ({ name, state, reason }) => name === 'other' && state === 'failed' && reason.includes('pins 000'),
      );
    }, 'another network is refused');
    over.abort();
    await asking;
    expect([failed, asked > 0]).toEqual([0, true]);
    expect(await daemon.pidOf('execution')).toBe(execution);
  });
});
