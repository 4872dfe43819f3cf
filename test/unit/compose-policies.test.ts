import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { makePolicies } from '../../daemon/compose/policies.ts';
import { readConfig } from '../../daemon/config.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { who } from '../fakes/puppet-policy.ts';
import { tinyModel } from '../support/tiny-model.ts';

const clock = new SystemClock();
const directory = mkdtempSync(join(tmpdir(), 'auraison-policies-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A file that is none, with a card that fits it in all but that. */
function spoil(path: string): void {
  const card = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as object;
  const bytes = 'this is no network';
  writeFileSync(path, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(`${path}.json`, JSON.stringify({ ...card, sha256 }));
}

describe('a network of [[policies]]', () => {
  it('stays where the one that is put in its place cannot be loaded', async () => {
    const path = tinyModel(directory);
    const { config } = readConfig(`[[policies]]\nname = "tiny"\npath = "${path}"\n`, 'robot.toml', {});
    const settings = { config, dataDir: directory, file: undefined };
    const bus = new FakeBus(clock);
    const { desk, start, close } = makePolicies(settings, { clock, bus, report: () => {} }, () => undefined);
    await start();
    const session = desk.open(who('a'), 'tiny');
    const observation = { tensors: { x: { shape: [1, 4], data: new Float32Array(4).fill(1) } }, stamp: 1n };
    const doubled = async () => [...(await session.infer(observation, 20_000)).actions.data];
    expect(await doubled()).toEqual([2, 2, 2, 2]);
    const { hash } = session.describe();
    spoil(path);
    await expect(desk.reload('tiny')).rejects.toMatchObject({ code: 'model.unavailable' });
    expect(await doubled()).toEqual([2, 2, 2, 2]);
    expect(session.describe().hash).toBe(hash);
    // A good one is there with its first question.
    tinyModel(directory);
    expect(await desk.reload('tiny')).toMatchObject({ state: 'ready', hash });
    expect(await doubled()).toEqual([2, 2, 2, 2]);
    await close();
  });
});
