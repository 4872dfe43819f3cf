import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportResult } from '../../adapters/lerobot-dataset/index.ts';
import { BagWriter } from '../../adapters/rosbag/index.ts';
import type { Sample } from '../../contract/core.ts';
import { schemaFor } from '../../formats/ros2/index.ts';
import { commandSample, jointSample } from '../support/datasets.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
const MS = 1_000_000n;
const BEGIN = 1_760_000_000_000_000_000n;
/** As drivers tell them: by the alphabet, and not as the arm is commanded. */
const TOLD = ['elbow', 'lift', 'pan'];
const COMMANDED = ['pan', 'lift', 'elbow'];
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-export-'));
  await record('good', attempt(BEGIN));
  await record('second', attempt(BEGIN + 60_000n * MS));
  await record('odd', [...attempt(BEGIN), commandSample(BEGIN + 350n * MS, [1, Number.NaN, 3])]);
  // It began in 1970, and then the clock was set.
  await record('set', [...attempt(1_000n * MS), ...attempt(BEGIN)]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A second at 10 Hz. */
function attempt(begin: bigint): Sample[] {
  return Array.from({ length: 10 }, (_, k) => begin + BigInt(k) * 100n * MS).flatMap((time) => [
    jointSample(time, [1, 2, 3], TOLD),
    commandSample(time + MS, [3, 2, 1]),
  ]);
}

async function record(name: string, samples: readonly Sample[]): Promise<void> {
  const writer = await BagWriter.create({
    target: join(folder, `${name}.mcap`),
    storage: 'mcap',
    isFolder: false,
  });
  const channels = new Map<string, Parameters<BagWriter['write']>[0]['channel']>();
  const sorted = samples.toSorted((a, b) => (a.received < b.received ? -1 : 1));
  for (const { topic, type, stamp, received, bytes } of sorted) {
    const schema = schemaFor(type)!;
    const channel = channels.get(topic) ?? {
      topic,
      type,
      schemaEncoding: schema.encoding,
      schemaData: new TextEncoder().encode(schema.data),
      messageEncoding: 'cdr',
      metadata: new Map(),
    };
    channels.set(topic, channel);
    await writer.write({ channel, sequence: 0, logTime: received, publishTime: stamp, bytes });
  }
  await writer.finish();
}

type Told = { readonly error?: { readonly code: string; readonly message: string } } & Partial<ExportResult>;
type Ended = { readonly code: number; readonly told: Told; readonly stderr: string };

/** `auraison dataset export`, without a daemon and without pictures. */
async function exported(set: string, bags: readonly string[], ...flags: string[]): Promise<Ended> {
  const files = bags.map((name) => join(folder, `${name}.mcap`));
  const args = ['--data-dir', folder, '--json', 'dataset', 'export', join(folder, set), ...files];
  const fixed = ['--task', 'pick', '--no-cameras', '--fps', '10'];
  // What counts every frame since 1970 hears no gentler word.
  const within = { timeout: 60_000, killSignal: 'SIGKILL' } as const;
  const { code, stdout, stderr } = await run(
    process.execPath,
    [cli, ...args, ...fixed, ...flags],
    within,
  ).then(
    (ended) => ({ code: 0, ...ended }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return { code, told: JSON.parse(stdout) as Told, stderr };
}

function namesIn(set: string): Record<'state' | 'action', readonly string[] | null> {
  const { features } = JSON.parse(readFileSync(join(folder, set, 'meta', 'info.json'), 'utf8')) as {
    features: Record<string, { shape: number[]; names: string[] | null }>;
  };
  expect(features['action']!.shape).toEqual([3]);
  return { state: features['observation.state']!.names, action: features['action']!.names };
}

describe('the names of an exported action', () => {
  it('are none where nobody told them: joints that were measured have an order of their own', async () => {
    const first = await exported('unnamed', ['good']);
    expect(first).toMatchObject({ code: 0, told: { added: 1 } });
    expect(first.stderr).toContain('--action-names');
    expect(namesIn('unnamed')).toEqual({ state: TOLD, action: null });
    expect(await exported('unnamed', ['good', 'second'])).toMatchObject({
      code: 0,
      told: { added: 1, already: 1 },
    });
    // Names that come too late are not swallowed.
    const late = await exported('unnamed', ['second'], '--action-names', COMMANDED.join(','));
    expect(late.told.error).toMatchObject({
      code: 'schema.invalid',
      message: expect.stringMatching(/with other features: .*action 0 1 2.*action pan lift elbow/s),
    });
  });

  it('are those that were given for it, or else those that were given for both', async () => {
    const named = await exported('named', ['good'], '--action-names', COMMANDED.join(','));
    expect(named.code).toBe(0);
    expect(named.stderr).not.toContain('--action-names');
    expect(namesIn('named')).toEqual({ state: TOLD, action: COMMANDED });
    await exported('both', ['good'], '--names', COMMANDED.join(','));
    expect(namesIn('both')).toEqual({ state: COMMANDED, action: COMMANDED });
  });
});

describe('an export', () => {
  it('leaves out and tells recordings in which a command is no number or the clock was set', async () => {
    const { code, told } = await exported('some', ['good', 'odd', 'set']);
    expect(code).toBe(1);
    expect(told).toMatchObject({
      added: 1,
      refused: [
        { source: 'odd.mcap', code: 'sample.malformed', reason: expect.stringContaining('number 1 is NaN') },
        { source: 'set.mcap', code: 'schema.invalid', reason: expect.stringContaining('180000 frames') },
      ],
    });
  });

  it('of a limit that is no number says so', async () => {
    const { told } = await exported('none', ['good'], '--limit', 'abc');
    expect(told.error?.message).toBe('--limit abc: a whole number from 1 on expected');
  });
});
