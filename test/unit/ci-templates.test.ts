import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const read = (name: string) => parse(readFileSync(join(root, 'packaging', 'ci', name), 'utf8'));

it.each([
  {
    name: 'github.yml',
    lines: read('github.yml').jobs.application.steps.flatMap(({ run }: { run?: string }) => run ?? []),
  },
  { name: 'gitlab.yml', lines: read('gitlab.yml').application.script },
])('$name: the template checks an application as it stands', ({ lines }: { lines: string[] }) => {
  const folder = mkdtempSync(join(tmpdir(), 'ci-'));
  try {
    symlinkSync(root, join(folder, 'edge'));
    symlinkSync(join(root, 'docs', 'examples', 'apps', 'patrol'), join(folder, 'app'));
    const commands = lines.filter((line) => line.startsWith('edge/bin/auraison app '));
    expect(commands.map((line) => line.split(' ')[2])).toEqual(['check', 'test']);
    // `test` starts a robot where an application has tests: its own test has that. Here it is known, and takes a folder.
    const [check, test] = commands as [string, string];
    const env = { ...process.env, CI_PROJECT_DIR: join(folder, 'app') };
    const checked = spawnSync('sh', ['-c', check], { cwd: folder, env, encoding: 'utf8' });
    expect(`${checked.status} ${checked.stdout}`).toContain('0 patrol 0.1.0 is fine');
    const tested = spawnSync('sh', ['-c', test], { cwd: folder, env, encoding: 'utf8' });
    expect(`${tested.stdout}${tested.stderr}`).toContain('it has no tests');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
