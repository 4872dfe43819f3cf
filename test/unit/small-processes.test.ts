import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
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

  it('is DuckDB in the memory cell, and no schema library', () => {
    expect(heavy('daemon/compose/memory.ts', /^@duckdb\//)).toEqual([]);
    expect(loadedBy('daemon/compose/memory.ts').has('@duckdb/node-api')).toBe(true);
  });

  it('is ONNX in the thread of the policy, and no schema library', () => {
    expect(heavy('adapters/onnx/onnx-worker-main.ts', /^onnxruntime-node/)).toEqual([]);
    expect(loadedBy('adapters/onnx/onnx-worker-main.ts').has('onnxruntime-node')).toBe(true);
  });

  it('finds what there is to find', () => {
    const runtime = loadedBy('daemon/compose/runtime.ts');
    expect(runtime.has('typebox')).toBe(true);
    expect(
      [...runtime.keys()].filter((name) => name.endsWith('.ts') && !existsSync(join(root, name))),
    ).toEqual([]);
  });
});
