import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Application, ChatApi, EdgeError, PolicyHook, WebhookMessage } from '../../contract/index.ts';
import { IdSource } from '../../contract/index.ts';
import { WebhookDesk, type WebhookRights } from '../../daemon/runtime/webhook/webhook-desk.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { packageApp, packageFaults } from '../support/package-app.ts';
import { RuntimeRig } from '../support/runtime-rig.ts';

const MANIFEST = `name = "shop"
version = "1.0.0"
description = "Fetches"
harness = "flow"
[[intents]]
type = "shop/fetch"
description = "Fetch a thing"
[intents.params.properties.thing]
type = "string"
[intents.params.properties.many]
type = "integer"
[[intents]]
type = "shop/greet"
description = "Greet somebody"
[[webhook]]
name = "orders"
otherwise = "model"
[[webhook.rule]]
when = [{ value = "/kind", is = "order" }, { value = "/count", above = 0 }]
intent = "shop/fetch"
params = { thing = "{/body/item/name}", many = "{/body/count}" }
[[webhook.rule]]
when = [{ value = "/kind", is = "order" }]
params = { thing = "{/body/item/name}", many = "{/body/absent}" }
`;
const FLOW = 'steps:\n  - id: done\n    end: succeeded\n    reason: fetched\n';
const shop = (manifest = MANIFEST): Application => packageApp({ 'app.toml': manifest, 'flow.yaml': FLOW });

const KEY = Buffer.from('a secret of this test');

const NO_MODEL: ChatApi = { complete: () => Promise.reject(new Error('no model was meant to be asked')) };

async function doorOf(
  more: { chat?: ChatApi; rights?: Partial<WebhookRights>; hooks?: PolicyHook[]; app?: Application } = {},
) {
  const robot = new FakeRobot({ cells: 2 });
  const rig = new RuntimeRig({ apps: [more.app ?? shop()], robot, hooks: more.hooks ?? [] });
  await rig.cell.start();
  const { clock } = rig;
  let count = 0;
  const desk = new WebhookDesk({
    clock,
    ids: new IdSource(
      () => 1_700_000_000_000,
      (length) => new Uint8Array(length).fill(++count),
    ),
    tenant: 'lab',
    rights: [{ name: 'shop.orders', keys: [KEY], roles: ['operator'], perMinute: 5, ...more.rights }],
    apps: () => rig.cell.apps.serving(),
    chat: more.chat ?? NO_MODEL,
    submit: (request, who) => rig.cell.submit(request, who),
    append: (events) => rig.cell.append(events),
    report: (message, facts) => void rig.reports.push(`${message} ${JSON.stringify(facts)}`),
  });
  const seconds = () => Number(clock.now() / 1_000_000_000n);
  return { rig, desk, seconds };
}

function signed(
  body: unknown,
  seconds: number,
  more: Partial<WebhookMessage> & { key?: Buffer } = {},
): WebhookMessage {
  const { key = KEY, id = 'msg_1', ...rest } = more;
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const timestamp = `${seconds}`;
  const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest('base64');
  return { name: 'shop.orders', id, timestamp, signature: `v1,${hmac}`, body: bytes, ...rest };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error: EdgeError) => error.code,
  );
const ORDER = { kind: 'order', count: 2, item: { name: 'cup' } };

