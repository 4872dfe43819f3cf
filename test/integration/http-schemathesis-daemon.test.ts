import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { freshDir, type TestDaemon, testDaemon } from '../support/daemon.ts';

const peers = join(import.meta.dirname, '..', 'peers');
const installer = join(peers, 'schemathesis.sh');
/** A daemon without a robot, a model or a recording refuses much that is well said, but never as its own fault. */
const REFUSALS = `[[operations]]
include-path-regex = ".*"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 413, 422]
`;
/** Streams and motions do not end; a clip of nothing may be asked for later; a plan may be asked for within 1 ms. */
const LEFT_OUT = '(events|tokens)$|/robot/(navigate|maneuver)|/recorder/clip|/inference/plan';

let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon;
beforeAll(async () => {
  execFileSync(installer, { stdio: 'inherit' });
  directory = freshDir('schemathesis-daemon');
  writeFileSync(join(directory.path, 'schemathesis.toml'), REFUSALS);
  daemon = await testDaemon(join(directory.path, 'data'), { AURAISON_ROBOT_SOURCE: 'none' });
});
afterAll(async () => {
  await daemon?.stop();
  directory?.remove();
});

it('a whole daemon answers no request of a client with 5xx', async () => {
  const program = execFileSync(installer, ['path'], { encoding: 'utf8' }).trim();
  const { url, token } = endpointOf(daemon.settings, '/openapi.json');
  const checks = [
    ...['not_a_server_error', 'positive_data_acceptance', 'status_code_conformance'],
    'response_schema_conformance',
  ];
  const options = [
    ['--header', `Authorization: Bearer ${token}`, '--exclude-path-regex', LEFT_OUT],
    ['--phases', 'fuzzing', '--max-examples', '2', '--seed', '1', '--request-timeout', '40'],
    ['--checks', checks.join(',')],
  ].flat();
  const run = promisify(execFile)(program, ['run', url.href, '--url', url.origin, ...options], {
    cwd: directory.path,
    maxBuffer: 1 << 26,
    env: { ...process.env, PYTHONPATH: peers, SCHEMATHESIS_HOOKS: 'schemathesis_hooks' },
  });
  const output = await run.then(
    ({ stdout }) => stdout,
    (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
  );
  expect(output).toMatch(/No issues found|[0-9]+ passed/);
  expect(output).not.toMatch(/[0-9]+ (unique )?failures?|ST[0-9]+ /);
  expect((await daemon.status()).cells.every(({ restarts }) => restarts === 0)).toBe(true);
});
