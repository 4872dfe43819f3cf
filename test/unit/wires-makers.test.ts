import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { GrootServer } from '../../adapters/groot/index.ts';
import { serveLeRobot } from '../../adapters/lerobot/index.ts';
import { OpenPiServer } from '../../adapters/openpi/index.ts';
import { REMOTE_MAKERS } from '../../daemon/compose/remote-policies.ts';
import { readConfig } from '../../daemon/config.ts';
import type { WireServer } from '../../formats/policy-wire/wire-server.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

/** Rows of `[[policies]]` at servers of each wire: an address, a token, a card. */
const clock = new SystemClock();
const folder = mkdtempSync(join(tmpdir(), 'auraison-makers-'));
const token = join(folder, 'token');
const card = join(folder, 'card.json');
const cleanups: (() => Promise<unknown>)[] = [];
const servers: Record<string, WireServer> = {};
beforeAll(async () => {
  writeFileSync(token, 'secret-token\n', { mode: 0o600 });
  const { name, inputs, images, output, stepMs } = new SeeingPolicy().describe();
  const body = { name, inputs, images, output: { shape: output }, step_ms: stepMs, takes_task: true };
  writeFileSync(card, JSON.stringify(body));
  const desk = await deskOf({ seeing: () => new SeeingPolicy() });
  const options = serverOptions({ token: 'secret-token', clientsMax: 8 });
  servers['openpi'] = await OpenPiServer.start(desk, options);
  servers['groot'] = await GrootServer.start(desk, options);
  servers['lerobot'] = await serveLeRobot(desk, options);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

const SCHEMES = { openpi: 'ws://', groot: 'tcp://', lerobot: '' } as const;
type Kind = keyof typeof SCHEMES;

async function make(kind: Kind, keys: string) {
  const url = `${SCHEMES[kind]}127.0.0.1:${servers[kind]!.view().port}`;
  const table = `[[policies]]\nname = "far"\nkind = "${kind}"\nurl = "${url}"\n${keys}\n`;
  const { config, faults } = readConfig(table, 'robot.toml', {});
  expect(faults).toEqual([]);
  const policy = await REMOTE_MAKERS[kind](config.policies[0]!, {
    ...{ clock, robot: 'r1', keySpace: () => undefined, report: () => {} },
  });
  cleanups.push(() => policy.close());
  return policy;
}

describe.each(['openpi', 'groot', 'lerobot'] as const)('a policy of the kind %s', (kind) => {
  it('is what its server computes, by a row of the configuration', async () => {
    const policy = await make(kind, `token_file = "${token}"\ncard = "${card}"\ntimeout = "20 s"`);
    const chunk = await policy.infer(seen(1, 20, 'pick'), 20_000);
    const direct = await new SeeingPolicy().infer(seen(1, 20, 'pick'));
    for (const [i, value] of direct.actions.data.entries())
      expect(Math.abs(chunk.actions.data[i]! - value)).toBeLessThan(1e-4);
    expect(chunk.policyHash).toBe(new SeeingPolicy().describe().hash);
  });

  it('is refused without its token, and says so', async () => {
    const asked = make(kind, `card = "${card}"\ntimeout = "20 s"`).then((policy) =>
      policy.infer(seen(1, 20), 20_000),
    );
    await expect(asked).rejects.toMatchObject({ code: 'model.unavailable' });
  });
});

describe('a card of a far policy', () => {
  it.each([
    ['{', /JSON/],
    ['{"name": "x"}', /inputs|output/],
    ['{"name": "x", "inputs": {"a": [2]}, "output": {"shape": [1]}, "step_ms": 5}', /horizon/],
    ['{"name": "x", "inputs": {"a": [2]}, "output": {"shape": [1, 1]}, "step_ms": 0}', /step_ms/],
    [
      '{"name": "x", "inputs": {"a": [2]}, "output": {"shape": [1, 1]}, "step_ms": 5, "keys": {"input": {}}}',
      /unknown key "input"/,
    ],
    [
      '{"name": "x", "inputs": {"a": [2]}, "output": {"shape": [1, 1]}, "step_ms": 5, "keys": {"inputs": {"a": [{"key": "b", "size": 3}]}}}',
      /3 numbers in total, but the policy x has 2/,
    ],
  ])('%s is refused in words', async (text, words) => {
    const path = join(folder, 'wrong.json');
    writeFileSync(path, text);
    await expect(make('groot', `card = "${path}"`)).rejects.toThrow(words);
  });
});
