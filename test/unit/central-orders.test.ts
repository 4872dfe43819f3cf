import { createPrivateKey, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import type { OrderView } from '../../central/order-store.ts';
import { type RunningCentral, startCentral } from '../../central/start-central.ts';
import { HttpDownlink } from '../../central-link/http-downlink.ts';
import { OrderDesk } from '../../central-link/order-desk.ts';
import { OrderLoop } from '../../central-link/order-loop.ts';
import { type CellContext, type Downlink, EdgeError, METHODS, orderText } from '../../contract/index.ts';
import { approvalView, grantView } from '../support/bodies.ts';
import { IntentsRig } from '../support/intents-rig.ts';

/** The reference coordinator over real HTTP, a robot's loop of orders, and a runtime that knows keys. */
const clock = new SystemClock();
let dataDir: string;
let central: RunningCentral;
let rig: IntentsRig;
let loop: OrderLoop | undefined;
let port = 0;

async function until<T>(look: () => Promise<T | false> | T | false, what: string): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const found = await look();
    if (found !== false) return found;
    if (performance.now() > end) throw new Error(`waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function startServer(): Promise<void> {
  central = await startCentral({
    dataDir,
    host: '127.0.0.1',
    port,
    clock,
    secrets: new FileSecrets(dataDir, 'test'),
  });
  port = Number(new URL(central.url).port);
}
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'orders-'));
  port = 0;
  rig = new IntentsRig();
  mkdirSync(join(dataDir, 'operators'));
  for (const name of ['ada', 'bo']) writeFileSync(join(dataDir, 'operators', name), tokenOf(name));
  await startServer();
});
afterEach(async () => {
  await loop?.stop();
  loop = undefined;
  await central.stop();
  rmSync(dataDir, { recursive: true });
});

const downlink = () => new HttpDownlink({ url: central.url, clock, token: () => central.token });

function startLoop(wrap: (inner: Downlink) => Downlink = (inner) => inner): OrderLoop {
  const desk = new OrderDesk({ bus: rig.bus, clock, tenant: 'local', roles: ['operator'], random: () => 0 });
  const context = { clock, report: () => {} } as unknown as CellContext;
  loop = new OrderLoop(context, { robot: 'r1', downlink: wrap(downlink()), desk, random: () => 0 });
  loop.start();
  return loop;
}

async function ask(method: 'GET' | 'POST', path: string, body?: unknown, token = central.operatorToken) {
  const response = await fetch(`${central.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}
const tokenOf = (name: string) => `the-own-token-of-${name}`;
const post = async (over: { posted_by?: string; [field: string]: unknown } = {}) => {
  const order = {
    robot: 'r1',
    kind: 'intent',
    body: { type: 'maze/find_exit', params: { floor: 2 } },
    ...over,
  };
  const token = over.posted_by === undefined ? central.operatorToken : tokenOf(over.posted_by);
  const { status, json } = await ask('POST', '/orders/v1', order, token);
  expect(status).toBe(200);
  return json as unknown as OrderView;
};
const view = async (orderId: string): Promise<OrderView> =>
  ((await ask('GET', `/orders/v1?order_id=${orderId}`)).json['orders'] as OrderView[])[0]!;
const settled = (orderId: string, state: string) =>
  until(async () => {
    const found = await view(orderId);
    return found.state === state && found;
  }, `order ${orderId} is ${state}`);

describe('an intent from central', () => {
  it('is opened once, reported as accepted, and reported as it ended', async () => {
    startLoop();
    const order = await post({ posted_by: 'ada' });
    const accepted = await settled(order.order_id, 'accepted');
    expect(rig.opened).toMatchObject([
      {
        request: { type: 'maze/find_exit', params: { floor: 2 }, idempotency_key: `order/${order.order_id}` },
        context: { origin: 'central', principal: 'central/ada', tenant: 'local', roles: ['operator'] },
      },
    ]);
    expect(accepted.run_id).toBe(rig.lastRun);
    rig.end(rig.lastRun, 'succeeded', 'found');
    const ended = await settled(order.order_id, 'finished');
    expect(ended.report).toMatchObject({
      status: 'succeeded',
      score: 0.75,
      summary: { exit: true },
      reason: 'found',
    });
  });

  it('waits where no policy of the robot answered in time, and is opened when one does', async () => {
    rig.refusal = new EdgeError('policy.denied', { operation: 'submit', subject: 'x', retryable: true });
    startLoop();
    const { order_id } = await post();
    await until(() => rig.refused > 0, 'the robot refuses it');
    rig.refusal = undefined;
    await settled(order_id, 'accepted');
    expect(rig.opened).toHaveLength(1);
  });

  it('that the robot refuses is refused with its words, and put only once', async () => {
    rig.refusal = new EdgeError('policy.denied', {
      operation: 'submit',
      subject: 'x',
      message: 'not at night',
    });
    startLoop();
    const { order_id } = await post();
    const refused = await settled(order_id, 'refused');
    expect(refused.report).toMatchObject({ error: { code: 'policy.denied', message: 'not at night' } });
    rig.refusal = undefined;
    await post({ body: { type: 'other/thing' } }).then(({ order_id: next }) => settled(next, 'accepted'));
    expect(rig.opened).toHaveLength(1);
  });

  it('waits while the runtime is away or its queue is full, and is not refused for it', async () => {
    rig.refusal = new EdgeError('run.limit', { operation: 'submit', subject: 'x' });
    startLoop();
    const { order_id } = await post();
    await until(() => loop!.status().waiting === 1, 'it waits at the robot');
    expect((await view(order_id)).state).toBe('queued');
    rig.refusal = undefined;
    await settled(order_id, 'accepted');
  });

  it('posted twice under one id is one order; another under that id is refused', async () => {
    const { order_id } = await post();
    expect(await post({ order_id })).toMatchObject({ order_id, duplicate: true });
    const other = await ask('POST', '/orders/v1', {
      robot: 'r1',
      kind: 'intent',
      body: { type: 'x/y' },
      order_id,
    });
    expect([other.status, other.json['code']]).toEqual([409, 'link.conflict']);
  });

  it('whose run is unknown to the robot, because its log was lost, ends', async () => {
    startLoop();
    const { order_id } = await post();
    await settled(order_id, 'accepted');
    rig.opened.length = 0;
    expect((await settled(order_id, 'finished')).report).toMatchObject({ status: 'failed' });
  });
});

describe('a cancellation from central', () => {
  it('ends the run of its order', async () => {
    startLoop();
    const intent = await post();
    await settled(intent.order_id, 'accepted');
    const cancel = await post({
      kind: 'cancel',
      body: { order_id: intent.order_id, reason: 'changed my mind' },
    });
    await settled(cancel.order_id, 'finished');
    expect((await settled(intent.order_id, 'finished')).report).toMatchObject({
      status: 'cancelled',
      reason: 'changed my mind',
    });
  });

  it('of an intent that was not taken yet keeps it from being taken', async () => {
    rig.refusal = new EdgeError('run.limit', { operation: 'submit', subject: 'x' });
    startLoop();
    const intent = await post();
    await until(() => loop!.status().waiting === 1, 'it waits at the robot');
    await post({ kind: 'cancel', body: { order_id: intent.order_id } });
    expect((await settled(intent.order_id, 'refused')).report!.reason).toMatch(
      /cancelled before it was taken/,
    );
    rig.refusal = undefined;
    await post({ body: { type: 'other/thing' } }).then(({ order_id }) => settled(order_id, 'accepted'));
    expect(rig.opened.map(({ request }) => request.type)).toEqual(['other/thing']);
  });
});

it('hands answers to approvals to the runtime, and what that says back', async () => {
  const answers: unknown[] = [];
  rig.bus.handle(METHODS.runtime.approvalAnswer, async (body) => {
    answers.push(body);
    if (answers.length > 1) throw new EdgeError('approval.answered', { operation: 'answer', subject: 'x' });
    return approvalView();
  });
  startLoop();
  const body = {
    approval_id: '0190a000-0000-7000-8000-000000000001',
    decision: 'allow',
    reason: 'looks safe',
  };
  await post({ kind: 'approval', body, posted_by: 'bo' }).then(({ order_id }) =>
    settled(order_id, 'finished'),
  );
  expect(answers).toMatchObject([
    { approvalId: body.approval_id, decision: 'allow', who: { principal: 'central/bo', origin: 'central' } },
  ]);
  const again = await post({ kind: 'approval', body }).then(({ order_id }) => settled(order_id, 'refused'));
  expect(again.report).toMatchObject({ error: { code: 'approval.answered' } });
  const bad = await post({ kind: 'approval', body: { ...body, decision: 'yes' } });
  expect((await settled(bad.order_id, 'refused')).report!.reason).toMatch(/allow or deny/);
});

describe('who may ask what', () => {
  it('orders need the token of operators: that of robots gives none', async () => {
    const body = { robot: 'r1', kind: 'intent', body: {} };
    expect((await ask('POST', '/orders/v1', body, central.token)).status).toBe(401);
    expect((await ask('GET', '/orders/v1', undefined, central.token)).status).toBe(401);
    expect((await ask('GET', '/link/v1/orders?robot=r1')).status).toBe(401);
  });

  it('an order is in the name of whose token it came with: who asks cannot answer as somebody else', async () => {
    const body = { robot: 'r1', kind: 'intent', body: { type: 'maze/find_exit' } };
    for (const token of [central.operatorToken, tokenOf('bo')]) {
      const { status, json } = await ask('POST', '/orders/v1', { ...body, posted_by: 'ada' }, token);
      expect([status, json['code']]).toEqual([403, 'api.forbidden']);
      expect(JSON.stringify(json)).not.toContain(String(token));
    }
    expect((await ask('GET', '/orders/v1')).json).toEqual({ orders: [] });
    const shared = await post();
    const own = (await ask('POST', '/orders/v1', body, tokenOf('ada'))).json as unknown as OrderView;
    expect([shared.posted_by, own.posted_by]).toEqual(['operator', 'ada']);
  });

  it('an order that central did not sign for this robot is not obeyed', async () => {
    const key = createPrivateKey(readFileSync(join(dataDir, 'receipt-key.pem')));
    const { order_id } = await post();
    const [order] = (await downlink().orders('r1', 0)).orders;
    const keyId = order!.signature.split(':')[1];
    const forge = (robot: string, text: string) => {
      const signature = `ed25519:${keyId}:${sign(null, Buffer.from(text), key).toString('base64url')}`;
      return { orders: [{ ...order!, robot, signature }], open: [] };
    };
    const answer = { value: {} as object };
    const http = await import('node:http');
    const server = http.createServer((request, response) => {
      const path = request.url ?? '';
      const text = path.startsWith('/link/v1/key') ? publicKey : JSON.stringify(answer.value);
      response.setHeader('content-type', 'application/json').end(text);
    });
    const publicKey = await (
      await fetch(`${central.url}/link/v1/key`, { headers: { authorization: `Bearer ${central.token}` } })
    ).text();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const liar = new HttpDownlink({ url, clock });
    try {
      answer.value = forge('r1', orderText(order!));
      expect((await liar.orders('r1', 0)).orders[0]!.order_id).toBe(order_id);
      answer.value = forge('r1', orderText({ ...order!, kind: 'cancel' }));
      await expect(liar.orders('r1', 0)).rejects.toThrow(/not signed by central/);
      // Signed, but for another robot.
      answer.value = forge('r2', orderText({ ...order!, robot: 'r2' }));
      await expect(liar.orders('r1', 0)).rejects.toThrow(/not signed by central for this robot/);
    } finally {
      server.close();
    }
  });

  it('what is no order is refused', async () => {
    for (const body of [
      {},
      { robot: 'r1', kind: 'drive', body: {} },
      { robot: '../r', kind: 'intent', body: {} },
    ]) {
      expect((await ask('POST', '/orders/v1', body)).json['code']).toBe('schema.invalid');
    }
  });
});

/** Loses calls before central hears them, or central's answers, by a list of chances. */
function lossy(inner: Downlink, chances: readonly number[]): Downlink {
  let turn = 0;
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    const chance = chances[turn++ % chances.length] ?? 0;
    if (chance === 1) throw new EdgeError('link.unreachable', { operation: 'x', subject: 'central' });
    const result = await work();
    if (chance === 2) throw new EdgeError('deadline.exceeded', { operation: 'x', subject: 'central' });
    return result;
  };
  return {
    orders: (robot) => through(() => inner.orders(robot, 200)),
    report: (robot, reports) => through(() => inner.report(robot, reports)),
    close: () => inner.close(),
  };
}

it('opens each order once and hears of each end, over lost answers and restarts of both sides', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 9 }).map((list) => [...list, 0]),
      fc.array(fc.constantFrom('robot', 'central', 'both'), { minLength: 1, maxLength: 3 }),
      async (chances, kills) => {
        rig = new IntentsRig();
        const ids: string[] = [];
        for (const kill of kills) {
          startLoop((inner) => lossy(inner, chances));
          ids.push((await post()).order_id, (await post()).order_id);
          await new Promise((resolve) => setTimeout(resolve, 30));
          if (kill !== 'central') await loop!.stop();
          if (kill !== 'robot') {
            await central.stop();
            await startServer();
          }
          await loop!.stop();
        }
        startLoop();
        for (const id of ids) await settled(id, 'accepted');
        for (const { details } of rig.opened) rig.end(details.run.run_id, 'succeeded', 'done');
        for (const id of ids) await settled(id, 'finished');
        expect(rig.opened.map(({ request }) => request.idempotency_key)).toEqual(
          ids.map((id) => `order/${id}`),
        );
        await loop!.stop();
      },
    ),
    { numRuns: 5, endOnFailure: true },
  );
}, 120_000);

