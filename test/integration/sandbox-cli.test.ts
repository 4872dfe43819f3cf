import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auraisonAsync, freshDir } from '../support/daemon.ts';
import { sandboxPrograms } from '../support/sandbox.ts';

/** Sandboxes by the command line; no daemon is there. */
describe('auraison sandbox', () => {
  const dir = freshDir('sandbox-cli');
  const root = realpathSync(dir.path);
  let env: Record<string, string>;
  const config = (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return ['--config', join(root, name), '--data-dir', join(root, 'data')];
  };
  beforeAll(() => {
    env = { PATH: `${sandboxPrograms()}:${process.env['PATH']}` };
  });
  afterAll(() => dir.remove());

  it('runs a program with its streams and exit code, and shows it nothing else', async () => {
    const good = config('good.toml', '[[sandboxes]]\nname = "tools"\n');
    const script = 'ls /; echo "$WORD"; echo wrong >&2; exit 7';
    const ran = await auraisonAsync(
      ['sandbox', 'run', 'tools', ...good, '--env', 'WORD=a-word', '--', 'sh', '-c', script],
      env,
    );
    expect(ran).toMatchObject({ status: 7, stderr: 'wrong\n' });
    expect(ran.stdout.split('\n')).toEqual(expect.arrayContaining(['tmp', 'usr', 'a-word']));
    expect(ran.stdout).not.toMatch(/^(?:home|root|srv|boot)$/m);
    const none = await auraisonAsync(['sandbox', 'run', 'absent', ...good, '--', 'true'], env);
    expect(none.status).toBe(78);
    expect(none.stderr).toContain('no sandbox absent is configured');
    expect(none.stderr).toContain('configured: tools');
  });

  it('is told by doctor and config check what does not work, and who runs without one', async () => {
    const bad = config(
      'bad.toml',
      '[[sandboxes]]\nname = "tools"\nread_only = ["/not/there"]\n[[mcp.servers]]\nname = "files"\ncommand = "sh"\n',
    );
    const listed = await auraisonAsync(['sandbox', 'list', ...bad], env);
    expect(listed.status).toBe(1);
    expect(listed.stdout).toMatch(
      /tools\s+NO\s+\/not\/there does not exist\s+make it, or take it out of the profile/,
    );
    const doctor = await auraisonAsync(['doctor', '--json', ...bad], env);
    const { checks } = JSON.parse(doctor.stdout) as {
      checks: { name: string; state: string; fix: string }[];
    };
    expect(checks.find(({ name }) => name === 'sandbox')).toMatchObject({
      state: 'bad',
      fix: 'profile tools: make it, or take it out of the profile',
    });
    const checked = await auraisonAsync(['config', 'check', ...bad, '--file-only'], env);
    expect(checked.status).toBe(0);
    expect(checked.stderr).toContain(
      'warning: mcp.servers: MCP server files runs without a sandbox: name one of [[sandboxes]], or say sandbox = "none"',
    );
  });
});
