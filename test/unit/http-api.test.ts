import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checker, EdgeError, ErrorBody, METHODS, RunState, TOPICS } from '../../contract/index.ts';
import {
  Health,
  MapView,
  RowsView,
  RunDetailsView,
  RunsView,
  StatusSchema,
  SubmittedView,
} from '../../daemon/http/schemas.ts';
import { API_PATHS } from '../support/api-paths.ts';
import { cellReport } from '../support/cell-report.ts';
import { executionStatus } from '../support/http-answers.ts';
import { phase, type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { uuid } from '../support/tiny-log.ts';

const errorBody = checker(ErrorBody);

/** Every refusal must be an ErrorBody with that status and code. */
async function refused(response: Response, status: number, code: string): Promise<ErrorBody> {
  const text = await response.text();
  expect(`${response.status} ${text}`).toContain(`${status} {`);
  const body = errorBody.parse(JSON.parse(text), 'answer');
  expect(body.code).toBe(code);
  expect(text).not.toContain(TOKEN);
  return body;
}

const fits = (schema: Parameters<typeof checker>[0], value: unknown) =>
  expect(checker(schema).fault(value)).toBeUndefined();

describe('API', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(() => rig.stop());

  it('answers health without a token and nothing else', async () => {
    for (const path of ['/health', '/healthz']) {
      const response = await fetch(rig.url + path);
      expect(response.status).toBe(200);
      fits(Health, await response.json());
    }
    for (const path of ['/v1/status', '/v1/runs', '/v1/events', '/metrics', `/v1/runs/${RUN_ID}`]) {
      await refused(await fetch(rig.url + path), 401, 'api.unauthorised');
    }
  });

  it('refuses a wrong token in every form', async () => {
    for (const authorization of ['Bearer wrong', `Basic ${TOKEN}`, TOKEN, 'Bearer ', `Bearer ${TOKEN}x`]) {
      await refused(await rig.get('/v1/runs', { authorization }), 401, 'api.unauthorised');
    }
  });

  it('opens a run for an intent and says where it is', async () => {
    const response = await rig.post('/v1/intents', { type: 'maze/find_exit', params: { seed: 3 } });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe(`/v1/runs/${RUN_ID}`);
    fits(SubmittedView, await response.json());
    const call = rig.runtime.calls[0] as { request: unknown; context: { origin: string } };
    expect(call.request).toEqual({ type: 'maze/find_exit', params: { seed: 3 } });
    expect(call.context.origin).toBe('api');
  });

  it('refuses unusable intents with the path of the fault', async () => {
    const cases: [unknown, string][] = [
      [{ type: 'a', colour: 'red' }, '/colour'],
      [{ params: {} }, '/type'],
      [{ type: 'a', priority: '3' }, '/priority'],
      [{ type: 'a', priority: 10 }, '/priority'],
      ['[]', '/'],
      ['null', '/'],
      ['{"type": ', '/'],
      ['{"type": NaN}', '/'],
      ['', '/'],
      ['{"__proto__": {"type": "a"}}', '/'],
    ];
    for (const [body, path] of cases) {
      const answer = await refused(await rig.post('/v1/intents', body), 400, 'schema.invalid');
      expect(answer.message).toContain(path);
    }
    expect(rig.runtime.calls).toEqual([]);
  });

  it('refuses bodies that are not declared as JSON', async () => {
    const response = await rig.post('/v1/intents', 'type=a', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    await refused(response, 415, 'schema.invalid');
  });

  it('passes errors of the runtime on with their HTTP status', async () => {
    const cases = [
      ['intent.unknown_type', 422],
      ['intent.duplicate', 409],
      ['policy.denied', 403],
      ['run.limit', 429],
      ['cell.overloaded', 503],
      ['deadline.exceeded', 504],
    ] as const;
    for (const [code, status] of cases) {
      rig.runtime.fault = new EdgeError(code, { operation: 'submit', subject: 'x' });
      await refused(await rig.post('/v1/intents', { type: 'a' }), status, code);
    }
  });

  it('keeps the inside of a defect inside and reports it', async () => {
    rig.runtime.fault = new TypeError('secret stack detail');
    const body = await refused(await rig.post('/v1/intents', { type: 'a' }), 500, 'internal.fault');
    expect(JSON.stringify(body)).not.toContain('secret stack detail');
    expect(JSON.stringify(rig.reports)).toContain('secret stack detail');
    expect(rig.reports[0]!.facts).toMatchObject({ request: body.subject });
  });

  it('lists, shows and cancels runs', async () => {
    fits(RunsView, await (await rig.get('/v1/runs?limit=5&status=running')).json());
    expect(rig.runtime.calls).toEqual([{ runs: { limit: 5, status: 'running' } }]);
    fits(RunDetailsView, await (await rig.get(`/v1/runs/${RUN_ID}`)).json());
    const cancelled = await rig.post(`/v1/runs/${RUN_ID}/cancel`, { reason: 'enough' });
    const run = (await cancelled.json()) as RunState;
    fits(RunState, run);
    expect(run.status).toBe('cancelled');
    expect((await rig.post(`/v1/runs/${RUN_ID}/cancel`)).status).toBe(200);
    const decisions = await rig.get(`/v1/runs/${RUN_ID}/decisions`);
    expect(decisions.headers.get('content-type')).toContain('application/x-ndjson');
    expect(await decisions.text()).toBe('{"phase":"explore"}\n{"phase":"done"}\n');
  });

  it('knows which runs and endpoints there are not', async () => {
    for (const path of ['', '/decisions', '/events']) {
      await refused(await rig.get(`/v1/runs/${uuid(5)}${path}`), 404, 'run.not_found');
      await refused(await rig.get(`/v1/runs/7${path}`), 400, 'schema.invalid');
    }
    await refused(await rig.get('/v1/run'), 404, 'api.not_found');
    const wrong = await rig.get('/v1/intents');
    expect(wrong.headers.get('allow')).toBe('POST');
    await refused(wrong, 405, 'api.not_found');
    await refused(await rig.get('/v1/runs?limit=0'), 400, 'schema.invalid');
    await refused(await rig.get('/v1/runs?limit=ten'), 400, 'schema.invalid');
    await refused(await rig.get('/v1/runs?colour=red'), 400, 'schema.invalid');
    await refused(await rig.get('/v1/runs?__proto__=1'), 400, 'schema.invalid');
    await refused(await rig.get('/v1/runs?limit=1&limit=2'), 400, 'schema.invalid');
    await refused(await rig.get('/%ff'), 400, 'schema.invalid');
    await refused(await rig.post('/v1/intents'), 400, 'schema.invalid');
  });

  it('shows what is up and why the rest is not', async () => {
    rig.answers.set(METHODS.execution.status, async () => executionStatus);
    rig.answers.set(METHODS.memory.status, () => new Promise(() => {}));
    rig.tell(TOPICS.cellState, [cellReport('memory', 'down', { restarts: 3, reason: 'crash', rssBytes: 5 })]);
    const status = (await (await rig.get('/v1/status')).json()) as Record<string, Record<string, unknown>>;
    fits(StatusSchema, status);
    expect(status['robot']).toMatchObject({ available: true, time_ns: '12000000000', map_coverage: 0.25 });
    expect(status['recorder']).toMatchObject({ received: 10, written: 8, dropped: 2 });
    expect(status['lake']).toMatchObject({ available: false });
    expect(status['link']).toMatchObject({
      available: false,
      reason: expect.stringContaining('not running'),
    });
    expect(status['cells']).toContainEqual(
      expect.objectContaining({ name: 'memory', state: 'down', restarts: 3, reason: 'crash' }),
    );
  });

  it('publishes figures with bounded labels', async () => {
    const ledger = Array.from({ length: 400 }, (_, i) => ({
      topic: `/t${i}`,
      received: 2,
      written: 1,
      dropped: { queue_full: 1 },
    }));
    rig.answers.set(METHODS.execution.status, async () => ({ ...executionStatus, ledger }));
    rig.logs.runtime.append(phase(1));
    await rig.get('/v1/runs');
    await rig.get(`/v1/runs/${uuid(3)}`);
    await rig.get('/nowhere/at/all');
    const scrape = async () => (await (await rig.get('/metrics')).text()).split('\n');
    await scrape();
    const lines = await scrape();
    expect(lines).toContain('auraison_samples_received_total{topic="/t0",hop="recorder"} 2');
    expect(lines).toContain('auraison_samples_received_total{topic="other",hop="recorder"} 288');
    expect(lines).toContain(
      'auraison_samples_dropped_total{topic="/t0",hop="recorder",reason="queue_full"} 1',
    );
    expect(lines).toContain(
      'auraison_ros_qos_events_total{topic="other",direction="in",kind="incompatible"} 3',
    );
    expect(lines).toContain('auraison_log_seq{cell="runtime"} 1');
    expect(lines).toContain('auraison_runs{status="running"} 1');
    expect(lines).toContain('auraison_cell_up{cell="execution"} 1');
    expect(lines).toContain('auraison_cell_up{cell="memory"} 0');
    expect(lines.some((l) => l.includes('route="/v1/runs/:id",status="4xx"'))).toBe(true);
    expect(lines.some((l) => l.includes('route="unmatched"'))).toBe(true);
    expect(lines.some((l) => l.includes('/nowhere'))).toBe(false);
  });

  it('stops the robot, seals, asks the lake and hands out the map', async () => {
    const asked: unknown[] = [];
    const note = (answer: unknown) => async (body: unknown) => {
      asked.push(body);
      return answer;
    };
    const segment = { bag: 'a', path: 'bags/a', sha256: 'ab', bytes: 1, messages: 1, repaired: false };
    rig.answers.set(METHODS.execution.robotStop, note(undefined));
    rig.answers.set(METHODS.execution.recordSeal, note([segment]));
    rig.answers.set(
      METHODS.memory.query,
      note({
        columns: [{ name: 'n', type: 'BIGINT' }],
        rows: [[9_007_199_254_740_993n], [Number.NaN], [new Uint8Array([1, 2])]],
        truncated: false,
        ...{ reason: '', bytes: 24, cut: 0 },
      }),
    );
    const map = { time: 5n, width: 2, height: 1, resolution: 0.05, origin: { x: 0, y: 0 } };
    rig.answers.set(METHODS.execution.robotMap, note({ ...map, cells: new Int8Array([-1, 100]) }));
    expect(await (await rig.post('/v1/robot/stop')).json()).toEqual({ ok: true });
    expect(await (await rig.post('/v1/recorder/seal')).json()).toEqual({
      ok: true,
      result: [segment],
    });
    const rows = (await (await rig.post('/v1/query', { sql: 'select 1', limit: 7 })).json()) as {
      rows: unknown;
    };
    fits(RowsView, rows);
    expect(rows.rows).toEqual([['9007199254740993'], ['NaN'], ['AQI=']]);
    expect(asked[2]).toMatchObject({ sql: 'select 1', limit: 7 });
    const view = (await (await rig.get('/v1/robot/map')).json()) as { cells: string };
    fits(MapView, view);
    expect(view.cells).toBe('/2Q=');
    rig.answers.set(METHODS.execution.robotMap, note(undefined));
    expect((await rig.get('/v1/robot/map')).status).toBe(204);
    rig.answers.delete(METHODS.execution.robotStop);
    rig.runtime.status_ = 'running';
    rig.runtime.calls = [];
    await refused(await rig.post('/v1/robot/stop', { reason: 'x' }), 503, 'cell.unavailable');
    // Unconfirmed or not: nobody is left who would move the robot again.
    expect(rig.runtime.calls).toEqual([{ cancel: RUN_ID, reason: 'x' }]);
  });

  it('describes itself in OpenAPI', async () => {
    const document = (await (await fetch(`${rig.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([...API_PATHS]);
    expect(JSON.stringify(document.paths['/v1/intents'])).toContain('idempotency_key');
    expect(JSON.stringify(document)).not.toContain('$id');
  });

  it('serves the page under a policy that runs nothing foreign, small to a client that takes it so', async () => {
    const page = await fetch(rig.url);
    const html = await page.text();
    expect(html).not.toMatch(/<script>|<style|\s(?:style|on\w+)=|https?:/);
    const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(assets.length).toBeGreaterThan(1);
    for (const path of ['/', ...assets]) {
      const plain = await fetch(rig.url + path, { headers: { 'accept-encoding': 'identity' } });
      const small = await fetch(rig.url + path, { headers: { 'accept-encoding': 'gzip' } });
      expect([plain.status, small.status]).toEqual([200, 200]);
      expect(small.headers.get('content-encoding')).toBe('gzip');
      expect(await small.text()).toBe(await plain.text());
      const policy = plain.headers.get('content-security-policy');
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).toContain("require-trusted-types-for 'script'");
      // A new build has new names; the page that names them is asked for each time.
      expect(plain.headers.get('cache-control')).toBe(
        path === '/' ? 'no-cache' : 'public, max-age=31536000, immutable',
      );
    }
    for (const path of ['/assets/', '/assets/none.js', '/assets/..%2f..%2fpackage.json'])
      expect((await rig.get(path)).status).toBe(404);
  });

  it('answers only to its own names and pages', async () => {
    const raw = (host: string, extra = '') =>
      exchange(
        rig.url,
        `GET /v1/runs HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${TOKEN}\r\n${extra}Connection: close\r\n\r\n`,
      );
    expect(await raw('127.0.0.1')).toContain('200 OK');
    expect(await raw('localhost:7601')).toContain('200 OK');
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost@evil', '']) {
      const answer = await raw(host);
      expect(answer).toContain('403 Forbidden');
      expect(answer).toContain('api.forbidden');
    }
    expect(await raw('127.0.0.1', 'Origin: http://evil.example\r\n')).toContain('403 Forbidden');
    expect(await raw('127.0.0.1', 'Origin: http://127.0.0.1\r\n')).toContain('200 OK');
  });

  it('refuses 100 MB before it is read, while others are served', async () => {
    const head = `POST /v1/intents HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    const declared = await exchange(rig.url, `${head}Content-Length: 104857600\r\n\r\n`);
    expect(declared).toContain('413 Payload Too Large');
    expect(declared).toContain('api.too_large');
    const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
    const streamed = exchange(rig.url, `${head}Transfer-Encoding: chunked\r\n\r\n`, chunk, 1600);
    expect((await rig.get('/v1/runs')).status).toBe(200);
    expect(await streamed).toContain('api.too_large');
    expect((await rig.get('/v1/runs')).status).toBe(200);
  });

  it('survives whatever is sent', { timeout: 30_000 }, async () => {
    const paths = ['/v1/intents', '/v1/query', '/v1/robot/stop', `/v1/runs/${RUN_ID}/cancel`];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), fc.string(), async (path, body, text) => {
        for (const content of [JSON.stringify(body), text]) {
          const response = await rig.post(path, content);
          const answer = await response.text();
          expect([200, 201, 400, 503]).toContain(response.status);
          if (response.status >= 400) errorBody.parse(JSON.parse(answer), 'answer');
        }
        const response = await rig.get(`/v1/runs?${new URLSearchParams([[text, text]])}`);
        expect([200, 400]).toContain(response.status);
      }),
      { numRuns: 60 },
    );
    expect(rig.reports).toEqual([]);
  });
});

/** Sends raw bytes and returns what comes back until the server closes. */
function exchange(url: string, head: string, chunk = '', chunks = 0): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString();
    });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
    socket.write(head);
    let sent = 0;
    const more = () => {
      while (sent < chunks && !socket.destroyed) {
        sent += 1;
        if (!socket.write(chunk)) return void socket.once('drain', more);
      }
    };
    more();
  });
}
