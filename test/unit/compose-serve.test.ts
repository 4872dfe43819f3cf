import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectOpenPi } from '../../adapters/openpi/index.ts';
import { type Clock, METHODS, TOPICS, type WireServerView } from '../../contract/index.ts';
import { makeServing } from '../../daemon/compose/serve.ts';
import { type Config, readConfig } from '../../daemon/config.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { deskOf } from '../support/wire-desk.ts';

const real = new SystemClock();
/** Seconds are hundredths: retries come every 50 ms. */
const clock: Clock = {
  now: () => real.now(),
  monotonicMs: () => real.monotonicMs(),
  after: (ms, fire) => real.after(ms > 1_000 ? ms / 100 : ms, fire),
  every: (ms, fire) => real.every(ms / 100, fire),
};
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const configOf = (lines: string): Config => readConfig(`[serve]\n${lines}\n`, 'robot.toml', {}).config;

async function serving(lines: string, make = () => new SeeingPolicy()) {
  const bus = new FakeBus(real);
  const reports: string[] = [];
  const desk = await deskOf({ seeing: make });
  const settings = { config: configOf(lines), dataDir: '', file: undefined };
  const report = (level: string, message: string) => void reports.push(`${level}: ${message}`);
  const served = makeServing(settings, { clock, bus, report }, desk);
  cleanups.push(
    () => desk.close(),
    () => served.close(),
  );
  await served.start();
  const wires = async () =>
    (await bus.request<{ wires: WireServerView[] }>('execution', METHODS.execution.wireList, {})).wires;
  return { bus, reports, served, wires, desk };
}

const connect = async (port: number) => {
  const policy = await connectOpenPi({
    ...{ url: `ws://127.0.0.1:${port}`, policy: '', token: undefined, connectMs: 10_000, card: undefined },
    clock: real,
  });
  cleanups.push(() => policy.close());
  return policy;
};

describe('the servers of [serve]', () => {
  it('are those that have an address', async () => {
    const { wires } = await serving('openpi_listen = "127.0.0.1:0"\ngroot_listen = "127.0.0.1:0"');
    expect((await wires()).map(({ wire }) => wire).sort()).toEqual(['groot', 'openpi']);
  });

  it('are opened anew when the section changes, and closed when it is empty', async () => {
    const { bus, wires } = await serving('openpi_listen = "127.0.0.1:0"');
    const first = await connect((await wires())[0]!.port);
    await first.infer(seen(1, 2), 10_000);
    const change = (lines: string) =>
      bus.tell(TOPICS.configChanged, { sections: ['serve'], config: configOf(lines) });
    change('lerobot_listen = "127.0.0.1:0"');
    await expect
      .poll(async () => (await wires()).map(({ wire }) => wire), { timeout: 20_000 })
      .toEqual(['lerobot']);
    await expect(first.infer(seen(1, 2), 10_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    change('');
    await expect.poll(wires, { timeout: 20_000 }).toEqual([]);
  });

  it('wait for a port that is taken, and say so', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const { wires, reports } = await serving(
      `openpi_listen = "127.0.0.1:${port}"\ngroot_listen = "127.0.0.1:${port}"`,
    );
    expect(reports.filter((line) => /^error: policies are not served to clients of/.test(line))).toHaveLength(
      2,
    );
    expect(await wires()).toEqual([]);
    await new Promise((resolve) => taken.close(resolve));
    // The first of the two gets it.
    await expect.poll(async () => (await wires()).length, { timeout: 20_000 }).toBe(1);
  });

  it('never open by what was configured before they were ready', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'auraison-serve-'));
    cleanups.push(async () => rmSync(folder, { recursive: true, force: true }));
    const keys = join(folder, 'keys.json');
    writeFileSync(keys, '{}');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const lines = `openpi_listen = "127.0.0.1:${port}"\nopenpi_keys = "${keys}"`;
    const { bus, wires, reports } = await serving(lines);
    // The next try gets as far as its file of names, and no further before we write into it.
    rmSync(keys);
    execFileSync('mkfifo', [keys]);
    const writer = await open(keys, 'w');
    await new Promise((resolve) => taken.close(resolve));
    bus.tell(TOPICS.configChanged, { sections: ['serve'], config: configOf('') });
    await new Promise((resolve) => setImmediate(resolve));
    await writer.writeFile('{}');
    await writer.close();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reports.filter((line) => line.startsWith('info'))).toEqual([]);
    expect(await wires()).toEqual([]);
  });

  it('say what is wrong with a file of names or a token, and leave the others alone', async () => {
    const { wires, reports } = await serving(
      'openpi_listen = "127.0.0.1:0"\nopenpi_keys = "/nowhere/keys.json"\ngroot_listen = "127.0.0.1:0"',
    );
    expect((await wires()).map(({ wire }) => wire)).toEqual(['groot']);
    expect(reports.join('\n')).toMatch(/error: policies are not served to clients of openpi: .*keys\.json/);
  });

  it('log one line about a stranger that does the same thing over and over', async () => {
    const { wires, reports } = await serving('openpi_listen = "127.0.0.1:0"');
    const { port } = (await wires())[0]!;
    for (let i = 0; i < 10; i++) {
      const url = `ws://127.0.0.1:${port}`;
      const options = { token: undefined, connectMs: 10_000, card: undefined, clock: real };
      await expect(connectOpenPi({ ...options, url, policy: 'none' })).rejects.toThrow(/404/);
    }
    expect((await wires())[0]!.refused).toBe(10);
    expect(reports.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });
});
