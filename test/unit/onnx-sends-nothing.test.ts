import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { freshDir, ROOT } from '../support/daemon.ts';

const home = freshDir('onnx-home');
const scripts = freshDir('onnx-load');
afterAll(() => {
  home.remove();
  scripts.remove();
});

/** ONNX Runtime keeps an identity of the host and events in the home folder, and sends them to its maker, unless it is forbidden. */
it('runs a network without telemetry of the runtime', () => {
  const at = (path: string) => JSON.stringify(join(ROOT, path));
  const script = join(scripts.path, 'load.mjs');
  writeFileSync(
    script,
    `import { SystemClock } from ${at('adapters/clock/system-clock.ts')};
     import { OnnxPolicy } from ${at('adapters/onnx/onnx-policy.ts')};
     const policy = await OnnxPolicy.load(${at('apps/turtlebot-maze/policy/drive.onnx')}, new SystemClock());
     console.log(policy.describe().name);
     await policy.close();`,
  );
  const { HOME: _, XDG_CACHE_HOME: __, ORT_DISABLE_TELEMETRY: ___, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...env, HOME: home.path },
  });
  expect(status, stderr).toBe(0);
  expect(stdout.trim()).not.toBe('');
  expect(readdirSync(home.path)).toEqual([]);
  // Every process of a daemon, also those that load the runtime in a thread of theirs.
  expect(readFileSync(join(ROOT, 'bin', 'auraison'), 'utf8')).toMatch(/^export ORT_DISABLE_TELEMETRY=1$/m);
});
