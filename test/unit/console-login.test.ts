import { get } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { reachableUrl } from '../../cli/commands/console.ts';
import { LIMITS } from '../../contract/index.ts';
import { ConsoleCodes } from '../../daemon/http/console-codes.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';

/** A browser logs in by a link: once, in time, and as the caller that asked for it. */
let rig: Rig | undefined;
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

describe('codes of the console', () => {
  it('count once, for ten minutes, and the newest four of a token', () => {
    let nowMs = 0;
    let made = 0;
    const codes = new ConsoleCodes({ monotonicMs: () => nowMs }, () => `code ${made++}`);
    const first = codes.give('secret');
    expect(codes.take(first)).toBe('secret');
    expect(() => codes.take(first)).toThrow('used already, or is too old');
    const late = codes.give('secret');
    nowMs += LIMITS.CONSOLE_CODE_MS;
    expect(() => codes.take(late)).toThrow('too old');
    const operator = codes.give('operator');
    const first4 = Array.from({ length: 4 }, () => codes.give('guest'));
    for (let i = 0; i < LIMITS.CONSOLE_CODES_MAX; i++) codes.give('guest');
    expect(() => codes.take(first4[3]!)).toThrow();
    expect(codes.take(`code ${made - 1}`)).toBe('guest');
    expect(codes.take(operator)).toBe('operator');
    const oldest = codes.give('oldest');
    for (let i = 0; i < LIMITS.CONSOLE_CODES_MAX; i++) codes.give(`token ${i}`);
    expect(() => codes.take(oldest)).toThrow();
  });

  it('give the token of the caller, to who has one, and no token to a caller without a code', async () => {
    const principals = [{ token: 'of-vera', who: { principal: 'vera', tenant: 'guests', roles: [] } }];
    rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals } });
    const open = (body: object) =>
      fetch(`${rig!.url}/v1/console/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await fetch(`${rig.url}/v1/console/codes`, { method: 'POST' })).status).toBe(401);
    for (const [token, headers] of [
      [TOKEN, {}],
      ['of-vera', { authorization: 'Bearer of-vera' }],
    ] as const) {
      const given = await rig.post('/v1/console/codes', {}, headers);
      expect(given.status).toBe(200);
      const { code } = (await given.json()) as { code: string };
      expect(code.length).toBeGreaterThan(30);
      expect(await (await open({ code })).json()).toEqual({ token });
      expect((await open({ code })).status).toBe(401);
    }
    expect((await open({ code: 'guessed' })).status).toBe(401);
    expect((await open({})).status).toBe(400);
  });

  it('open no live topics to a guest, whatever runs', async () => {
    const principals = [
      { token: 'of-vera', who: { principal: 'vera', tenant: 'guests', roles: ['operator'] } },
    ];
    rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals } });
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', authorization: 'Bearer of-vera' };
    const status = await new Promise((resolve, reject) =>
      get(`${rig!.url}/v1/live`, { headers: upgrade }, (answer) => resolve(answer.resume().statusCode)).on(
        'error',
        reject,
      ),
    );
    expect(status).toBe(403);
  });

  it('are printed with an address that a browser can open', () => {
    const wifi = [{ family: 'IPv4', internal: false, address: '192.168.1.7' }];
    const interfaces = { lo: [{ family: 'IPv4', internal: true, address: '127.0.0.1' }], wifi } as never;
    expect(reachableUrl('http://0.0.0.0:7601', interfaces)).toBe('http://192.168.1.7:7601/');
    expect(reachableUrl('http://0.0.0.0:7601', {})).toBe('http://127.0.0.1:7601/');
    expect(reachableUrl('http://127.0.0.1:7601', interfaces)).toBe('http://127.0.0.1:7601/');
    expect(() => reachableUrl('unix', interfaces)).toThrow('a browser cannot open');
  });
});

describe('images of a run', () => {
  const sha256 = 'a'.repeat(64);

  it('are answered where an event of this run names them, and to no other run', async () => {
    rig = await startRig(
      {},
      { blob: async (asked) => (asked === sha256 ? new Uint8Array([1, 2, 3]) : undefined) },
    );
    const image = () => rig!.get(`/v1/runs/${RUN_ID}/images/${sha256}`);
    expect((await image()).status).toBe(404);
    const returned = (run_id: string) => {
      const images = [{ mime: 'image/png' as const, sha256, bytes: 3 }];
      const payload = { call_id: RUN_ID, tool: 'look', ok: true, duration_ms: 1, images };
      rig!.logs.runtime.append({ kind: 'tool.returned', run_id, payload });
    };
    returned('01890000-0000-7000-8000-000000000000');
    expect((await image()).status).toBe(404);
    returned(RUN_ID);
    const answer = await image();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect([...(await answer.bytes())]).toEqual([1, 2, 3]);
    expect((await fetch(answer.url)).status).toBe(401);
    expect((await rig.get(`/v1/runs/${RUN_ID}/images/xyz`)).status).toBe(400);
  });
});
