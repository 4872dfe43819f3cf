import { expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { reportZenohDriver } from '../../adapters/zenoh/native-loader.ts';
import { EdgeError } from '../../contract/index.ts';
import { keySpaceConformance } from '../conformance/key-space.ts';
import { keySpaceSettle } from '../support/key-space-settle.ts';
import { freePort } from '../support/zenoh.ts';

const clock = new SystemClock();

function fixture(protocol: 'tcp' | 'unix', config: Record<string, unknown>) {
  return {
    async connect() {
      const faults: EdgeError[] = [];
      const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
      const port = await freePort();
      const endpoint =
        protocol === 'tcp'
          ? `tcp/127.0.0.1:${port}`
          : `unixsock-stream//tmp/auraison-zenoh-test-${process.pid}-${port}`;
      const there = await NativeKeySpace.open({ mode: 'router', listen: [endpoint], config }, deps);
      const here = await NativeKeySpace.open({ mode: 'client', connect: [endpoint], config }, deps);
      return { here, there, faults, settle: await keySpaceSettle(here, there) };
    },
  };
}

keySpaceConformance('native over TCP, with shared memory', fixture('tcp', {}));
keySpaceConformance(
  'native over TCP, without shared memory',
  fixture('tcp', { 'transport/shared_memory/enabled': false }),
);
keySpaceConformance('native over a unix socket', fixture('unix', {}));

it('says which driver runs and why', () => {
  const report = reportZenohDriver();
  expect(report).toMatchObject({
    driver: 'native',
    version: expect.stringMatching(/^zenoh 1\.10\.2, addon /),
  });
  expect(report.why).toMatch(/build cache|package|AURAISON_ZENOH_NATIVE/);
});

it('opens although nobody is there to connect to, and connects when somebody comes', async () => {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const start = performance.now();
  const client = await NativeKeySpace.open({ mode: 'peer', connect: [endpoint] }, { clock });
  expect(performance.now() - start).toBeLessThan(1_000);
  const values: string[] = [];
  await client.subscribe('late/*', (batch) => values.push(...batch.map((v) => v.key)));
  const router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, { clock });
  for (let i = 0; i < 400 && values.length === 0; i++) {
    await router.put('late/x', new Uint8Array(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(values[0]).toBe('late/x');
  await Promise.all([client.close(), router.close()]);
});

it.each([
  ['config.invalid', { mode: 'peer', config: { 'no/such/key': 1 } }],
  ['zenoh.failed', { mode: 'router', listen: ['tcp/127.0.0.1:1x'] }],
  ['zenoh.failed', { mode: 'router', listen: ['carrier-pigeon/loft'] }],
] as const)('refuses bad options with %s', async (code, options) => {
  const error = await NativeKeySpace.open(options, { clock }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EdgeError);
  expect(error).toMatchObject({ code });
  expect((error as EdgeError).message).not.toMatch(/\.rs:/);
});
