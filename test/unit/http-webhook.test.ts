import { afterEach, describe, expect, it } from 'vitest';
import { EdgeError, type WebhookMessage } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';
import { uuid } from '../support/tiny-log.ts';

let rig: Rig | undefined;
afterEach(() => rig?.stop());

const taken = { intent: { type: 'shop/fetch' }, run: { run_id: uuid(1), status: 'queued' }, by: 'rule' };

async function door(receive: (message: WebhookMessage) => Promise<unknown>) {
  rig = await startRig({}, { webhooks: { receive: receive as never } });
  return (body: string, headers: Record<string, string> = {}, path = '/v1/webhooks/shop/orders') =>
    fetch(rig!.url + path, { method: 'POST', body, headers });
}

describe('a webhook by HTTP', () => {
  it('needs no token, and hands on the bytes as they came, whatever they are called', async () => {
    const seen: WebhookMessage[] = [];
    const send = await door(async (message) => {
      seen.push(message);
      return { ...taken, duplicate: seen.length > 1 };
    });
    const headers = { 'webhook-id': 'm', 'webhook-timestamp': '7', 'webhook-signature': 'v1,x' };
    const first = await send('{ "a":1 }', { ...headers, 'content-type': 'application/json' });
    expect([first.status, await first.json()]).toEqual([
      201,
      { run_id: uuid(1), intent: 'shop/fetch', status: 'queued', by: 'rule', duplicate: false },
    ]);
    const second = await send('not json', { ...headers, 'content-type': 'text/strange' });
    expect([second.status, await second.json()]).toMatchObject([200, { duplicate: true }]);
    expect(seen.map(({ body, ...rest }) => [Buffer.from(body).toString(), rest])).toEqual([
      ['{ "a":1 }', { name: 'shop.orders', id: 'm', timestamp: '7', signature: 'v1,x' }],
      ['not json', { name: 'shop.orders', id: 'm', timestamp: '7', signature: 'v1,x' }],
    ]);
  });

  it('is refused with the reason and its status', async () => {
    let code: 'api.unauthorised' | 'run.limit' = 'api.unauthorised';
    const send = await door(async () => {
      throw new EdgeError(code, { operation: 'receive webhook', subject: 'x', message: 'no' });
    });
    expect((await send('{}')).status).toBe(401);
    code = 'run.limit';
    const late = await send('{}');
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '1']);
  });

  it('is not read where it is too large, and not known where none is configured', async () => {
    const send = await door(async () => taken);
    expect((await send('x'.repeat(65_537))).status).toBe(413);
    await rig!.stop();
    rig = await startRig();
    const response = await fetch(`${rig.url}/v1/webhooks/shop/orders`, { method: 'POST', body: '{}' });
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'api.unauthorised' }]);
  });

  it('gives no other route to who has no token', async () => {
    const send = await door(async () => taken);
    expect((await send('{}', {}, '/v1/intents')).status).toBe(401);
    expect((await send('{}', {}, '/v1/webhooks/shop')).status).toBe(401);
  });
});
