import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type ErrorBody, type RunBrief } from '../../contract/index.ts';
import { ZenohIntents } from '../../daemon/execution/intents/zenoh-intents.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { IntentsRig } from '../support/intents-rig.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
let rig: IntentsRig;
let far: MemoryKeySpace;
beforeEach(async () => {
  rig = new IntentsRig();
  const fabric = new MemoryFabric();
  const near = new MemoryKeySpace(rig.clock, fabric);
  far = new MemoryKeySpace(rig.clock, fabric);
  const schema = readFileSync(
    new URL('../../contract/schema/v1/intent-request.json', import.meta.url),
    'utf8',
  );
  await new ZenohIntents({
    door: rig.door,
    follower: rig.follower,
    clock: rig.clock,
    base: 'fleet/r1',
    context: { tenant: 'local', principal: 'zenoh', roles: ['operator'], origin: 'zenoh' },
    schema,
  }).attach(near);
  await rig.pass(100);
});

async function ask(
  selector: string,
  payload?: unknown,
  options: { attachment?: string; passMs?: number; ended?: () => void } = {},
): Promise<{ value?: RunBrief & { runs?: RunBrief[]; $id?: string }; error?: ErrorBody }> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const asked = far.query(selector, {
    timeoutMs: 20_000,
    ...(payload === undefined
      ? {}
      : { payload: new TextEncoder().encode(text), encoding: 'application/json' }),
    ...(options.attachment === undefined ? {} : { attachment: new TextEncoder().encode(options.attachment) }),
  });
  await rig.pass(options.passMs ?? 300);
  options.ended?.();
  await rig.pass(300);
  const [reply] = await asked;
  if (!reply) throw new Error('no reply');
  if (!reply.ok) return { error: reply.error };
  return { value: JSON.parse(new TextDecoder().decode(reply.value.payload)) as never };
}

const INTENT = { type: 'maze/find_exit', idempotency_key: 'k1' };

describe('an intent by a query', () => {
  it('is answered with its run at once, and with the same run the second time', async () => {
    const first = await ask('fleet/r1/intent', INTENT);
    expect(first.value).toMatchObject({ run_id: rig.lastRun, status: 'running', duplicate: false });
    const second = await ask('fleet/r1/intent', INTENT);
    expect(second.value).toMatchObject({ run_id: rig.lastRun, duplicate: true });
    expect(rig.opened[0]!.context).toMatchObject({ origin: 'zenoh', principal: 'zenoh' });
  });

  it('is answered with its end where the query waits, or as it is when the time is over', async () => {
    const { value } = await ask('fleet/r1/intent?wait=10000', INTENT, {
      ended: () => rig.end(rig.lastRun, 'succeeded', 'found'),
    });
    expect(value).toMatchObject({ status: 'succeeded', score: 0.75, summary: { exit: true } });
    const late = await ask('fleet/r1/intent?wait=1000', { type: 'maze/find_exit' }, { passMs: 1_500 });
    expect(late.value).toMatchObject({ status: 'running' });
  });

  it('carries the trace context of the note beside it', async () => {
    await ask('fleet/r1/intent', INTENT, { attachment: TRACE });
    expect(rig.opened[0]!.request.traceparent).toBe(TRACE);
    await ask('fleet/r1/intent', { type: 'a/b' }, { attachment: `traceparent: ${TRACE}` });
    expect(rig.opened[1]!.request.traceparent).toBe(TRACE);
    await ask('fleet/r1/intent', { type: 'a/b' }, { attachment: 'no trace' });
    expect(rig.opened[2]!.request.traceparent).toBeUndefined();
  });

  it.each([
    ['fleet/r1/intent', '{', 'schema.invalid', /not JSON/],
    ['fleet/r1/intent', undefined, 'schema.invalid', /payload/],
    ['fleet/r1/intent?wait=soon', INTENT, 'schema.invalid', /wait=soon/],
    ['fleet/r1/intent?hurry=1', INTENT, 'schema.invalid', /hurry/],
    ['fleet/*/intent', INTENT, 'schema.invalid', /one robot/],
    ['fleet/r1/intent', 'x'.repeat(90_000), 'schema.invalid', /above/],
  ])('to %s that means nothing is a typed error', async (selector, payload, code, message) => {
    const { error } = await ask(selector, payload);
    expect(error?.code).toBe(code);
    expect(error?.message).toMatch(message);
    expect(rig.opened).toEqual([]);
  });

  it('that is refused, or meets no runtime, says so in the words of the runtime', async () => {
    rig.refusal = new EdgeError('policy.denied', {
      operation: 'submit',
      subject: 'x',
      message: 'not at night',
    });
    expect((await ask('fleet/r1/intent', INTENT)).error).toMatchObject({
      code: 'policy.denied',
      message: 'not at night',
    });
    rig.bus.down = new EdgeError('cell.unavailable', { operation: 'x', subject: 'runtime' });
    expect((await ask('fleet/r1/intent', INTENT, { passMs: 6_000 })).error).toMatchObject({
      code: 'cell.unavailable',
      retryable: true,
    });
  });
});

describe('runs', () => {
  it('are told, one and all', async () => {
    await ask('fleet/r1/intent', INTENT);
    expect((await ask('fleet/r1/runs')).value!.runs).toMatchObject([
      { run_id: rig.lastRun, type: 'maze/find_exit' },
    ]);
    expect((await ask(`fleet/r1/runs/${rig.lastRun}`)).value).toMatchObject({ phase: 'begin' });
    expect((await ask('fleet/r1/runs/nobody')).error).toMatchObject({ code: 'run.not_found' });
  });

  it('that came this way are cancelled this way, and no others', async () => {
    await ask('fleet/r1/intent', INTENT);
    const mine = rig.lastRun;
    expect((await ask(`fleet/r1/runs/${mine}/cancel`)).value).toMatchObject({ status: 'cancelled' });
    const own = { tenant: 'local', principal: 'operator', roles: [], origin: 'api' };
    await rig.bus.request('runtime', 'intent.submit', { request: { type: 'a/b' }, context: own });
    expect((await ask(`fleet/r1/runs/${rig.lastRun}/cancel`)).error).toMatchObject({ code: 'policy.denied' });
    expect(rig.cancelled).toEqual([mine]);
  });

  it('have a published description of what opens them', async () => {
    expect((await ask('fleet/r1/intent/schema')).value).toMatchObject({ $id: 'auraison/v1/intent-request' });
  });
});
