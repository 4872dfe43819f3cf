import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tomlOf } from '../../daemon/config.ts';
import { loadSettings } from '../../daemon/settings.ts';

/** Configuration in a document is one that the daemon takes; manifests and cases of packages are at least TOML. */
const ROOT = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'docs-toml-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Keys of app.toml and of the tests of a package; none of them is a table of the configuration. */
const OF_PACKAGES = ['name', 'intents', 'loop', 'schedule', 'webhook', 'cases', 'case'];

const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(join(ROOT, name)));

const blocks = pages.flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```toml\n([\s\S]*?)^```/gm)].map((match): [string, string] => {
    const line = text.slice(0, match.index).split('\n').length;
    return [`${page}:${line}`, match[1]!];
  });
});

/** What is wrong with it, in the words that a person would read; empty where nothing is. */
function faultOf(text: string): string {
  const file = join(folder, 'robot.toml');
  writeFileSync(file, text);
  try {
    loadSettings(file, {});
    return '';
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

describe('TOML in documents', () => {
  it('is found, configuration and manifests', () => {
    const manifests = blocks.filter(([, text]) => isOfPackage(text));
    expect(blocks.length - manifests.length).toBeGreaterThan(40);
    expect(manifests.length).toBeGreaterThan(4);
  });

  it.each(blocks)('%s is taken', (_where, text) => {
    if (!isOfPackage(text)) expect(faultOf(text)).toBe('');
  });

  it('is refused where it names a key that does not exist', () => {
    expect(faultOf('[robot]\nspeed = 1\n')).toContain('robot.speed');
  });
});

function isOfPackage(text: string): boolean {
  return Object.keys(tomlOf(text)).some((key) => OF_PACKAGES.includes(key));
}
