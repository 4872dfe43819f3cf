import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Policy } from '../../contract/core.ts';
import { policyConformance } from '../conformance/policy.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { clock, connect, endAll, eventually, Moody, Stampless, serve } from '../support/lerobot-rig.ts';

const directory = mkdtempSync(join(tmpdir(), 'lerobot-'));
afterAll(() => rmSync(directory, { recursive: true }));

afterEach(endAll);

describe('LeRobot: our client at our server', () => {
  const conform = async () => connect((await serve({ hash: () => new Stampless() })).url);
  policyConformance('over LeRobot', conform);

  it('brings pictures, task and every bit of the actions', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const policy = await connect(url);
    expect(policy.describe()).toMatchObject({ ...new SeeingPolicy().describe() });
    const over = await policy.infer(seen(1.1, 200, 'pick it'), 5_000);
    expect(over).toEqual(await new SeeingPolicy().infer(seen(1.1, 200, 'pick it')));
  });

  it('keeps two clients apart: a reset of one is not noticed by the other', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const [a, b] = [await connect(url), await connect(url)];
    const step = async (policy: Policy) => (await policy.infer(seen(0, 0), 5_000)).actions.data[3];
    expect([await step(a), await step(b), await step(a), await step(b)]).toEqual([1, 1, 2, 2]);
    await a.reset!();
    expect([await step(b), await step(a), await step(b), await step(a)]).toEqual([3, 1, 4, 2]);
  });

  it('asks one of several policies by its name, and is told which there are', async () => {
    const { url } = await serve({ first: () => new HashPolicy(), seeing: () => new SeeingPolicy() });
    expect((await connect(url, { policy: 'seeing' })).describe().output).toEqual([2, 4]);
    expect((await connect(url)).describe().output).toEqual([8, 2]);
    await expect(connect(url, { policy: 'none' })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/unknown policy none; configured: first, seeing/),
    });
  });

  it('says that nobody is there, and works when somebody is', async () => {
    await expect(connect('127.0.0.1:1', { connectMs: 300 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
  });

  it('goes on after its server came back, which knows nothing of before', async () => {
    const first = await serve({ seeing: () => new SeeingPolicy() });
    const { port } = first.server.view();
    const policy = await connect(first.url);
    await policy.infer(seen(1, 1), 5_000);
    await first.server.close();
    await expect(policy.infer(seen(1, 1), 5_000)).rejects.toMatchObject({
      code: expect.stringMatching(/^model\.(unavailable|failed)$/),
    });
    await serve({ seeing: () => new SeeingPolicy() }, { port });
    const begun = clock.monotonicMs();
    await eventually(() => policy.infer(seen(1, 1), 5_000));
    // Its longest wait is 2 s; the bound is the one that is promised.
    expect(clock.monotonicMs() - begun).toBeLessThan(5_000);
  });

  it('gives a late answer up, withdraws on a signal, and never takes the answer to another question', async () => {
    const moody = new Moody();
    const { url } = await serve({ moody: () => moody });
    const policy = await connect(url);
    await policy.infer(seen(1, 1), 5_000);
    moody.delayMs = 500;
    await expect(policy.infer(seen(2, 2), 150)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    const abort = new AbortController();
    const asked = policy.infer(seen(3, 3), 5_000, { signal: abort.signal });
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: 'model.failed' });
    moody.delayMs = 0;
    const { data } = (await policy.infer(seen(4, 4), 5_000)).actions;
    const direct = (await new SeeingPolicy().infer(seen(4, 4))).actions.data;
    expect([...data.subarray(0, 3)]).toEqual([...direct.subarray(0, 3)]);
  });

  it('shows its token, and is refused without', async () => {
    const { url, server } = await serve({ seeing: () => new SeeingPolicy() }, { token: 'open sesame' });
    const policy = await connect(url, { token: 'open sesame' });
    await policy.infer(seen(1, 1), 5_000);
    for (const token of ['open', 'open sesame ', undefined])
      await expect(connect(url, token === undefined ? {} : { token })).rejects.toMatchObject({
        code: 'model.unavailable',
        message: expect.stringMatching(/api\.unauthorised/),
      });
    expect(server.view().refused).toBe(3);
  });

  it('lets addresses that are trusted in without a token, and nobody else', async () => {
    const trusting = { token: 'open sesame', trusted: ['127.0.0.0/8'] };
    const { url } = await serve({ seeing: () => new SeeingPolicy() }, trusting);
    await (await connect(url)).infer(seen(1, 1), 5_000);
    const others = { token: 'open sesame', trusted: ['192.0.2.7', '2001:db8::/32'] };
    const strict = await serve({ seeing: () => new SeeingPolicy() }, others);
    await expect(connect(strict.url)).rejects.toMatchObject({
      message: expect.stringMatching(/unauthorised/),
    });
    await expect(serve({}, { trusted: ['robot.local'] })).rejects.toMatchObject({ code: 'config.invalid' });
    await expect(serve({}, { trusted: ['10.0.0.0/99'] })).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('speaks TLS, and with certificates of both sides', async () => {
    const pem = certificates();
    const tls = { cert: readFileSync(pem.cert), key: readFileSync(pem.key) };
    const { server } = await serve({ seeing: () => new SeeingPolicy() }, { tls });
    const url = `grpcs://localhost:${server.view().port}`;
    const policy = await connect(url, { tls: { ca: pem.cert } });
    await policy.infer(seen(1, 1), 5_000);
    await expect(connect(`localhost:${server.view().port}`, { connectMs: 500 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    const strict = await serve({ seeing: () => new SeeingPolicy() }, { tls: { ...tls, clientCa: tls.cert } });
    const strictUrl = `grpcs://localhost:${strict.server.view().port}`;
    await expect(connect(strictUrl, { tls: { ca: pem.cert }, connectMs: 500 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    const shown = { ca: pem.cert, cert: pem.cert, key: pem.key };
    await (await connect(strictUrl, { tls: shown })).infer(seen(1, 1), 5_000);
  });
});

/** Of this host, signed by itself: for TLS that is authority enough. */
function certificates() {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
  ]);
  return { key, cert };
}
