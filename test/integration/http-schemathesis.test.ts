import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { phase, type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/**
 * Payloads of tensors, conversations and plans hold more than a schema says: whether bytes are as many as a shape needs,
 * whether a tool that is answered was called, whether anything here plans. What is wrong is refused with 400 or 422.
 */
const REFUSALS = [
  '/v1/inference/vla',
  '/v1/chat/completions',
  '/v1/plans',
  '/v1/plans/{runId}',
  '/v1/inference/plan',
]
  .map(
    (path) => `[[operations]]
include-path = "${path}"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422]
`,
  )
  .join('\n');

/**
 * Schemathesis makes requests from our OpenAPI document, fitting ones and others, and checks that the answers
 * are those that the document promises. Streams are left out: they do not end.
 */
describe('the API keeps what its document says', () => {
  const peers = join(import.meta.dirname, '..', 'peers');
  const installer = join(peers, 'schemathesis.sh');
  let rig: Rig;
  let dir: string;
  beforeAll(async () => {
    execFileSync(installer, { stdio: 'inherit' });
    dir = mkdtempSync(join(tmpdir(), 'schemathesis-'));
    writeFileSync(join(dir, 'schemathesis.toml'), REFUSALS);
    rig = await startRig({}, await governedPorts());
    rig.logs.runtime.append(phase(1));
    answerAll(rig);
  });
  afterAll(async () => {
    await rig.stop();
    rmSync(dir, { recursive: true });
  });

  it('in every answer to a thousand requests', async () => {
    const program = execFileSync(installer, ['path'], { encoding: 'utf8' }).trim();
    const options = [
      ['--header', `Authorization: Bearer ${TOKEN}`],
      // Streams do not end; words for the robot need a model, and 503 is the right answer without one; the runs behind
      // sessions are not kept by this rig: sessions.test.ts asks a daemon.
      ['--exclude-path-regex', '(events|tokens|/ask|/confirm)$|/sessions'],
      ['--max-examples', '12', '--seed', '1', '--request-timeout', '20', '--checks', 'all'],
    ].flat();
    const run = promisify(execFile)(
      program,
      ['run', `${rig.url}/openapi.json`, '--url', rig.url, ...options],
      {
        cwd: dir,
        maxBuffer: 1 << 26,
        env: { ...process.env, PYTHONPATH: peers, SCHEMATHESIS_HOOKS: 'schemathesis_hooks' },
      },
    );
    const output = await run.then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
    );
    expect(output).toMatch(/No issues found|[0-9]+ passed/);
    expect(output).not.toMatch(/[0-9]+ (unique )?failures?/);
    // A stop is taken with any body, and what was wrong with it is reported.
    expect(rig.reports.filter(({ message }) => message !== 'an emergency stop came with faults')).toEqual([]);
  }, 600_000);
});
