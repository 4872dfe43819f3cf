import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { OrderView } from '../../central/order-store.ts';
import type { AgentEvent, ScheduleView } from '../../contract/index.ts';
import {
  AURAISON,
  allEvents,
  auraison,
  auraisonAsync,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** A whole daemon that is asked by its own schedule, by a Python program over Zenoh and by a real coordinator. */
const INTENT = 'maze/find_exit';
const BASE = 'fleet/r1';

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown> | unknown)[] = [];
beforeEach(() => {
  directory = freshDir('daemon-intents');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

async function start(toml: string, env: Readonly<Record<string, string>> = {}): Promise<TestDaemon> {
  const config = join(directory.path, 'robot.toml');
  writeFileSync(config, `[daemon]\nname = "r1"\n[sim]\nwidth = 3\nheight = 3\nseed = 3\n${toml}`);
  const daemon = await testDaemon(join(directory.path, 'data'), { AURAISON_CONFIG: config, ...env });
  closing.push(() => daemon.stop());
  return daemon;
}

const accepted = async (daemon: TestDaemon) =>
  (await allEvents(daemon.api, '&kind=intent.accepted')) as AgentEvent<'intent.accepted'>[];

it('fires its schedule once for each time, whenever its runtime is killed', async () => {
  const daemon = await start(
    `[[schedules]]\nname = "often"\ncron = "*/2 * * * * *"\nintent = "${INTENT}"\nmissed = "run_all"\noverlap = "queue"\n`,
  );
  const fired = async () =>
    ((await allEvents(daemon.api, '&kind=schedule.fired')) as AgentEvent<'schedule.fired'>[])
      .map(({ payload }) => payload)
      .filter(({ action }) => action !== 'known');
  for (let kills = 1; kills <= 3; kills++) {
    const before = await until(async () => {
      const found = await fired();
      return found.length >= kills * 2 && found.length;
    }, 'some times have come');
    process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
    await until(async () => (await fired()).length > before, 'it goes on after the kill', 90_000);
  }
  // One run a key, and a key for each time that the log says was to run.
  const settled = await until(async () => {
    const times = await fired();
    const keys = (await accepted(daemon)).map(({ payload }) => payload.intent.idempotency_key);
    const runs = times.filter(({ action }) => action === 'run').map(({ due_ns }) => due_ns);
    const refused = new Set(times.filter(({ action }) => action === 'refused').map(({ due_ns }) => due_ns));
    return runs.slice(0, 6).every((due) => keys.includes(due) || refused.has(due)) && { keys, runs, times };
  }, 'each time has its run');
  expect(new Set(settled.keys).size).toBe(settled.keys.length);
  expect(new Set(settled.runs).size).toBe(settled.runs.length);
  // No time between the first and the last is left out; what was too much to make up for is counted.
  const due = settled.times
    .filter(({ action }) => action !== 'refused')
    .map(({ due_ns }) => BigInt(due_ns) / 1_000_000_000n);
  const skipped = settled.times.reduce((sum, { missed }) => sum + missed, 0);
  expect(Number(due.at(-1)! - due[0]!) / 2 + 1).toBe(due.length + skipped);

  const listed = auraison(['schedules', '--json'], { AURAISON_DAEMON_DATA_DIR: daemon.dataDir });
  const [view] = JSON.parse(listed.stdout) as ScheduleView[];
  expect(view).toMatchObject({ name: 'often', intent: INTENT, missed: 'run_all' });
  expect(view!.next).toHaveLength(3);
}, 240_000);

it('takes intents from a Python program over Zenoh, and refuses in typed errors', async () => {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const daemon = await start(
    `[zenoh]\nmode = "router"\nlisten = ["${endpoint}"]\nprefix = "${BASE}"\n[intents]\nzenoh = true\n`,
    { AURAISON_ZENOH_ENABLED: 'true' },
  );
  await until(
    async () => {
      const { zenoh } = await daemon.status();
      return zenoh.available && zenoh.connected;
    },
    'the key space is open',
    90_000,
  );
  const peer = new ZenohPeer('zenoh_intent.py', endpoint, BASE, INTENT);
  await until(() => peer.lines.some((line) => 'done' in line), 'the program is done', 180_000);
  const said = Object.assign({}, ...peer.lines) as Record<string, Record<string, unknown>>;
  expect(said['schema']).toMatchObject({ $id: 'auraison/v1/intent-request' });
  expect(said['put']).toMatchObject({ type: INTENT, duplicate: false });
  expect(said['ended']).toMatchObject({
    run_id: said['put']!['run_id'],
    duplicate: true,
    status: 'succeeded',
  });
  expect(said['refused']).toMatchObject({ error: { code: 'schema.invalid' } });
  expect(said['unknown']).toMatchObject({ error: { code: 'intent.unknown_type' } });
  expect(said['garbled']).toMatchObject({ error: { code: 'schema.invalid' } });
  expect(said['cancelled']).toMatchObject({ status: 'cancelled' });
  // Whoever goes on with the trace finds the run in it: beside each answer, as its own context was beside the question.
  const span = String(said['put']!['run_id']).replaceAll('-', '').slice(16);
  const beside = `traceparent: 00-0af7651916cd43dd8448eb211c80319c-${span}-01`;
  for (const answer of ['put', 'ended', 'told']) expect(said[answer]).toMatchObject({ beside });
  const [first] = await accepted(daemon);
  expect(first!.payload.intent).toMatchObject({
    policy_ctx: { origin: 'zenoh', principal: 'zenoh/key-space' },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
}, 300_000);

/** `auraison central`, always at the same address. */
class Central {
  readonly dataDir = join(directory.path, 'central');
  readonly #port: number;
  #child: ChildProcess | undefined;
  constructor(port: number) {
    this.#port = port;
  }
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  async start(): Promise<void> {
    const args = ['central', '--data-dir', this.dataDir, '--port', String(this.#port), '--json'];
    this.#child = spawn(AURAISON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(this.#child.stdout!, 'data');
  }
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

it('takes orders from a coordinator: each once, over kills of the coordinator, the link and the runtime', async () => {
  const central = new Central(await freePort());
  closing.push(() => central.kill());
  await central.start();
  const orders = async (...args: string[]) => {
    const token = join(central.dataDir, 'operator-token');
    const done = await auraisonAsync([
      'orders',
      ...args,
      '--url',
      central.url,
      '--token-file',
      token,
      '--json',
    ]);
    expect(`${done.status} ${done.stderr}`).toMatch(/^0/);
    return JSON.parse(done.stdout) as never;
  };
  // Posted before the robot ever was there.
  const first = (await orders('send', 'r1', INTENT)) as OrderView;
  const daemon = await start('[intents]\ncentral = true\n', {
    AURAISON_LINK_CENTRAL_URL: central.url,
    AURAISON_LINK_TOKEN_FILE: join(central.dataDir, 'token'),
  });
  const state = async (id: string) =>
    ((await orders('list', 'r1')) as OrderView[]).find((one) => one.order_id === id)!;
  const is = (id: string, wanted: string) =>
    until(
      async () => {
        const found = await state(id);
        return found.state === wanted && found;
      },
      `${id} is ${wanted}`,
      120_000,
    );
  expect((await is(first.order_id, 'finished')).report).toMatchObject({ status: 'succeeded' });

  const ids = [first.order_id];
  const send = async (type = INTENT) => {
    const { order_id } = (await orders('send', 'r1', type)) as OrderView;
    return order_id;
  };
  ids.push(await send());
  process.kill(await daemon.pidOf('link'), 'SIGKILL');
  ids.push(await send());
  process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
  await central.kill();
  await central.start();
  const last = await send();
  const cancel = (await orders('cancel', 'r1', last)) as OrderView;
  const refused = await send('no/such');
  for (const id of ids) expect((await is(id, 'finished')).report).toMatchObject({ status: 'succeeded' });
  await is(cancel.order_id, 'finished');
  const cancelled = await until(
    async () => {
      const found = await state(last);
      return (found.state === 'finished' || found.state === 'refused') && found;
    },
    'the last is settled',
    120_000,
  );
  // On a busy host its run may be over before the word to end it is there.
  expect(`${cancelled.state} ${cancelled.report?.status}`).toMatch(
    /^(finished (cancelled|succeeded)|refused undefined)$/,
  );
  expect((await is(refused, 'refused')).report).toMatchObject({ error: { code: 'intent.unknown_type' } });
  const keys = (await accepted(daemon))
    .filter(({ payload }) => payload.intent.policy_ctx.origin === 'central')
    .map(({ payload }) => payload.intent.idempotency_key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toEqual(expect.arrayContaining(ids.map((id) => `order/${id}`)));
}, 300_000);
