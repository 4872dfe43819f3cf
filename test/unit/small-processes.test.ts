import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * What a process or thread loads at its start is what it weighs for life: the schema library alone is 30 MB and
 * 0.3 s of processor time. See docs/decisions/0006-small-processes.md.
 */
const root = join(import.meta.dirname, '..', '..');
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;'"]*?from\s+['"]([^'"]+)['"]|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g;

/** Everything that `entry` loads before its first statement, each with the chain of imports that led there. */
function loadedBy(entry: string): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const visit = (file: string, chain: readonly string[]) => {
    const name = relative(root, file);
    if (found.has(name)) return;
    const here = [...chain, name];
    found.set(name, here);
    for (const [, typeOnly, from, bare] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const specifier = (from ?? bare)!;
      if (typeOnly !== undefined || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) visit(join(dirname(file), specifier), here);
      else if (!found.has(specifier)) found.set(specifier, [...here, specifier]);
    }
  };
  visit(join(root, entry), []);
  return found;
}

/** `typebox/guard` is five small files that compiled checks call. */
const HEAVY =
  /^(typebox(?!\/guard$)|fastify|@fastify\/|prom-client|@duckdb\/|onnxruntime-node|rclnodejs|ws$|zeromq|@grpc\/)/;

function heavy(entry: string, allowed: RegExp = /^$/): string[] {
  return [...loadedBy(entry)]
    .filter(([name]) => HEAVY.test(name) && !allowed.test(name))
    .map(([, chain]) => chain.join(' > '));
}

/** In a process of its own, with nothing of these tests in it. */
function evaluated(code: string): { readonly stdout: string; readonly stderr: string } {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
}

describe('what is loaded at the start', () => {
  it.each([
    'daemon/main.ts',
    'daemon/cell-main.ts',
    'cli/main.ts',
    'sim/host.ts',
    'adapters/event-log/commit-worker.ts',
    'daemon/execution/recorder/recorder-main.ts',
    'daemon/compose/control-main.ts',
    'daemon/compose/controllers-main.ts',
    'adapters/images/picture-main.ts',
    'daemon/compose/execution.ts',
    'daemon/compose/link.ts',
  ])('is light in %s', (entry) => {
    expect(heavy(entry)).toEqual([]);
  });

  it.each(['contract/body-check.ts', 'contract/motion/check.ts'])(
    'stays light when %s refuses a message: the first malformed one of a client holds up no cell',
    (file) => {
      const late = [...readFileSync(join(root, file), 'utf8').matchAll(/import\(['"]([^'"]+)['"]\)/g)];
      expect(late).not.toEqual([]);
      for (const [, from] of late) expect(heavy(join(dirname(file), from!))).toEqual([]);
    },
  );

  it('is next to nothing for the emergency stop: a person waits for it', () => {
    const all = [...loadedBy('cli/stop-main.ts').keys()];
    const packages = all.filter((name) => !name.endsWith('.ts') && !name.startsWith('node:'));
    expect(packages.filter((name) => !name.endsWith('.json')).sort()).toEqual([
      'commander',
      'smol-toml',
      'typebox/guard',
    ]);
    expect(all).not.toContain('node:sqlite');
    const everything = [...loadedBy('cli/main.ts').keys()].length;
    expect(all.length).toBeLessThan(everything / 2);
  });

  it('is only the configured way to a robot, and no recordings, which are read on request', () => {
    const ways =
      /^(daemon\/compose\/(ros-io|ros-zenoh|nav2)\.ts|adapters\/(ros|rosbag)\/(?!on-use\.ts)|adapters\/zenoh\/ros\/)/;
    for (const entry of ['daemon/compose/execution.ts', 'daemon/compose/memory.ts']) {
      const found = [...loadedBy(entry)].filter(([name]) => ways.test(name));
      expect(found.map(([, chain]) => chain.join(' > '))).toEqual([]);
    }
  });

  it('stops at once: what stops the robot is loaded with the execution cell', () => {
    const loaded = loadedBy('daemon/compose/execution.ts');
    const stops = [
      'daemon/execution/actuation.ts',
      'daemon/execution/safety/safety-desk.ts',
      'daemon/execution/door/door.ts',
      'daemon/execution/bag-player.ts',
      'daemon/execution/control/control-client.ts',
    ];
    for (const file of stops) expect(loaded.has(file), file).toBe(true);
    // Where the robot is on ROS its stops come with the way to it, before the cell is up.
    expect(loadedBy('daemon/compose/ros-io.ts').has('adapters/ros/ros-sink.ts')).toBe(true);
  });

  it('is DuckDB in the process of the lake, and no schema library; the memory cell has neither', () => {
    expect(heavy('daemon/compose/memory.ts')).toEqual([]);
    expect(heavy('daemon/compose/lake-main.ts', /^@duckdb\//)).toEqual([]);
    expect(loadedBy('daemon/compose/lake-main.ts').has('@duckdb/node-api')).toBe(true);
  });

  it('is ONNX in the thread of the policy, and no schema library', () => {
    expect(heavy('adapters/onnx/onnx-worker-main.ts', /^onnxruntime-node/)).toEqual([]);
    expect(loadedBy('adapters/onnx/onnx-worker-main.ts').has('onnxruntime-node')).toBe(true);
  });

  it('is no schema compiler of fastify: the API listens with that of this project alone', () => {
    const rig = pathToFileURL(join(root, 'test', 'support', 'http-rig.ts')).href;
    const { stdout, stderr } = evaluated(`
      import Module from 'node:module';
      import { startRig } from '${rig}';
      const rig = await startRig();
      const answer = await fetch(rig.url + '/healthz');
      const loaded = Object.keys(Module._cache);
      console.log(JSON.stringify({ status: answer.status, loaded }));
      await rig.stop();
      process.exit(0);`);
    expect(stdout, stderr).not.toBe('');
    const { status, loaded } = JSON.parse(stdout) as { status: number; loaded: string[] };
    expect(status).toBe(200);
    expect(loaded.some((file) => file.includes('node_modules/fastify/'))).toBe(true);
    expect(loaded.filter((file) => /node_modules\/(ajv|@fastify\/ajv-compiler)\//.test(file))).toEqual([]);
  });

  it('is collected also where Node runs without --expose-gc, and the flags stay as they were', () => {
    const file = pathToFileURL(join(root, 'daemon', 'cell', 'shrink-heap.ts')).href;
    const { stdout, stderr } = evaluated(`
      import { getHeapStatistics } from 'node:v8';
      import { runInNewContext } from 'node:vm';
      import { shrinkHeap } from '${file}';
      let waste = Array.from({ length: 300_000 }, (_, i) => ({ i, text: 'part ' + i }));
      const before = getHeapStatistics().used_heap_size;
      waste = undefined;
      shrinkHeap();
      const after = getHeapStatistics().used_heap_size;
      console.log(JSON.stringify([after < before / 2, typeof gc, runInNewContext('typeof gc')]));`);
    expect(stdout, stderr).not.toBe('');
    expect(JSON.parse(stdout)).toEqual([true, 'undefined', 'undefined']);
  });

  it('finds what there is to find', () => {
    const runtime = loadedBy('daemon/compose/runtime.ts');
    expect(runtime.has('typebox')).toBe(true);
    expect(
      [...runtime.keys()].filter((name) => name.endsWith('.ts') && !existsSync(join(root, name))),
    ).toEqual([]);
  });
});
