import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/parquet-files.ts';
import { connectGroot, GrootServer } from '../../adapters/groot/index.ts';
import { connectLeRobot, serveLeRobot } from '../../adapters/lerobot/index.ts';
import { DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import { connectOpenPi, OpenPiServer } from '../../adapters/openpi/index.ts';
import type { DatasetFrame, Policy, PolicyDesk } from '../../contract/core.ts';
import { REMOTE_MAKERS } from '../../daemon/compose/remote-policies.ts';
import { readConfig } from '../../daemon/config.ts';
import type { WireServer } from '../../formats/policy-wire/wire-server.ts';
import { JOINTS, madeEpisode, SPEC } from '../support/datasets.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

/** The second episode of a dataset as a policy of the kind `episode`, over each of the three wires. */
const clock = new SystemClock();
const folder = mkdtempSync(join(tmpdir(), 'auraison-episode-'));
const root = join(folder, 'set');
const servers: Record<string, WireServer> = {};
const cleanups: (() => Promise<unknown>)[] = [];
const warned: string[] = [];
let frames: DatasetFrame[];
let recorded: Policy;

beforeAll(async () => {
  const parquet = new DuckParquetFiles();
  const writer = await DatasetWriter.open({
    ...{ root, spec: SPEC, parquet, clock, ffmpeg: 'no-ffmpeg-here', codec: 'auto' },
  });
  const episodes = [0, 1].map((index) => madeEpisode(SPEC, { index, length: 40 }));
  await exportEpisodes(writer, episodes, { batchEpisodes: 2 });
  await writer.close();
  await parquet.close();
  frames = await Array.fromAsync(episodes[1]!.frames());
  const { config } = readConfig(
    `[[policies]]\nname = "recorded"\nkind = "episode"\npath = "${root}"\npolicy = "1"\n`,
    'robot.toml',
    {},
  );
  const make = () =>
    REMOTE_MAKERS.episode(config.policies[0]!, {
      ...{ clock, robot: 'r1', keySpace: () => undefined },
      report: (_level, message) => void warned.push(message),
    });
  recorded = await make();
  const instances = await Promise.all([make(), make(), make(), make()]);
  const desk: PolicyDesk & { close(): Promise<void> } = await deskOf({ recorded: () => instances.pop()! });
  servers['openpi'] = await OpenPiServer.start(desk, serverOptions());
  servers['groot'] = await GrootServer.start(desk, serverOptions());
  servers['lerobot'] = await serveLeRobot(desk, serverOptions());
  cleanups.push(() => desk.close(), ...Object.values(servers).map((server) => () => server.close()));
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

const at = (wire: string) => `127.0.0.1:${servers[wire]!.view().port}`;
const options = { token: undefined, connectMs: 20_000, clock };
const CLIENTS: Readonly<Record<string, () => Promise<Policy>>> = {
  'the policy itself': async () => recorded,
  openpi: () => connectOpenPi({ ...options, url: `ws://${at('openpi')}`, policy: '', card: undefined }),
  GR00T: () =>
    connectGroot({
      ...options,
      url: `tcp://${at('groot')}`,
      card: { description: recorded.describe(), keys: {} },
    }),
  LeRobot: () => connectLeRobot({ ...options, url: at('lerobot'), policy: 'recorded', card: undefined }),
};
const observationAt = (frame: number, more = 0) => ({
  tensors: {
    'observation.state': {
      shape: [JOINTS.length],
      data: frames[frame]!.vectors['observation.state']!.map((value) => value + more),
    },
  },
  stamp: 1n,
});

describe('a recorded episode', () => {
  it.each(Object.keys(CLIENTS))('answers over %s what was done next', async (name) => {
    const policy = await CLIENTS[name]!();
    cleanups.push(() => policy.close());
    const [horizon] = policy.describe().output;
    for (const frame of [0, 7, 20, 39]) {
      const { actions } = await policy.infer(observationAt(frame), 20_000);
      for (let step = 0; step < horizon; step++) {
        const done = frames[Math.min(frame + step, 39)]!.vectors['action']!;
        const given = actions.data.subarray(step * JOINTS.length, (step + 1) * JOINTS.length);
        for (const [i, value] of done.entries()) expect(Math.abs(given[i]! - value)).toBeLessThan(1e-4);
      }
    }
  });

  it('says when what is observed is far from what was recorded', async () => {
    expect(warned).toEqual([]);
    await recorded.infer(observationAt(3, 50), 1_000);
    expect(warned).toEqual(['recorded: what is observed is not what was recorded']);
  });

  it('is refused where there is no such episode', async () => {
    const { config } = readConfig(
      `[[policies]]\nname = "none"\nkind = "episode"\npath = "${root}"\npolicy = "7"\n`,
      'robot.toml',
      {},
    );
    const deps = { clock, robot: 'r1', keySpace: () => undefined, report: () => {} };
    await expect(REMOTE_MAKERS.episode(config.policies[0]!, deps)).rejects.toThrow(/unknown episode 7/);
  });
});
