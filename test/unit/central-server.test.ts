import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { type RunningCentral, startCentral } from '../../central/start-central.ts';
import { checker, LinkRefusal, linkReceiptChecker } from '../../contract/index.ts';
import { TinyLog } from '../support/tiny-log.ts';

const refusal = checker(LinkRefusal);

describe('reference coordinator', () => {
  let dataDir: string;
  let running: RunningCentral;
  const faults: unknown[] = [];
  const start = (port = 0) =>
    startCentral({
      dataDir,
      host: '127.0.0.1',
      port,
      clock: new SystemClock(),
      secrets: new FileSecrets(dataDir, 'test'),
      report: (_message, error) => void faults.push(error),
    });
  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'central-'));
    faults.length = 0;
    running = await start();
  });
  afterEach(async () => {
    await running.stop();
    rmSync(dataDir, { recursive: true });
  });

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(running.url + path, {
      ...init,
      headers: { authorization: `Bearer ${running.token}`, ...(init.headers ?? {}) },
    });
  const push = (body: unknown) =>
    ask('/link/v1/push', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const refused = async (response: Response, status: number, code: string) => {
    const body = refusal.parse(await response.json(), 'answer');
    expect([response.status, body.code]).toEqual([status, code]);
    return body;
  };
  const batch = (count: number) => {
    const { events } = new TinyLog('runtime').fill(count);
    return { robot: 'tb1', epoch: events[0]!.event_id, lane: 'events.runtime', events };
  };

  it('keeps token and key for its own user and asks everybody for the token', async () => {
    for (const file of ['token', 'receipt-key.pem']) {
      expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600);
    }
    expect((await fetch(`${running.url}/health`)).status).toBe(200);
    for (const path of ['/link/v1/key', '/link/v1/robots', '/link/v1/nothing', '/link/v1/push']) {
      await refused(await fetch(running.url + path), 401, 'api.unauthorised');
    }
    await refused(await ask('/link/v1/nothing'), 404, 'api.not_found');
    await refused(await ask('/link/v1/push'), 404, 'api.not_found');
  });

  it('goes on after a restart with the same key and data', async () => {
    const whole = batch(6);
    const before = await (await push({ ...whole, events: whole.events.slice(0, 4) })).json();
    const key = await (await ask('/link/v1/key')).json();
    await running.stop();
    running = await start();
    expect(await (await ask('/link/v1/key')).json()).toEqual(key);
    const query = new URLSearchParams({ robot: 'tb1', epoch: whole.epoch, lane: whole.lane });
    expect(await (await ask(`/link/v1/watermark?${query}`)).json()).toEqual({ watermark: before });
    const receipt = await (await push(whole)).json();
    expect(linkReceiptChecker.is(receipt) && receipt.seq).toBe(6);
    const { events } = (await (await ask(`/link/v1/events?${query}&after=1&limit=3`)).json()) as {
      events: unknown;
    };
    expect(events).toEqual(whole.events.slice(1, 4));
    const { robots } = (await (await ask('/link/v1/robots')).json()) as { robots: unknown };
    expect(robots).toMatchObject([{ robot: 'tb1', lanes: [{ lane: 'events.runtime', seq: 6 }] }]);
  });

  it('says where it stands when it refuses', async () => {
    const whole = batch(6);
    const gap = await refused(await push({ ...whole, events: whole.events.slice(2) }), 409, 'link.gap');
    expect(gap.watermark).toBeNull();
    await push({ ...whole, events: whole.events.slice(0, 2) });
    const later = await refused(await push({ ...whole, events: whole.events.slice(4) }), 409, 'link.gap');
    expect(later.watermark).toMatchObject({ seq: 2, sha256: whole.events[1]!.hash });
  });

  it('keeps kinds and fields that it does not know', async () => {
    const log = new TinyLog('runtime');
    log.append({ kind: 'of.the.future', payload: { deep: [1, { x: null }] }, new_field: 7 } as never);
    const receipt = await push({ ...batch(1), epoch: log.events[0]!.event_id, events: log.events });
    expect(receipt.status).toBe(200);
    const query = new URLSearchParams({
      robot: 'tb1',
      epoch: log.events[0]!.event_id,
      lane: 'events.runtime',
    });
    const { events } = (await (await ask(`/link/v1/events?${query}`)).json()) as { events: unknown[] };
    expect(events).toEqual(log.events);
  });

  it('refuses what is no push, with the path of the fault', async () => {
    const whole = batch(2);
    const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const deep = JSON.stringify(whole).replace('"because"', `"because","facts":{"a":${nested}}`);
    const cases: [unknown, string][] = [
      ['', '/'],
      ['{', '/'],
      [{ ...whole, robot: '../x' }, '/robot'],
      [{ ...whole, extra: 1 }, '/extra'],
      [{ ...whole, lane: 'bags.runtime' }, '/lane'],
      [{ ...whole, events: [] }, '/events'],
      [{ ...whole, events: [{ ...whole.events[0], seq: 1.5 }] }, '/events/0/seq'],
      [{ ...whole, events: Array.from({ length: 501 }, () => whole.events[0]) }, '/events'],
      [deep, '/'],
    ];
    for (const [body, path] of cases) {
      expect((await refused(await push(body), 400, 'schema.invalid')).message).toContain(path);
    }
    const wrongType = await ask('/link/v1/push', { method: 'POST', body: 'robot=tb1' });
    await refused(wrongType, 400, 'schema.invalid');
    for (const bad of ['limit=-1', 'limit=1001', 'limit=x', 'after=1e3']) {
      const query = new URLSearchParams({ robot: 'tb1', epoch: whole.epoch, lane: whole.lane });
      await refused(await ask(`/link/v1/events?${query}&${bad}`), 400, 'schema.invalid');
    }
    expect(faults).toEqual([]);
  });

  it('refuses a body above the limit before it is read', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('close', () => resolve(text));
      socket.write(
        `POST /link/v1/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${running.token}\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n`,
      );
    });
    expect(answer).toContain('413');
    expect(answer).toContain('api.too_large');
  });

  it.each([
    ['Content-Length: 104857600', ''],
    ['Transfer-Encoding: chunked', '10000\r\n'],
  ])('tells one who looks only after it has sent for a while (%s)', async (length, before) => {
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1').pause();
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('error', (error) => resolve(String(error)));
      socket.on('close', () => resolve(text));
    });
    socket.write(
      `POST /link/v1/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${running.token}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`,
    );
    const block = `${before}${'x'.repeat(65_536)}${before === '' ? '' : '\r\n'}`;
    // 16 MiB, twice what is taken, and not all in one packet.
    for (let i = 0; i < 256; i++) {
      socket.write(block);
      if (i % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    socket.resume();
    expect(await answer).toContain('"code":"api.too_large"');
    expect(faults).toEqual([]);
  });

  it('survives whatever is sent', async () => {
    const whole = batch(3);
    const mutation = fc.record({
      where: fc.constantFrom(
        'robot',
        'epoch',
        'lane',
        'events',
        'seq',
        'hash',
        'prev_hash',
        'kind',
        'payload',
        'ts',
      ),
      value: fc.jsonValue(),
    });
    await fc.assert(
      fc.asyncProperty(mutation, fc.nat(2), async ({ where, value }, at) => {
        const body = structuredClone(whole) as unknown as { events: object[] };
        if (where in body) Object.assign(body, { [where]: value });
        else body.events[at] = { ...body.events[at], [where]: value };
        const response = await push(body);
        const answer = await response.json();
        expect([200, 400, 409]).toContain(response.status);
        if (response.status !== 200) refusal.parse(answer, 'answer');
        const same = JSON.stringify(body) === JSON.stringify(whole);
        // Another name is another robot, whose first batch this may be.
        if (response.status === 200)
          expect(same || (where === 'robot' && typeof value === 'string')).toBe(true);
        else expect(same).toBe(false);
      }),
      { numRuns: 80 },
    );
    expect(faults).toEqual([]);
  });

  it('says that the port is taken, and stays on loopback without a token', async () => {
    await expect(start(Number(new URL(running.url).port))).rejects.toMatchObject({
      code: 'host.port_in_use',
    });
    const open = { dataDir, host: '0.0.0.0', port: 0, clock: new SystemClock(), auth: 'none' as const };
    await expect(startCentral({ ...open, secrets: new FileSecrets(dataDir, 'x') })).rejects.toMatchObject({
      code: 'config.invalid',
    });
  });
});
