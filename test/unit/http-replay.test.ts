import { afterEach, describe, expect, it } from 'vitest';
import type { ReplayOutcome, ReplayRequest } from '../../contract/index.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';

let rig: Rig;
afterEach(() => rig?.stop());

const asked: ReplayRequest[] = [];
let ended = false;

async function start(answer: () => Promise<unknown> = async () => ({ verdict: 'changed' })): Promise<void> {
  asked.length = 0;
  ended = false;
  const principals = [
    { token: 'token-of-guest', who: { principal: 'guest', tenant: 'acme', roles: ['operator'] } },
    { token: 'token-of-vera', who: { principal: 'vera', tenant: 'local', roles: ['viewer'] } },
  ];
  rig = await startRig(
    { auth: { kind: 'token', token: TOKEN, principals } },
    {
      replay: {
        replay: async (_run, request, signal) => {
          asked.push(request);
          signal?.addEventListener('abort', () => {
            ended = true;
          });
          return (await answer()) as ReplayOutcome;
        },
        diff: async () => ({}) as never,
        trace: async () => [],
      },
      telemetry: () => ({ 'otlp runtime': { exported: 7, dropped: 2, failures: 3 } }),
    },
  );
}

describe('replays in the API', () => {
  const path = `/v1/runs/${RUN_ID}/replay`;

  it('swap in what the command line swaps in', async () => {
    await start();
    const policies = 'permit(principal, action, resource);';
    for (const body of [{}, { from: '7' }, { model: 'qwen' }, { policies }, { sim: true }]) {
      const answer = await rig.post(path, body);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ verdict: 'changed' });
      expect(asked.at(-1)).toEqual(body);
    }
  });

  it('read no folder of the robot and take nothing else', async () => {
    await start();
    for (const body of [{ policy: '/etc' }, { sim: 'true' }, { model: 7 }, { policies: '' }])
      expect((await rig.post(path, body)).status).toBe(400);
    expect(asked).toEqual([]);
  });

  it('with something live are for operators of this robot', async () => {
    await start();
    for (const token of ['token-of-guest', 'token-of-vera']) {
      for (const body of [
        { model: 'qwen' },
        { sim: true },
        { policies: 'permit(principal, action, resource);' },
      ])
        expect([403, 404]).toContain(
          (await rig.post(path, body, { authorization: `Bearer ${token}` })).status,
        );
    }
    expect(asked).toEqual([]);
  });

  it('end when nobody waits for them any more', async () => {
    await start(() => new Promise(() => {}));
    const leaves = new AbortController();
    const answer = fetch(new URL(path, rig.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: '{"sim":true}',
      signal: leaves.signal,
    }).catch(() => undefined);
    await expect.poll(() => asked.length).toBe(1);
    expect(ended).toBe(false);
    leaves.abort();
    await answer;
    await expect.poll(() => ended).toBe(true);
  });
});

it('spans are counted for Prometheus', async () => {
  await start();
  const text = await (await rig.get('/metrics')).text();
  expect(text).toContain('auraison_telemetry_spans_exported_total{exporter="otlp",cell="runtime"} 7');
  expect(text).toContain('auraison_telemetry_spans_dropped_total{exporter="otlp",cell="runtime"} 2');
  expect(text).toContain('auraison_telemetry_failures_total{exporter="otlp",cell="runtime"} 3');
});