describe('a message to a webhook', () => {
  it('that is signed leads to the intent of the first rule that fits, in the name of the webhook', async () => {
    const { rig, desk, seconds } = await doorOf();
    expect(await desk.receive(signed(ORDER, seconds()))).toMatchObject({ by: 'rule', duplicate: false });
    await desk.receive(signed({ ...ORDER, count: 0 }, seconds(), { id: 'msg_2' }));
    expect(rig.of('intent.accepted').map(({ payload }) => payload.intent)).toMatchObject([
      {
        type: 'shop/fetch',
        params: { thing: 'cup', many: 2 },
        policy_ctx: {
          principal: 'webhook/shop.orders',
          origin: 'webhook',
          roles: ['operator'],
          tenant: 'lab',
        },
      },
      // What the message does not have is left out.
      { type: 'shop/fetch', params: { thing: 'cup' } },
    ]);
    expect(rig.of('webhook.received').map(({ payload }) => payload)).toMatchObject([
      { webhook: 'shop.orders', message_id: 'msg_1', action: 'routed', by: 'rule', rule: 1 },
      { message_id: 'msg_2', rule: 2 },
    ]);
  });

  it('may have an id of every length that a signature may have', async () => {
    const { rig, desk, seconds } = await doorOf();
    const ids = [1, 120, 121, 128].map((length) => 'i'.repeat(length));
    const runs = [];
    for (const id of ids) runs.push((await desk.receive(signed(ORDER, seconds(), { id }))).run.run_id);
    expect(new Set(runs).size).toBe(ids.length);
    expect(rig.of('webhook.received').map(({ payload }) => payload.message_id)).toEqual(ids);
    expect(await codeOf(desk.receive(signed(ORDER, seconds(), { id: 'i'.repeat(129) })))).toBe(
      'api.unauthorised',
    );
  });

  it('that is sent again gives the same run, also after a restart; another body under its id is refused', async () => {
    const first = await doorOf();
    const message = signed(ORDER, first.seconds());
    const [one, two] = await Promise.all([first.desk.receive(message), first.desk.receive(message)]);
    expect([one.run.run_id, one.duplicate, two.run.run_id, two.duplicate]).toEqual([
      one.run.run_id,
      false,
      one.run.run_id,
      true,
    ]);
    expect(first.rig.of('run.queued')).toHaveLength(1);
    const again = await doorOf();
    const { rig } = first;
    const desk = new WebhookDesk({
      ...{
        clock: rig.clock,
        ids: new IdSource(
          () => 1,
          () => new Uint8Array(10),
        ),
        tenant: 'lab',
      },
      ...{
        rights: [{ name: 'shop.orders', keys: [KEY], roles: ['operator'], perMinute: 5 }],
        chat: NO_MODEL,
      },
      apps: () => again.rig.cell.apps.serving(),
      submit: (request, who) => rig.cell.submit(request, who),
      append: (events) => rig.cell.append(events),
      report: () => {},
    });
    expect(await desk.receive(message)).toMatchObject({ duplicate: true, run: { run_id: one.run.run_id } });
    expect(await codeOf(desk.receive(signed({ ...ORDER, count: 9 }, first.seconds())))).toBe(
      'intent.duplicate',
    );
  });

  it.each<[string, (seconds: number) => WebhookMessage]>([
    ['without a signature', (s) => signed(ORDER, s, { signature: undefined })],
    ['with the signature of another secret', (s) => signed(ORDER, s, { key: Buffer.from('another') })],
    ['whose body was changed', (s) => ({ ...signed(ORDER, s), body: Buffer.from('{"kind":"order"}') })],
    ['whose id was changed', (s) => ({ ...signed(ORDER, s), id: 'msg_9' })],
    ['whose time was changed', (s) => ({ ...signed(ORDER, s), timestamp: `${s + 1}` })],
    ['that is older than five minutes', (s) => signed(ORDER, s - 301)],
    ['that is of the future', (s) => signed(ORDER, s + 301)],
    ['to a webhook that does not exist', (s) => signed(ORDER, s, { name: 'shop.nothing' })],
    ['with an empty signature', (s) => signed(ORDER, s, { signature: 'v1,' })],
  ])('%s is refused, and nothing is logged of it as an intent', async (_what, message) => {
    const { rig, desk, seconds } = await doorOf();
    expect(await codeOf(desk.receive(message(seconds())))).toBe('api.unauthorised');
    expect(rig.of('intent.accepted')).toEqual([]);
    expect(rig.of('intent.refused')).toEqual([]);
    expect(rig.of('webhook.received')).toEqual([]);
  });

  it('takes nothing where the configuration does not name the webhook', async () => {
    const { desk, seconds } = await doorOf({ rights: { name: 'other.orders' } });
    expect(await codeOf(desk.receive(signed(ORDER, seconds())))).toBe('api.unauthorised');
  });

  it('counts against its limit only when it is signed, and may come again later', async () => {
    const { rig, desk, seconds } = await doorOf({ rights: { perMinute: 2 } });
    for (let i = 0; i < 20; i++)
      await codeOf(desk.receive(signed(ORDER, seconds(), { key: Buffer.from('x') })));
    expect(rig.reports.filter((text) => text.includes('were refused'))).toHaveLength(1);
    const send = (id: string) => codeOf(desk.receive(signed(ORDER, seconds(), { id })));
    expect([await send('a'), await send('b'), await send('c'), await send('a')]).toEqual([
      'taken',
      'taken',
      'run.limit',
      'taken',
    ]);
    await rig.clock.advance(61_000);
    expect(await send('c')).toBe('taken');
  });

  it('that is no JSON object, or whose parameters do not fit, is refused with a word about it', async () => {
    const { rig, desk, seconds } = await doorOf();
    expect(await codeOf(desk.receive(signed('[1', seconds(), { id: 'a' })))).toBe('schema.invalid');
    const wrong = { ...ORDER, item: { name: 7 } };
    expect(await codeOf(desk.receive(signed(wrong, seconds(), { id: 'b' })))).toBe('schema.invalid');
    expect(rig.of('webhook.received')[0]!.payload).toMatchObject({
      action: 'refused',
      reason: expect.stringContaining('JSON object'),
    });
  });

  it('is judged by the policies as any intent', async () => {
    const forbids: PolicyHook = {
      name: 'rules',
      decide: async ({ point, context }) =>
        point === 'intent' && context.principal === 'webhook/shop.orders'
          ? { decision: 'deny', reason: 'closed on Sundays' }
          : { decision: 'allow', reason: '' },
    };
    const { rig, desk, seconds } = await doorOf({ hooks: [forbids] });
    expect(await codeOf(desk.receive(signed(ORDER, seconds())))).toBe('policy.denied');
    expect(rig.of('run.queued')).toEqual([]);
  });
});

