import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { phase, type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/**
 * Schemathesis makes requests from our OpenAPI document, fitting ones and others, and checks that the answers
 * are those that the document promises. Streams are left out: they do not end.
 */
describe('the API keeps what its document says', () => {
  const installer = join(import.meta.dirname, '..', 'peers', 'schemathesis.sh');
  let rig: Rig;
  let dir: string;
  beforeAll(async () => {
    execFileSync(installer, { stdio: 'inherit' });
    dir = mkdtempSync(join(tmpdir(), 'schemathesis-'));
    rig = await startRig();
    rig.logs.runtime.append(phase(1));
    const play = { play_id: '1', path: '/x', state: 'finished', messages: 1, published: 1, reason: '' };
    const { execution, memory } = METHODS;
    for (const method of [execution.robotStop, execution.recordSeal, execution.robotMap]) {
      rig.answers.set(method, async () => undefined);
    }
    const clip = {
      clip_id: 'c',
      bag: 'clip',
      state: 'whole',
      trigger: 'api',
      reason: '',
      trigger_ns: '1',
      from_ns: '0',
      to_ns: '1',
      messages: 0,
      bytes: 0,
    };
    const episode = {
      episode_id: 'e',
      bag: 'episode',
      state: 'whole',
      label: '',
      start_ns: '0',
      end_ns: '0',
      messages: 0,
      bytes: 0,
      segments: [],
    };
    rig.answers.set(execution.clipRecord, async () => clip);
    rig.answers.set(execution.clipList, async () => [clip]);
    for (const method of [execution.episodeStart, execution.episodeStop, execution.episodeRelabel])
      rig.answers.set(method, async () => episode);
    rig.answers.set(execution.episodeDiscard, async () => undefined);
    rig.answers.set(execution.episodeList, async () => [episode]);
    for (const method of [execution.bagPlay, execution.bagPlayState, execution.bagPlayStop]) {
      rig.answers.set(method, async () => play);
    }
    const motion = { outcome: 'reached', pose: undefined, distance: 0, durationMs: 1, time: 1n, message: '' };
    const moves = [
      execution.robotNavigate,
      execution.robotManeuver,
      execution.armFollow,
      execution.armGripper,
    ];
    for (const method of moves) rig.answers.set(method, async () => motion);
    const joint = { position: 0.1, velocity: undefined, effort: 2 };
    const arm = { time: 1n, joints: { joint }, motion: 'idle', connected: true };
    rig.answers.set(execution.armState, async () => arm);
    for (const method of [execution.armStop, execution.robotCancel])
      rig.answers.set(method, async () => undefined);
    rig.answers.set(memory.query, async () => ({ columns: [], rows: [], truncated: false }));
  });
  afterAll(async () => {
    await rig.stop();
    rmSync(dir, { recursive: true });
  });

  it('in every answer to a thousand requests', async () => {
    const program = execFileSync(installer, ['path'], { encoding: 'utf8' }).trim();
    const options = [
      ['--header', `Authorization: Bearer ${TOKEN}`],
      ['--exclude-path-regex', 'events$'],
      ['--max-examples', '30', '--seed', '1', '--request-timeout', '20', '--checks', 'all'],
    ].flat();
    const run = promisify(execFile)(
      program,
      ['run', `${rig.url}/openapi.json`, '--url', rig.url, ...options],
      { cwd: dir, maxBuffer: 1 << 26 },
    );
    const output = await run.then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
    );
    expect(output).toMatch(/No issues found|[0-9]+ passed/);
    expect(output).not.toMatch(/[0-9]+ (unique )?failures?/);
    expect(rig.reports).toEqual([]);
  });
});
