import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { teleop } from '../../cli/commands/teleop.ts';
import type { CommandContext } from '../../cli/context.ts';
import { personAt } from '../support/cli-person.ts';

const folder = mkdtempSync(join(tmpdir(), 'cli-teleop-'));
writeFileSync(join(folder, 'robot.toml'), '');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is said after two commands, where the daemon answers like this when its status is asked for. */
async function saidAfter(status: () => Promise<unknown>): Promise<string> {
  const { context, told } = personAt(folder, 1);
  const api = { url: 'http://127.0.0.1:1', get: status, post: async () => ({ lease_id: 7 }) };
  const options = { linear: '0.1', seconds: '0.05', speed: '0.2', turn: '0.8' };
  const code = await teleop({ ...context, api } as unknown as CommandContext, options, {} as never);
  expect(code).toBe(0);
  return told.join('\n');
}

describe('auraison teleop that took the robot over from a run', () => {
  it('names the run that waits, and how it is resumed', async () => {
    const paused = [{ run_id: 'r-1', reason: 'taken over by vera (teleoperation)' }];
    const said = await saidAfter(async () => ({ runs: { available: true, load: { paused } } }));
    expect(said).toMatch(/commands; the lease is given back\n/);
    expect(said).toContain('a run is paused, taken over by vera (teleoperation): auraison runs resume r-1');
  });

  it('says no more where no run waits, or where the daemon does not say', async () => {
    const quiet = /^\d+ commands; the lease is given back$/;
    expect(await saidAfter(async () => ({ runs: { available: true, load: {} } }))).toMatch(quiet);
    expect(await saidAfter(() => Promise.reject(new Error('away')))).toMatch(quiet);
  });
});
