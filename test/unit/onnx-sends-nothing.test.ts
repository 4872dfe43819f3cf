import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freshDir, ROOT } from '../support/daemon.ts';

let home: ReturnType<typeof freshDir>;
let scripts: ReturnType<typeof freshDir>;
beforeEach(() => {
  home = freshDir('onnx-home');
  scripts = freshDir('onnx-load');
});
afterEach(() => {
  home.remove();
  scripts.remove();
});

const at = (path: string) => JSON.stringify(join(ROOT, path));
const LOAD = `
  const { SystemClock } = await import(${at('adapters/clock/system-clock.ts')});
  const { OnnxPolicy } = await import(${at('adapters/onnx/onnx-policy.ts')});
  const policy = await OnnxPolicy.load(${at('apps/turtlebot-maze/policy/drive.onnx')}, new SystemClock());
  console.log(policy.describe().name);
  await policy.close();`;
/** As the cells do: the process imports what forbids it, and a thread of it loads the runtime. */
const LOAD_IN_THREAD = `
  import { isMainThread, Worker } from 'node:worker_threads';
  if (isMainThread) {
    await import(${at('daemon/no-telemetry.ts')});
    await new Promise((resolve) => new Worker(new URL(import.meta.url)).once('exit', resolve));
  } else {${LOAD}
  }`;

/** ONNX Runtime keeps an identity of the host and events in the home folder, and sends them to its maker, unless it is forbidden. */
it.each([
  ['the main thread', LOAD],
  ['a thread', LOAD_IN_THREAD],
])('runs a network of %s without telemetry of the runtime', (_, source) => {
  const script = join(scripts.path, 'load.mjs');
  writeFileSync(script, source);
  const { HOME: __, XDG_CACHE_HOME: ___, ORT_DISABLE_TELEMETRY: ____, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...env, HOME: home.path },
  });
  expect(status, stderr).toBe(0);
  expect(stdout.trim()).not.toBe('');
  expect(readdirSync(home.path)).toEqual([]);
});

it.each([
  ['bin/auraison', /^export ORT_DISABLE_TELEMETRY=1$/m],
  ['scripts/start.mjs', /ORT_DISABLE_TELEMETRY: '1'/],
  ...['cli/entry.ts', 'cli/main.ts', 'daemon/main.ts', 'daemon/cell-main.ts'].map(
    (file) => [file, /^import '\.{1,2}\/(daemon\/)?no-telemetry\.ts';$/m] as const,
  ),
] as const)('forbids it before a thread starts: %s', (file, words) => {
  expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(words);
});