it('hands a signed grant to the runtime as it is, and what that says back', async () => {
  const lease = {
    ...{ grant_id: 'g1', tenant: 'acme', principal: 'ada', roles: ['driver'], robots: [] },
    ...{ issued_ts: '1', expires_ts: '2' },
  };
  const grant = { grant: lease, key_id: 'fleet', signature: 'AAAA' };
  const seen: unknown[] = [];
  rig.bus.handle(METHODS.runtime.grantInstall, async (body) => {
    seen.push(body);
    if (seen.length > 1)
      throw new EdgeError('policy.denied', {
        operation: 'install grant',
        subject: 'g1',
        message: 'the signature is not of this grant',
      });
    return grantView();
  });
  startLoop();
  const { order_id } = await post({ kind: 'grant', body: grant });
  expect((await settled(order_id, 'finished')).report).toMatchObject({
    status: 'done',
    reason: 'grant g1 is live',
  });
  expect(seen).toEqual([grant]);
  const forged = await post({ kind: 'grant', body: { ...grant, signature: 'BBBB' } });
  expect((await settled(forged.order_id, 'refused')).report!.reason).toMatch(/signature is not/);
  const partial = await post({ kind: 'grant', body: { ...grant, grant: { ...lease, roles: 'driver' } } });
  expect((await settled(partial.order_id, 'refused')).report!.reason).toMatch(
    /\/grant\/roles: must be array/,
  );
  expect(seen).toHaveLength(2);
});
