import { expect, it } from 'vitest';
import { OrderDesk } from '../../central-link/order-desk.ts';
import { EdgeError, type LinkOrder, METHODS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

it('a cancellation waits while nobody knows whether its intent was taken', async () => {
  const time = new ManualClock();
  let opens: { idempotency_key?: string } | undefined;
  let runs: unknown[] = [];
  const asked: string[] = [];
  const bus = {
    request: async (_to: string, method: string, body: unknown) => {
      asked.push(method);
      if (method === METHODS.runtime.runBriefs) return runs;
      if (method === METHODS.runtime.intentSubmit) {
        opens = (body as { request: { idempotency_key: string } }).request;
        throw new EdgeError('deadline.exceeded', { operation: method, subject: 'runtime' });
      }
      return undefined;
    },
  } as never;
  const desk = new OrderDesk({ bus, clock: time, tenant: 'local', roles: ['operator'], random: () => 0 });
  const order = (n: number, kind: 'intent' | 'cancel', body: object): LinkOrder =>
    ({
      order_id: `01a2028d-0d9d-7000-8508-bc3e1978900${n}`,
      kind,
      body,
      posted_by: 'ada',
      posted_ns: '0',
    }) as never;
  const intent = order(1, 'intent', { type: 'maze/find_exit' });
  const cancel = order(2, 'cancel', { order_id: intent.order_id });
  expect(await desk.settle(intent)).toEqual([]);
  expect(opens).toBeDefined();
  await time.advance(60_000 - 1);
  expect(await desk.settle(cancel)).toEqual([]);
  // Neither is tried at once: the intent not at all, its cancellation after a while.
  expect(desk.restMs([intent, cancel])).toBeGreaterThan(0);
  // It is not put again meanwhile.
  opens = undefined;
  expect(await desk.settle(intent)).toEqual([]);
  expect(opens).toBeUndefined();
  // The disk has come back and the run is there.
  runs = [{ run_id: '01a2028d-0d9d-7000-8508-bc3e19789aaa' }];
  await time.advance(60_000);
  expect(await desk.settle(cancel)).toMatchObject([{ order_id: cancel.order_id, status: 'done' }]);
  expect(asked).toContain(METHODS.runtime.runCancel);
});