describe('a message that no rule fits', () => {
  const answering = (name: string, argumentsText: string): ChatApi => ({
    complete: async ({ request }) => {
      // Only what its package offers.
      expect(request.tools!.map((one) => one.name)).toEqual(['shop__fetch', 'shop__greet', 'none_fits']);
      return {
        text: '',
        toolCalls: [{ id: 'c', name, argumentsText }],
        stopReason: 'tool_calls',
        model: 'small',
      } as never;
    },
  });
  const OTHER = { text: 'please bring two cups' };

  it('goes to the intent that a model chooses, and the log says which model did', async () => {
    const { rig, desk, seconds } = await doorOf({
      chat: answering('shop__fetch', '{"thing":"cup","many":2}'),
    });
    expect(await desk.receive(signed(OTHER, seconds()))).toMatchObject({
      by: 'model',
      intent: { params: { many: 2 } },
    });
    expect(rig.of('webhook.received')[0]!.payload).toMatchObject({
      ...{ action: 'routed', by: 'model', model: 'small', intent: 'shop/fetch' },
      reason: 'no rule fits; small chose shop/fetch',
    });
  });

  it.each([
    ['none', 'none_fits', '{}'],
    ['one that is not offered', 'robot__drive', '{}'],
    ['parameters that do not fit', 'shop__fetch', '{"many":"two"}'],
  ])('is refused where the model chooses %s', async (_what, name, args) => {
    const { rig, desk, seconds } = await doorOf({ chat: answering(name, args) });
    expect(await codeOf(desk.receive(signed(OTHER, seconds())))).toBe('intent.unknown_type');
    expect(rig.of('webhook.received')[0]!.payload.action).toBe('refused');
    expect(rig.of('run.queued')).toEqual([]);
  });

  it('is refused without asking a model where the package does not want one', async () => {
    const app = shop(MANIFEST.replace('otherwise = "model"\n', ''));
    const { desk, seconds } = await doorOf({ app });
    expect(await codeOf(desk.receive(signed(OTHER, seconds())))).toBe('intent.unknown_type');
  });
});

it.each([
  ['an intent of others', 'intent = "other/go"', /webhook\[1\]\.rule\[1\]\.intent: is one of its own/],
  [
    'a parameter that it does not have',
    'params = { colour = "red" }',
    /"colour" is no parameter of shop\/fetch/,
  ],
  ['a reference nowhere', 'params = { thing = "{/params/x}" }', /references start with \/body/],
  ['two tests in one', 'when = [{ value = "/a", is = 1, above = 2 }]', /when\[1\]: has one of/],
])('a rule with %s is refused where it is read', (_what, rule, words) => {
  const manifest = MANIFEST.replace(/\[\[webhook\.rule\]\][\s\S]*/, `[[webhook.rule]]\n${rule}\n`);
  expect(packageFaults({ 'app.toml': manifest, 'flow.yaml': FLOW })).toMatch(words);
});
