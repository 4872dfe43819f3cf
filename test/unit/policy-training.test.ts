import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  datasetHash,
  PolicyShelf,
  type TrainOptions,
  train,
  wilson,
} from '../../adapters/onnx/training/index.ts';
import { until } from '../support/until.ts';

const drive = join(import.meta.dirname, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx');
const clock = new SystemClock();
let folder: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-train-test-'));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A trainer that is a shell script under the name of a Python: what is tested is who runs it. */
function trainer(script: string): Pick<TrainOptions, 'trainer' | 'ownPython'> {
  const at = join(folder, 'trainer');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'train.py'), '');
  const python = join(folder, 'python');
  // -u train.py --dataset D --out FILE ...
  writeFileSync(python, `#!/bin/sh\ndataset="$4" out="$6"; shift 6\n${script}\n`);
  chmodSync(python, 0o755);
  return { trainer: at, ownPython: python };
}

function optionsOf(script: string, more: Partial<TrainOptions> = {}): TrainOptions {
  return {
    ...trainer(script),
    dataset: join(folder, 'dataset'),
    workDir: join(folder, 'out'),
    settings: {},
    python: 'python3',
    cacheDir: join(folder, 'cache'),
    limitMs: 60_000,
    clock,
    onProgress: () => {},
    note: (line) => notes.push(line),
    ...more,
  };
}

const WRITES = `cp ${drive} "$out"; cp ${drive}.json "$out.json"`;

describe('running a trainer', () => {
  it('gives it dataset, output and settings, passes on its reports, and takes the network it wrote', async () => {
    const reports: unknown[] = [];
    const script = `echo "settings: $*"; echo '{"step": 1, "loss": 0.5}'; echo '{"step": 2, "loss": 0.25}'; ${WRITES}`;
    const trained = await train(
      optionsOf(script, {
        settings: { steps: '2', name: 'picks' },
        onProgress: (report) => reports.push(report),
      }),
    );
    expect(reports).toEqual([
      { step: 1, loss: 0.5 },
      { step: 2, loss: 0.25 },
    ]);
    expect(trained.metrics).toEqual({ step: 2, loss: 0.25 });
    expect(readFileSync(trained.network)).toEqual(readFileSync(drive));
    expect(notes).toContain('settings: --steps 2 --name picks');
  });

  it('tells the last words of one that failed', async () => {
    await expect(train(optionsOf('echo "ValueError: no such column" >&2; exit 3'))).rejects.toMatchObject({
      code: 'tool.failed',
      message: expect.stringContaining('ValueError: no such column'),
    });
  });

  it.each([
    ['nothing', 'true'],
    ['a network without its card', `cp ${drive} "$out"`],
    ['another network than its card tells', `head -c 100 ${drive} > "$out"; cp ${drive}.json "$out.json"`],
  ])('refuses one that wrote %s', async (_, script) => {
    await expect(train(optionsOf(script))).rejects.toMatchObject({ code: 'model.unavailable' });
  });

  it('ends it and all it started when it is cancelled or late, also what ignores the first word', async () => {
    const pidFile = join(folder, 'pid');
    const script = `trap "" TERM; (trap "" TERM; echo $$ > ${pidFile}; sleep 300) & echo $! > ${pidFile}; wait; sleep 300`;
    const abort = new AbortController();
    const running = train(optionsOf(script, { signal: abort.signal }));
    running.catch(() => {});
    await until(
      () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() !== '',
      'the trainer to start',
    );
    const pid = Number(readFileSync(pidFile, 'utf8'));
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'run.cancelled' });
    await until(() => !isAlive(pid), 'what it started to end');
    await expect(train(optionsOf('sleep 300', { limitMs: 200 }))).rejects.toMatchObject({
      code: 'deadline.exceeded',
    });
  });

  it('says what a trainer is where there is none', async () => {
    await expect(train({ ...optionsOf('true'), trainer: join(folder, 'none') })).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringContaining('train.py'),
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the shelf of policies', () => {
  const record = (name: string, registered = '2026-11-21T10:00:00Z') => ({
    name,
    registered,
    trainer: 'light',
    settings: {},
    metrics: { loss: 0.1 },
    seconds: 1,
  });

  it('holds a network once, by its hash, with where it came from', async () => {
    const root = join(folder, 'policies');
    const shelf = new PolicyShelf(root);
    const first = await shelf.register(drive, record('picks'));
    expect(first).toMatchObject({ already: false, name: 'picks', metrics: { loss: 0.1 } });
    expect(await shelf.register(drive, record('picks', '2027-01-01T00:00:00Z'))).toMatchObject({
      already: true,
      registered: '2026-11-21T10:00:00Z',
    });
    expect(first.path).toBe(join(root, 'picks', first.sha256, 'model.onnx'));
    expect(readFileSync(first.path)).toEqual(readFileSync(drive));
    expect(await shelf.find('picks')).toMatchObject({ sha256: first.sha256 });
    expect(await shelf.find(`picks@${first.sha256.slice(0, 8)}`)).toMatchObject({ sha256: first.sha256 });
    await expect(shelf.find('other')).rejects.toMatchObject({
      code: 'model.not_found',
      message: expect.stringContaining('picks'),
    });
  });

  it('takes nothing in that does not fit, and leaves nothing half behind', async () => {
    const root = join(folder, 'policies');
    const shelf = new PolicyShelf(root);
    await expect(shelf.register(drive, record('../../etc'))).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    const torn = join(folder, 'torn.onnx');
    writeFileSync(torn, 'x');
    writeFileSync(`${torn}.json`, readFileSync(`${drive}.json`));
    await expect(shelf.register(torn, record('torn'))).rejects.toMatchObject({ code: 'model.unavailable' });
    mkdirSync(join(root, 'half', '.abc.1'), { recursive: true });
    expect(await shelf.list()).toEqual([]);
    expect(existsSync(join(root, 'torn'))).toBe(false);
    expect(readdirSync(root)).toEqual(['half']);
  });
});

describe('what a policy is judged by', () => {
  it('Wilson intervals are those of the textbook, and stay within 0 and 1', () => {
    const near = (a: number, b: number) => expect(a).toBeCloseTo(b, 3);
    near(wilson(90, 100).low, 0.826);
    near(wilson(90, 100).high, 0.945);
    expect(wilson(0, 10).low).toBe(0);
    near(wilson(0, 10).high, 0.278);
    near(wilson(10, 10).high, 1);
    near(wilson(10, 10).low, 0.722);
    expect(wilson(0, 0)).toMatchObject({ low: 0, high: 1 });
  });

  it('the hash of a dataset is of names and contents, wherever it lies', async () => {
    const make = (at: string, text: string, name = 'info.json') => {
      mkdirSync(join(at, 'meta'), { recursive: true });
      writeFileSync(join(at, 'meta', name), text);
      return datasetHash(at);
    };
    const one = await make(join(folder, 'a'), '{}');
    expect(await make(join(folder, 'b'), '{}')).toBe(one);
    expect(await make(join(folder, 'c'), '{ }')).not.toBe(one);
    expect(await make(join(folder, 'd'), '{}', 'inf.json')).not.toBe(one);
  });
});
